//! Emails as they are read back, and the log.

use selfmx_domain::{AuditAction, BounceType, EmailStatus, EventKind};
use serde_json::{Value, json};

use super::Named;
use super::feedback::feedback_type;
use super::send::{body, flag_that, priority, tag};
use super::shape::{Object, address, count, id, list, map_of, nullable, said, string, time, word};

/// All that is shown of emails.
pub(super) fn shapes() -> Vec<Named> {
    vec![("EmailSummary", summary("What a list shows of an email.").into_json()), ("Email", email()), ("LogEntry", log_entry())]
}

fn texts() -> Value {
    list(string())
}

fn summary(about: &'static str) -> Object {
    Object::new(about)
        .has("id", id("msg"))
        .has("status", word(EmailStatus::ALL.map(EmailStatus::as_str)))
        .has("from", string())
        .has("to", texts())
        .has("cc", texts())
        .has("bcc", texts())
        .has("subject", string())
        .has("tags", list(tag()))
        .has("api_key_id", id("key"))
        .has("mode", word(["live", "test"]))
        .has("created_at", time())
        .has("delivered_at", nullable(time()))
}

fn email() -> Value {
    let recipient = Object::new("One recipient, and what has become of its mail.")
        .has("address", address())
        .has("kind", word(["to", "cc", "bcc"]))
        .has("status", word(["queued", "delivered", "bounced", "failed", "suppressed", "canceled"]))
        .has("attempts", count())
        .has("last_response", nullable(string()))
        .may("bounce_type", word([BounceType::Hard.as_str(), BounceType::Soft.as_str()]))
        .may("next_attempt_at", time());
    let event = Object::new("Something that happened to the email.")
        .has("id", id("evt"))
        .has("type", word(EventKind::ALL.map(EventKind::as_str)))
        .has("to", nullable(address()))
        .has("created_at", time())
        .has("smtp_response", nullable(string()))
        .may("feedback_type", feedback_type())
        .has("attempt", count())
        .may("url", followed());
    summary("An email.")
        .has("reply_to", texts())
        .has("html", body())
        .has("text", body())
        .has("metadata", map_of(string()))
        .has("priority", priority())
        .has("template_id", nullable(id("tmpl")))
        .has("template_version", nullable(count()))
        .has("scheduled_at", nullable(time()))
        .has("recipients", list(recipient.into_json()))
        .has("events", list(event.into_json()))
        .has("purged", flag_that("Whether its bodies and its events are kept no longer."))
        .into_json()
}

/// Where a link leads.
fn followed() -> Value {
    said(string(), "Of `clicked`: where the link leads that was followed.")
}

fn log_entry() -> Value {
    let calls = AuditAction::ALL.iter().map(|action| action.as_str());
    let events: Vec<_> = EventKind::ALL.iter().map(|kind| kind.as_str()).chain(calls).collect();
    let entry = json!({"type": "string", "pattern": "^(evt|log)_[0-7][0-9a-hjkmnp-tv-z]{25}$"});
    Object::new("Something that happened to an email, or a management call of a key's.")
        .has("id", entry)
        .has("timestamp", time())
        .has("email_id", nullable(id("msg")))
        .has("event", word(events))
        .has("to", nullable(address()))
        .has("smtp_response", nullable(string()))
        .may("feedback_type", feedback_type())
        .has("api_key_id", nullable(id("key")))
        .has("attempt", nullable(count()))
        .has("duration_ms", nullable(count()))
        .may("url", followed())
        .may("target", said(string(), "What a management call was about."))
        .may("code", said(string(), "Why a management call was refused."))
        .into_json()
}
