//! A recipient of an email and what has become of the mail for it.

use std::collections::HashSet;
use std::time::Duration;

use crate::reply::sanitised;
use crate::{Address, BounceType, Deferral, FieldError, Jitter, Mailbox, Problem, Reply, RetryPolicy, Verdict};

/// Where a recipient stands in the message's header: `bcc` in none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecipientKind {
    /// In `To`.
    To,
    /// In `Cc`.
    Cc,
    /// In no header.
    Bcc,
}

impl RecipientKind {
    /// The field that holds such recipients: `to`, `cc`, `bcc`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::To => "to",
            Self::Cc => "cc",
            Self::Bcc => "bcc",
        }
    }
}

/// The recipients of one email: at least one `to`, each address once, bounded in number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipients(Vec<(RecipientKind, Mailbox)>);

impl Recipients {
    /// Keeps the first of each address across `to`, `cc` and `bcc`, in that order.
    ///
    /// # Errors
    ///
    /// [`Problem::NoRecipient`] without a `to`; [`Problem::TooMany`] where more than `limit` stay.
    pub fn new(to: Vec<Mailbox>, cc: Vec<Mailbox>, bcc: Vec<Mailbox>, limit: usize) -> Result<Self, FieldError> {
        if to.is_empty() {
            return Err(Problem::NoRecipient.at("to"));
        }
        let kinds = [(RecipientKind::To, to), (RecipientKind::Cc, cc), (RecipientKind::Bcc, bcc)];
        let mut seen: HashSet<Address> = HashSet::new();
        let mut kept = Vec::new();
        for (kind, mailboxes) in kinds {
            kept.extend(mailboxes.into_iter().filter(|mailbox| seen.insert(mailbox.address().clone())).map(|mailbox| (kind, mailbox)));
        }
        if kept.len() > limit {
            return Err(Problem::TooMany { limit, unit: "recipients in `to`, `cc` and `bcc` together" }.at("to"));
        }
        Ok(Self(kept))
    }

    /// All of them: `to` first, then `cc`, then `bcc`.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (RecipientKind, &Mailbox)> {
        self.0.iter().map(|(kind, mailbox)| (*kind, mailbox))
    }

    /// Those of one kind, in the order given.
    pub fn of(&self, kind: RecipientKind) -> impl Iterator<Item = &Mailbox> {
        self.0.iter().filter(move |(of, _)| *of == kind).map(|(_, mailbox)| mailbox)
    }
}

/// What has become of an email for one recipient. [`Queued`] changes by attempts; after that, what a relay took may [come back](Self::returned), and nothing else
/// changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecipientState {
    /// To be handed to the relay.
    Queued(Queued),
    /// The relay took it.
    Delivered {
        /// Attempts made, this one included.
        attempts: u32,
        /// The relay's last reply.
        reply: Reply,
    },
    /// The relay refused it.
    Bounced {
        /// Attempts made, this one included.
        attempts: u32,
        /// Whether there is any use in writing again.
        bounce: BounceType,
        /// The relay's last reply.
        reply: Reply,
    },
    /// It could not be handed over, for a reason that is not the relay's answer.
    Failed {
        /// Attempts made, this one included.
        attempts: u32,
        /// Why, in words for the caller.
        reason: String,
    },
    /// It was on the tenant's suppression list when the mail was accepted: no attempt is made.
    Suppressed,
    /// It was called off before the relay took it.
    Canceled {
        /// Attempts made before.
        attempts: u32,
    },
}

impl RecipientState {
    /// A recipient of a mail that was accepted just now.
    #[must_use]
    pub const fn accepted() -> Self {
        Self::Queued(Queued { attempts: 0 })
    }

    /// `queued`, `delivered`, `bounced`, `failed`, `suppressed` or `canceled`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Queued(_) => "queued",
            Self::Delivered { .. } => "delivered",
            Self::Bounced { .. } => "bounced",
            Self::Failed { .. } => "failed",
            Self::Suppressed => "suppressed",
            Self::Canceled { .. } => "canceled",
        }
    }

    /// What follows where mail that a relay had taken came back (RFC 3464), with what was said of it then.
    ///
    /// ```
    /// use selfmx_domain::{RecipientState, Reply};
    ///
    /// let taken = RecipientState::Delivered { attempts: 1, reply: Reply::new(250, None, "queued") };
    /// let returned = taken.returned(Reply::new(550, None, "no such user"))?;
    /// assert_eq!(returned.as_str(), "bounced");
    /// # Ok::<(), RecipientState>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The state as it was, where no relay has the mail: it is not to be had back.
    pub fn returned(self, reply: Reply) -> Result<Self, Self> {
        match self {
            Self::Delivered { attempts, .. } => Ok(Self::Bounced { attempts, bounce: BounceType::of_recipient(&reply), reply }),
            state => Err(state),
        }
    }

    /// How many attempts were made.
    #[must_use]
    pub const fn attempts(&self) -> u32 {
        match self {
            Self::Queued(queued) => queued.attempts,
            Self::Suppressed => 0,
            Self::Delivered { attempts, .. }
            | Self::Bounced { attempts, .. }
            | Self::Failed { attempts, .. }
            | Self::Canceled { attempts } => *attempts,
        }
    }
}

