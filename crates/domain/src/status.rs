//! The status of an email as a whole, which follows from its recipients.

use std::str::FromStr;

use crate::{Problem, RecipientState};

/// The status of an email: that of its least finished recipient, and once all are final `delivered` if all were, else `canceled` if any was, else
/// `bounced`, else `failed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmailStatus {
    /// Accepted, and not due yet.
    Scheduled,
    /// Accepted; at least one recipient waits for an attempt.
    Queued,
    /// An attempt is being made now.
    Sending,
    /// The relay took it for all recipients.
    Delivered,
    /// The relay refused at least one recipient.
    Bounced,
    /// At least one recipient could not be handed over or is suppressed, and none bounced.
    Failed,
    /// It was called off before the relay took it for anybody.
    Canceled,
}

impl EmailStatus {
    /// Every status, in the order of a mail's life.
    pub const ALL: [Self; 7] = [Self::Scheduled, Self::Queued, Self::Sending, Self::Delivered, Self::Bounced, Self::Failed, Self::Canceled];

    /// The status that follows from the recipients' states. Whether a queued mail is being sent is the queue's to know,
    /// whether it is due the clock's.
    pub fn of<'a>(recipients: impl IntoIterator<Item = &'a RecipientState>) -> Self {
        let mut status = Self::Delivered;
        for recipient in recipients {
            status = match (recipient, status) {
                (RecipientState::Queued(_), _) => return Self::Queued,
                (RecipientState::Canceled { .. }, _) | (_, Self::Canceled) => Self::Canceled,
                (RecipientState::Bounced { .. }, _) => Self::Bounced,
                (RecipientState::Failed { .. } | RecipientState::Suppressed, Self::Delivered) => Self::Failed,
                _ => status,
            };
        }
        status
    }

    /// The status as answers write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Delivered => "delivered",
            Self::Bounced => "bounced",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }

    /// Whether nothing more will be done.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Delivered | Self::Bounced | Self::Failed | Self::Canceled)
    }
}

impl FromStr for EmailStatus {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or(Problem::NotOneOf("one of: scheduled, queued, sending, delivered, bounced, failed, canceled"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BounceType, Reply};

    #[test]
    fn the_least_finished_recipient_decides_then_the_worst() {
        let queued = || RecipientState::accepted();
        let delivered = || RecipientState::Delivered { attempts: 1, reply: Reply::new(250, None, "") };
        let bounced = || RecipientState::Bounced { attempts: 1, bounce: BounceType::Hard, reply: Reply::new(550, None, "") };
        let failed = || RecipientState::Failed { attempts: 1, reason: String::new() };
        let canceled = || RecipientState::Canceled { attempts: 0 };
        for (states, status) in [
            (vec![canceled(), bounced()], EmailStatus::Canceled),
            (vec![bounced(), canceled(), failed()], EmailStatus::Canceled),
            (vec![canceled(), queued()], EmailStatus::Queued),
            (vec![delivered(), delivered()], EmailStatus::Delivered),
            (vec![delivered(), bounced(), queued()], EmailStatus::Queued),
            (vec![failed(), bounced(), delivered()], EmailStatus::Bounced),
            (vec![bounced(), failed()], EmailStatus::Bounced),
            (vec![delivered(), failed()], EmailStatus::Failed),
            (vec![delivered(), RecipientState::Suppressed], EmailStatus::Failed),
            (vec![RecipientState::Suppressed, bounced()], EmailStatus::Bounced),
            (vec![RecipientState::Suppressed, queued()], EmailStatus::Queued),
        ] {
            assert_eq!(EmailStatus::of(&states), status, "{states:?}");
        }
    }

    #[test]
    fn each_status_reads_back() {
        for status in EmailStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
        }
        assert!("Queued".parse::<EmailStatus>().is_err());
    }
}
