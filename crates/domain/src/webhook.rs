//! Webhooks: where a tenant wants to be told what becomes of its mail, and of which events.

use std::fmt;
use std::str::FromStr;

use time::OffsetDateTime;

use crate::{EmailId, EventId, Problem, WebhookDeliveryId, WebhookId, WebhookSecret, WebhookUrl};

/// A kind of event that a webhook can be told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WebhookEvent {
    /// An email was accepted.
    Queued,
    /// An attempt to hand it over begins.
    Sending,
    /// A relay took it.
    Delivered,
    /// A relay refused it.
    Bounced,
    /// It could not be handed over.
    Failed,
    /// A recipient complained of it.
    Complained,
    /// A recipient opened it.
    Opened,
    /// A recipient followed a link.
    Clicked,
    /// A recipient was on the suppression list.
    Suppressed,
    /// It was called off.
    Canceled,
}

impl WebhookEvent {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::Queued,
        Self::Sending,
        Self::Delivered,
        Self::Bounced,
        Self::Failed,
        Self::Complained,
        Self::Opened,
        Self::Clicked,
        Self::Suppressed,
        Self::Canceled,
    ];

    /// The kind as requests and events write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Delivered => "delivered",
            Self::Bounced => "bounced",
            Self::Failed => "failed",
            Self::Complained => "complained",
            Self::Opened => "opened",
            Self::Clicked => "clicked",
            Self::Suppressed => "suppressed",
            Self::Canceled => "canceled",
        }
    }
}

impl FromStr for WebhookEvent {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let known = "one of: queued, sending, delivered, bounced, failed, complained, opened, clicked, suppressed, canceled";
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(Problem::NotOneOf(known))
    }
}

/// The kinds of events that a webhook is told of: at least one, each once, in the order of [`WebhookEvent::ALL`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookEvents(Vec<WebhookEvent>);

impl WebhookEvents {
    /// These kinds, in whatever order and however often.
    ///
    /// # Errors
    ///
    /// [`Problem::Empty`].
    pub fn new(mut kinds: Vec<WebhookEvent>) -> Result<Self, Problem> {
        if kinds.is_empty() {
            return Err(Problem::Empty);
        }
        kinds.sort_unstable();
        kinds.dedup();
        Ok(Self(kinds))
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = WebhookEvent> + '_ {
        self.0.iter().copied()
    }
}

/// Why the server has switched a webhook off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookFault {
    /// Its endpoint answered 410: it wants no events any more.
    Gone,
    /// Its endpoint has failed for [`PATIENCE`](crate::WebhookRetry::PATIENCE) without one success.
    Failing,
}

impl WebhookFault {
    /// The reason as answers write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Failing => "failing",
        }
    }
}

impl FromStr for WebhookFault {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        [Self::Gone, Self::Failing].into_iter().find(|fault| fault.as_str() == text).ok_or(Problem::NotOneOf("gone or failing"))
    }
}

impl fmt::Display for WebhookFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether a webhook is told of anything at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookState {
    /// It is told of events.
    Active,
    /// Its tenant has switched it off.
    Inactive,
    /// The server has switched it off.
    Disabled {
        /// Why.
        fault: WebhookFault,
        /// When.
        at: OffsetDateTime,
    },
}

/// A webhook. Its secrets are kept apart, sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// Where events are posted.
    pub url: WebhookUrl,
    /// Which events.
    pub events: WebhookEvents,
    /// Whether they are posted.
    pub state: WebhookState,
    /// Until when the secret before the present one signs as well.
    pub previous_secret_until: Option<OffsetDateTime>,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it was changed last.
    pub updated_at: OffsetDateTime,
}

/// A webhook that is to be made.
#[derive(Clone, Debug)]
pub struct NewWebhook {
    /// Where events are posted.
    pub url: WebhookUrl,
    /// Which events.
    pub events: WebhookEvents,
    /// What signs them.
    pub secret: WebhookSecret,
    /// Whether they are posted.
    pub active: bool,
}

/// A partial update of a [`Webhook`]: what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct WebhookChange {
    /// Where events are posted.
    pub url: Option<WebhookUrl>,
    /// Which events.
    pub events: Option<WebhookEvents>,
    /// Whether they are posted. What the server had switched off is given another chance by `true`.
    pub active: Option<bool>,
    /// What signs them, from now on alone.
    pub secret: Option<WebhookSecret>,
}

/// A delivery and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRecord {
    /// Its id.
    pub id: WebhookDeliveryId,
    /// The event.
    pub event_id: EventId,
    /// The email that the event happened to; absent: a test.
    pub email_id: Option<EmailId>,
    /// The kind of event, `test` among them; absent once the event is erased.
    pub kind: Option<String>,
    /// `pending`, `delivered`, `failed` or `canceled`.
    pub status: String,
    /// When the next attempt is due.
    pub next_attempt_at: Option<OffsetDateTime>,
    /// When it was queued.
    pub created_at: OffsetDateTime,
    /// Each attempt, the first one first.
    pub attempts: Vec<PostRecord>,
}

/// One attempt to post.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostRecord {
    /// Which it was, from 1 on.
    pub attempt: u32,
    /// When it had ended.
    pub at: OffsetDateTime,
    /// The answer's status.
    pub status: Option<u16>,
    /// Why there was no answer.
    pub error: Option<String>,
    /// The beginning of the answer's text.
    pub answer: Option<String>,
    /// How long it took, in milliseconds.
    pub duration_ms: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_faults_read_back() {
        for kind in WebhookEvent::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        for fault in [WebhookFault::Gone, WebhookFault::Failing] {
            assert_eq!(fault.to_string().parse(), Ok(fault));
        }
        let refused = "deferred".parse::<WebhookEvent>().unwrap_err().to_string();
        assert!(WebhookEvent::ALL.iter().all(|kind| refused.contains(kind.as_str())), "{refused}");
    }

    #[test]
    fn a_webhook_is_told_of_something_and_of_each_thing_once() {
        assert_eq!(WebhookEvents::new(Vec::new()), Err(Problem::Empty));
        let twice = [WebhookEvent::Failed, WebhookEvent::Queued, WebhookEvent::Failed].to_vec();
        assert_eq!(WebhookEvents::new(twice).unwrap().iter().collect::<Vec<_>>(), [WebhookEvent::Queued, WebhookEvent::Failed]);
    }
}