/// A recipient that waits for an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queued {
    attempts: u32,
}

/// What follows from an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NextStep {
    /// Nothing more to do: the recipient has reached a final state.
    Final(RecipientState),
    /// Another attempt after `delay`.
    Retry {
        /// The recipient, its attempt counted where one was made.
        queued: Queued,
        /// How long to wait, from now.
        delay: Duration,
        /// Why, in words for the caller.
        reason: String,
    },
}

impl Queued {
    /// How long a mail waits whose relay cannot be used at present.
    pub const HELD_DELAY: Duration = Duration::from_secs(30);

    /// A waiting recipient for which `attempts` attempts were made.
    #[must_use]
    pub const fn after(attempts: u32) -> Self {
        Self { attempts }
    }

    /// How many attempts were made.
    #[must_use]
    pub const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// What follows from the verdict on an attempt.
    ///
    /// ```
    /// use selfmx_domain::{Jitter, NextStep, Queued, RecipientState, Reply, RetryPolicy, Verdict};
    ///
    /// let verdict = Verdict::Delivered(Reply::new(250, None, "2.0.0 Ok"));
    /// let step = Queued::after(0).settle(verdict, &RetryPolicy::default(), Jitter::from_bytes([0, 0]));
    /// assert!(matches!(step, NextStep::Final(RecipientState::Delivered { attempts: 1, .. })));
    /// ```
    ///
    /// A recipient is settled once: the old state is gone.
    ///
    /// ```compile_fail,E0382
    /// # use selfmx_domain::{Jitter, Queued, Reply, RetryPolicy, Verdict};
    /// let queued = Queued::after(0);
    /// let verdict = Verdict::Delivered(Reply::new(250, None, "2.0.0 Ok"));
    /// queued.settle(verdict.clone(), &RetryPolicy::default(), Jitter::from_bytes([0, 0]));
    /// queued.settle(verdict, &RetryPolicy::default(), Jitter::from_bytes([0, 0]));
    /// ```
    #[must_use]
    pub fn settle(self, verdict: Verdict, policy: &RetryPolicy, jitter: Jitter) -> NextStep {
        let attempts = self.attempts.saturating_add(1);
        match verdict {
            Verdict::Delivered(reply) => NextStep::Final(RecipientState::Delivered { attempts, reply }),
            Verdict::Bounced(reply) => bounced(attempts, BounceType::of_recipient(&reply), reply),
            Verdict::Rejected(reply) => bounced(attempts, BounceType::of_message(&reply), reply),
            Verdict::Undeliverable(reason) => NextStep::Final(RecipientState::Failed { attempts, reason }),
            Verdict::Held(reason) => NextStep::Retry { queued: self, delay: Self::HELD_DELAY, reason: sanitised(&reason) },
            Verdict::Deferred(deferral) => deferred(attempts, deferral, policy.delay(attempts, jitter)),
        }
    }
}

const fn bounced(attempts: u32, bounce: BounceType, reply: Reply) -> NextStep {
    NextStep::Final(RecipientState::Bounced { attempts, bounce, reply })
}

