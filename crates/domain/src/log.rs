//! The log: what happened to emails, and what keys did besides sending.

use std::fmt;
use std::str::FromStr;

use time::OffsetDateTime;
use uuid::Uuid;

use crate::{Address, ApiKeyId, AuditAction, AuditId, EmailId, EventId, EventKind, EventPosition, IdError, Page, Problem};

/// Which entry of the log: an event's id or one of the audit log's. Both sort by time, and so do they together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogId {
    /// Something that happened to an email.
    Event(EventId),
    /// A management call.
    Audit(AuditId),
}

impl LogId {
    /// The id's 128 bits, by which entries of both sorts have one order.
    #[must_use]
    pub const fn as_uuid(&self) -> Uuid {
        match self {
            Self::Event(id) => id.as_uuid(),
            Self::Audit(id) => id.as_uuid(),
        }
    }
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(id) => id.fmt(f),
            Self::Audit(id) => id.fmt(f),
        }
    }
}

impl FromStr for LogId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        if text.starts_with(AuditId::PREFIX) {
            return text.parse().map(Self::Audit);
        }
        text.parse().map(Self::Event)
    }
}

/// What an entry of the log tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogEvent {
    /// Something that happened to an email.
    Email(EventKind),
    /// A management call.
    Call(AuditAction),
}

impl LogEvent {
    /// The event as answers and filters write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email(kind) => kind.as_str(),
            Self::Call(action) => action.as_str(),
        }
    }
}

impl FromStr for LogEvent {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        if text.contains('.') {
            return text.parse().map(Self::Call);
        }
        text.parse().map(Self::Email)
    }
}

/// An entry of the log.
#[derive(Clone, Debug)]
pub struct LogEntry {
    /// Its id.
    pub id: LogId,
    /// When it was, by the store's clock.
    pub at: OffsetDateTime,
    /// What happened.
    pub event: LogEvent,
    /// To which email; absent for a management call.
    pub email: Option<EmailId>,
    /// To whose mail. Absent where it is about all of an email that has several recipients.
    pub to: Option<Address>,
    /// What the relay said, as one line; of a complaint its [type](crate::FeedbackType).
    pub response: Option<String>,
    /// The key that sent the email, or made the call.
    pub api_key_id: Option<ApiKeyId>,
    /// Which attempt it was; 0 before the first.
    pub attempt: Option<u32>,
    /// How long the attempt took, in milliseconds.
    pub duration_ms: Option<u32>,
    /// Where the link leads that was followed.
    pub url: Option<String>,
    /// What the management call was about.
    pub target: Option<String>,
    /// Why the management call was refused; absent: it was done.
    pub refusal: Option<String>,
}

/// Which entries a log shows; all conditions together.
#[derive(Clone, Debug, Default)]
pub struct LogFilter {
    /// Only those of this email.
    pub email: Option<EmailId>,
    /// Only those of emails that this key sent, and its management calls.
    pub api_key: Option<ApiKeyId>,
    /// Only what happened so.
    pub event: Option<LogEvent>,
    /// Only those of this recipient, and of all of an email that has it.
    pub to: Option<Address>,
    /// Only what happened at this time or later.
    pub since: Option<OffsetDateTime>,
    /// Only what happened before this time.
    pub until: Option<OffsetDateTime>,
}

impl LogFilter {
    /// Whether events of emails can fit.
    #[must_use]
    pub const fn has_events(&self) -> bool {
        !matches!(self.event, Some(LogEvent::Call(_)))
    }

    /// Whether management calls are shown: where a key or one of them is asked for, and no email.
    #[must_use]
    pub const fn has_calls(&self) -> bool {
        let wanted = match self.event {
            Some(LogEvent::Call(_)) => true,
            Some(LogEvent::Email(_)) => false,
            None => self.api_key.is_some(),
        };
        wanted && self.email.is_none() && self.to.is_none()
    }
}

/// Which events of a tenant's are followed; all conditions together.
#[derive(Clone, Copy, Debug, Default)]
pub struct EventFilter {
    /// Only those of this email.
    pub email: Option<EmailId>,
    /// Only those of this kind.
    pub kind: Option<EventKind>,
}

impl EventFilter {
    /// Whether an entry fits.
    #[must_use]
    pub fn fits(&self, entry: &LogEntry) -> bool {
        let is_of_email = self.email.is_none_or(|email| entry.email == Some(email));
        is_of_email && self.kind.is_none_or(|kind| entry.event == LogEvent::Email(kind))
    }
}

/// Events in the order in which they were committed.
#[derive(Clone, Debug)]
pub struct FollowedEvents {
    /// The events, each with the place after it.
    pub entries: Vec<(EventPosition, LogEntry)>,
    /// Whether there may be more at once.
    pub has_more: bool,
}

/// A page of the log.
#[derive(Clone, Debug)]
pub struct LogPage {
    /// Its entries. It may have fewer than were asked for though there are more.
    pub page: Page<LogEntry>,
    /// After which entry the next page begins, where there is more.
    pub next: Option<LogId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUFFIX: &str = "01h455vb4pex5vsknk084sn02q";

    #[test]
    fn an_entry_s_id_is_an_event_s_or_the_audit_log_s() {
        for (prefix, is_event) in [("evt", true), ("log", false)] {
            let text = format!("{prefix}_{SUFFIX}");
            let id: LogId = text.parse().unwrap();
            assert_eq!((id.to_string(), matches!(id, LogId::Event(_))), (text, is_event));
        }
        for text in ["msg_01h455vb4pex5vsknk084sn02q", "evt_", "log_x", "", "logevt_01h455vb4pex5vsknk084sn02q"] {
            assert!(text.parse::<LogId>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_event_is_an_email_s_or_a_call() {
        for kind in EventKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(LogEvent::Email(kind)));
        }
        for action in AuditAction::ALL {
            assert_eq!(action.as_str().parse(), Ok(LogEvent::Call(*action)));
        }
        assert!("sent".parse::<LogEvent>().is_err() && "api_key.sent".parse::<LogEvent>().is_err());
    }

    #[test]
    fn calls_are_shown_with_a_key_or_by_their_name_and_never_with_an_email() {
        let key = Some(ApiKeyId::DEFAULT);
        let call = Some(LogEvent::Call(AuditAction::KeyCreate));
        let delivered = Some(LogEvent::Email(EventKind::Delivered));
        let email: Option<EmailId> = format!("msg_{SUFFIX}").parse().ok();
        let shown = |api_key, event, email| {
            let filter = LogFilter { api_key, event, email, ..LogFilter::default() };
            (filter.has_events(), filter.has_calls())
        };
        assert_eq!(shown(None, None, None), (true, false));
        assert_eq!(shown(key, None, None), (true, true));
        assert_eq!(shown(key, delivered, None), (true, false));
        assert_eq!(shown(None, call, None), (false, true));
        assert_eq!(shown(key, None, email), (true, false));
        assert_eq!(shown(key, call, email), (false, false));
    }
}
