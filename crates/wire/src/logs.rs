//! The log as it is shown.

use selfmx_domain::{EventKind, LogEntry, LogEvent};
use serde::Serialize;

use crate::timestamp::Timestamp;

/// An entry of the log.
#[derive(Debug, Serialize)]
pub struct LogView<'a> {
    id: String,
    timestamp: Timestamp,
    email_id: Option<String>,
    event: &'static str,
    to: Option<String>,
    smtp_response: Option<&'a str>,
    /// What a complaint is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    feedback_type: Option<&'a str>,
    api_key_id: Option<String>,
    attempt: Option<u32>,
    duration_ms: Option<u32>,
    /// Where the link leads that was followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    /// What a management call was about.
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'a str>,
    /// Why a management call was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
}

impl<'a> From<&'a LogEntry> for LogView<'a> {
    fn from(entry: &'a LogEntry) -> Self {
        let is_complaint = entry.event == LogEvent::Email(EventKind::Complained);
        Self {
            id: entry.id.to_string(),
            timestamp: Timestamp(entry.at),
            email_id: entry.email.map(|id| id.to_string()),
            event: entry.event.as_str(),
            to: entry.to.as_ref().map(ToString::to_string),
            smtp_response: entry.response.as_deref().filter(|_| !is_complaint),
            feedback_type: entry.response.as_deref().filter(|_| is_complaint),
            api_key_id: entry.api_key_id.map(|id| id.to_string()),
            attempt: entry.attempt,
            duration_ms: entry.duration_ms,
            url: entry.url.as_deref(),
            target: entry.target.as_deref(),
            code: entry.refusal.as_deref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use selfmx_domain::{ApiKeyId, AuditAction, LogId};
    use serde_json::json;
    use time::macros::datetime;

    use super::*;

    fn entry() -> LogEntry {
        LogEntry {
            id: LogId::Event("evt_01h455vb4pex5vsknk084sn02q".parse().unwrap()),
            at: datetime!(2026-01-02 03:04 UTC),
            event: LogEvent::Email(EventKind::Delivered),
            email: Some("msg_01h455vb4pex5vsknk084sn02q".parse().unwrap()),
            to: Some("a@x.example".parse().unwrap()),
            response: Some("250 2.0.0 taken".to_owned()),
            api_key_id: Some(ApiKeyId::DEFAULT),
            attempt: Some(1),
            duration_ms: Some(12),
            url: None,
            target: None,
            refusal: None,
        }
    }

    #[test]
    fn an_event_is_shown_with_every_field_of_the_contract() {
        let expected = json!({
            "id": "evt_01h455vb4pex5vsknk084sn02q", "timestamp": "2026-01-02T03:04:00.000Z", "email_id": "msg_01h455vb4pex5vsknk084sn02q",
            "event": "delivered", "to": "a@x.example", "smtp_response": "250 2.0.0 taken", "api_key_id": "key_default", "attempt": 1,
            "duration_ms": 12,
        });
        assert_eq!(serde_json::to_value(LogView::from(&entry())).unwrap(), expected);
    }

    #[test]
    fn a_complaint_has_a_type_and_no_response() {
        let complaint = LogEntry { event: LogEvent::Email(EventKind::Complained), response: Some("abuse".to_owned()), ..entry() };
        let shown = serde_json::to_value(LogView::from(&complaint)).unwrap();
        assert_eq!((&shown["feedback_type"], &shown["smtp_response"]), (&json!("abuse"), &json!(null)));
    }

    #[test]
    fn a_followed_link_is_shown() {
        let url = Some("https://a.example/".to_owned());
        let shown = serde_json::to_value(LogView::from(&LogEntry { event: LogEvent::Email(EventKind::Clicked), url, ..entry() })).unwrap();
        assert_eq!((&shown["event"], &shown["url"]), (&json!("clicked"), &json!("https://a.example/")));
    }

    #[test]
    fn a_management_call_is_shown_with_what_it_was_about_and_how_it_ended() {
        let call = LogEntry {
            event: LogEvent::Call(AuditAction::KeyRevoke),
            target: Some("key_x".to_owned()),
            refusal: Some("conflict".to_owned()),
            email: None,
            ..entry()
        };
        let shown = serde_json::to_value(LogView::from(&call)).unwrap();
        assert_eq!((&shown["event"], &shown["target"], &shown["code"]), (&json!("api_key.revoke"), &json!("key_x"), &json!("conflict")));
        assert_eq!(shown["email_id"], json!(null));
    }
}