fn deferred(attempts: u32, deferral: Deferral, delay: Option<Duration>) -> NextStep {
    let reason = deferral.to_string();
    match (delay, deferral) {
        (Some(delay), Deferral::Ambiguous(_)) => {
            NextStep::Retry { queued: Queued { attempts }, delay: delay.max(RetryPolicy::AMBIGUOUS_DELAY), reason }
        }
        (Some(delay), _) => NextStep::Retry { queued: Queued { attempts }, delay, reason },
        (None, Deferral::Reply(reply)) => bounced(attempts, BounceType::Soft, reply),
        (None, _) => NextStep::Final(RecipientState::Failed { attempts, reason }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_JITTER: Jitter = Jitter::from_bytes([0, 0]);

    fn mailboxes(texts: &[&str]) -> Vec<Mailbox> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn settle(attempts: u32, verdict: Verdict) -> NextStep {
        Queued::after(attempts).settle(verdict, &RetryPolicy::default(), NO_JITTER)
    }

    #[test]
    fn the_first_of_each_address_wins_across_the_three_fields() {
        let recipients = Recipients::new(
            mailboxes(&["a@x.example", "A <a@X.example>"]),
            mailboxes(&["b@x.example", "a@x.example"]),
            mailboxes(&["b@x.example", "A@x.example"]),
            50,
        )
        .unwrap();
        let kept: Vec<_> = recipients.iter().map(|(kind, mailbox)| (kind, mailbox.to_string())).collect();
        assert_eq!(
            kept,
            [
                (RecipientKind::To, "a@x.example".to_owned()),
                (RecipientKind::Cc, "b@x.example".to_owned()),
                (RecipientKind::Bcc, "A@x.example".to_owned())
            ]
        );
        assert_eq!(recipients.of(RecipientKind::Bcc).count(), 1);
    }

    #[test]
    fn recipients_are_required_and_bounded() {
        assert_eq!(Recipients::new(vec![], mailboxes(&["a@x.example"]), vec![], 50), Err(Problem::NoRecipient.at("to")));
        let many: Vec<_> = (0..51).map(|n| format!("a{n}@x.example").parse().unwrap()).collect();
        assert!(Recipients::new(many.clone(), vec![], vec![], 51).is_ok());
        assert!(Recipients::new(many, vec![], vec![], 50).is_err());
    }

    #[test]
    fn a_4yz_is_tried_again_until_the_attempts_run_out_and_then_bounces_softly() {
        let verdict = Verdict::Deferred(Deferral::Reply(Reply::new(451, None, "later")));
        assert!(
            matches!(settle(0, verdict.clone()), NextStep::Retry { queued: Queued { attempts: 1 }, delay, .. } if delay.as_secs() == 60)
        );
        assert!(
            matches!(settle(2, verdict.clone()), NextStep::Retry { queued: Queued { attempts: 3 }, delay, .. } if delay.as_secs() == 1800)
        );
        assert!(matches!(settle(3, verdict), NextStep::Final(RecipientState::Bounced { attempts: 4, bounce: BounceType::Soft, .. })));
    }

    #[test]
    fn a_relay_that_is_never_reached_fails_the_recipient() {
        let verdict = Verdict::Deferred(Deferral::network("connection refused"));
        assert!(matches!(settle(0, verdict.clone()), NextStep::Retry { .. }));
        assert!(
            matches!(settle(3, verdict), NextStep::Final(RecipientState::Failed { attempts: 4, reason }) if reason == "connection refused")
        );
    }

    #[test]
    fn an_ambiguous_end_waits_at_least_five_minutes() {
        let verdict = Verdict::Deferred(Deferral::ambiguous("the connection closed"));
        assert!(matches!(settle(0, verdict.clone()), NextStep::Retry { delay, .. } if delay.as_secs() == 300));
        assert!(matches!(settle(2, verdict), NextStep::Retry { delay, .. } if delay.as_secs() == 1800));
    }

    #[test]
    fn a_held_mail_burns_no_attempt() {
        assert!(matches!(settle(3, Verdict::Held("535".to_owned())), NextStep::Retry { queued: Queued { attempts: 3 }, .. }));
        let told = settle(0, Verdict::Held(format!("a\r\n{}", "b".repeat(5000))));
        assert!(matches!(told, NextStep::Retry { reason, .. } if reason.starts_with("a  b") && reason.len() <= 1000));
    }

    #[test]
    fn a_5yz_is_final_at_once_and_the_address_is_not_to_blame_for_everything() {
        let no = || Reply::new(550, None, "no");
        for (verdict, expected) in [(Verdict::Bounced(no()), BounceType::Hard), (Verdict::Rejected(no()), BounceType::Soft)] {
            let step = settle(0, verdict);
            assert!(matches!(step, NextStep::Final(RecipientState::Bounced { attempts: 1, bounce, .. }) if bounce == expected), "{step:?}");
        }
    }

    #[test]
    fn only_what_a_relay_took_comes_back_and_once() {
        let no = || Reply::new(550, None, "no");
        let taken = RecipientState::Delivered { attempts: 3, reply: Reply::new(250, None, "taken") };
        let bounced = RecipientState::Bounced { attempts: 3, bounce: BounceType::Hard, reply: no() };
        assert_eq!(taken.clone().returned(no()), Ok(bounced.clone()));
        let full = Reply::new(452, None, "full");
        assert!(matches!(taken.returned(full), Ok(RecipientState::Bounced { bounce: BounceType::Soft, .. })));
        let failed = RecipientState::Failed { attempts: 1, reason: String::new() };
        let canceled = RecipientState::Canceled { attempts: 0 };
        for state in [RecipientState::accepted(), bounced, failed, canceled, RecipientState::Suppressed] {
            assert_eq!(state.clone().returned(no()), Err(state));
        }
    }
}
