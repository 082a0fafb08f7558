//! Emails as they are read back: in a list, and whole.

use std::collections::BTreeMap;

use selfmx_domain::{Email, EmailEvent, EmailSummary, EventKind, Mailbox, RecipientKind, RecipientRecord, RecipientState, Tag};
use serde::Serialize;

use crate::timestamp::Timestamp;

/// What a list shows of an email.
#[derive(Debug, Serialize)]
pub struct EmailSummaryView<'a> {
    id: String,
    status: &'static str,
    from: String,
    to: Vec<String>,
    cc: Vec<String>,
    bcc: Vec<String>,
    subject: &'a str,
    tags: Vec<TagView<'a>>,
    api_key_id: String,
    mode: &'static str,
    created_at: Timestamp,
    delivered_at: Option<Timestamp>,
}

/// All that is shown of an email.
#[derive(Debug, Serialize)]
pub struct EmailView<'a> {
    #[serde(flatten)]
    summary: EmailSummaryView<'a>,
    reply_to: Vec<String>,
    html: Option<&'a str>,
    text: Option<&'a str>,
    metadata: &'a BTreeMap<String, String>,
    priority: &'static str,
    /// The template that it was made from, and the version that it had then.
    template_id: Option<String>,
    template_version: Option<u32>,
    /// When it is, or was, to be sent, if not at once.
    scheduled_at: Option<Timestamp>,
    recipients: Vec<RecipientView<'a>>,
    events: Vec<EventView<'a>>,
    /// Whether its bodies and its events are kept no longer.
    purged: bool,
}

/// A tag as it was given: a string, or `{name, value}`.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum TagView<'a> {
    Name(&'a str),
    Pair { name: &'a str, value: &'a str },
}

#[derive(Debug, Serialize)]
struct RecipientView<'a> {
    address: String,
    kind: &'static str,
    status: &'static str,
    attempts: u32,
    last_response: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bounce_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_attempt_at: Option<Timestamp>,
}

#[derive(Debug, Serialize)]
struct EventView<'a> {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    to: Option<String>,
    created_at: Timestamp,
    smtp_response: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    feedback_type: Option<&'a str>,
    attempt: u32,
    /// Where the link leads that was followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
}

impl<'a> From<&'a EmailSummary> for EmailSummaryView<'a> {
    fn from(email: &'a EmailSummary) -> Self {
        let of = |kind: RecipientKind| texts(email.recipients.iter().filter(|(of, _)| *of == kind).map(|(_, mailbox)| mailbox));
        Self {
            id: email.id.to_string(),
            status: email.status.as_str(),
            from: email.from.to_string(),
            to: of(RecipientKind::To),
            cc: of(RecipientKind::Cc),
            bcc: of(RecipientKind::Bcc),
            subject: &email.subject,
            tags: email.tags.iter().map(TagView::from).collect(),
            api_key_id: email.api_key_id.to_string(),
            mode: email.mode.as_str(),
            created_at: Timestamp(email.created_at),
            delivered_at: email.delivered_at.map(Timestamp),
        }
    }
}

impl<'a> From<&'a Email> for EmailView<'a> {
    fn from(email: &'a Email) -> Self {
        Self {
            summary: (&email.summary).into(),
            reply_to: texts(&email.reply_to),
            html: email.html.as_deref(),
            text: email.text.as_deref(),
            metadata: email.metadata.entries(),
            priority: email.priority.as_str(),
            template_id: email.template.map(|template| template.id.to_string()),
            template_version: email.template.map(|template| template.version),
            scheduled_at: email.scheduled_at.map(Timestamp),
            recipients: email.recipients.iter().map(RecipientView::from).collect(),
            events: email.events.iter().map(EventView::from).collect(),
            purged: email.purged,
        }
    }
}

impl<'a> From<&'a Tag> for TagView<'a> {
    fn from(tag: &'a Tag) -> Self {
        match tag.value() {
            Some(value) => Self::Pair { name: tag.name(), value },
            None => Self::Name(tag.name()),
        }
    }
}

impl<'a> From<&'a RecipientRecord> for RecipientView<'a> {
    fn from(recipient: &'a RecipientRecord) -> Self {
        let bounce_type = match &recipient.state {
            RecipientState::Bounced { bounce, .. } => Some(bounce.as_str()),
            _ => None,
        };
        Self {
            address: recipient.address.to_string(),
            kind: recipient.kind.as_str(),
            status: recipient.state.as_str(),
            attempts: recipient.state.attempts(),
            last_response: recipient.last_response.as_deref(),
            bounce_type,
            next_attempt_at: recipient.next_attempt_at.map(Timestamp),
        }
    }
}

impl<'a> From<&'a EmailEvent> for EventView<'a> {
    fn from(event: &'a EmailEvent) -> Self {
        let is_complaint = event.kind == EventKind::Complained;
        Self {
            id: event.id.to_string(),
            kind: event.kind.as_str(),
            to: event.recipient.as_ref().map(ToString::to_string),
            created_at: Timestamp(event.at),
            smtp_response: event.response.as_deref().filter(|_| !is_complaint),
            feedback_type: event.response.as_deref().filter(|_| is_complaint),
            attempt: event.attempt,
            url: event.url.as_deref(),
        }
    }
}

fn texts<'a>(mailboxes: impl IntoIterator<Item = &'a Mailbox>) -> Vec<String> {
    mailboxes.into_iter().map(Mailbox::to_string).collect()
}

#[cfg(test)]
mod tests {
    use selfmx_domain::{ApiKeyId, BounceType, EmailStatus, Metadata, Mode, Priority, Reply, TemplateUsed};
    use time::macros::datetime;

    use super::*;

    fn email() -> Email {
        let reply = Reply::new(550, None, "no such user");
        Email {
            summary: EmailSummary {
                id: "msg_01h455vb4pex5vsknk084sn02q".parse().unwrap(),
                status: EmailStatus::Bounced,
                from: "Shop <shop@x.example>".parse().unwrap(),
                recipients: vec![
                    (RecipientKind::To, "a@x.example".parse().unwrap()),
                    (RecipientKind::Bcc, "B <b@x.example>".parse().unwrap()),
                ],
                subject: "s".to_owned(),
                tags: vec!["welcome".parse().unwrap(), Tag::with_value("kind", "mail").unwrap()],
                api_key_id: ApiKeyId::DEFAULT,
                mode: Mode::Live,
                created_at: datetime!(2026-01-02 03:04 UTC),
                delivered_at: None,
            },
            reply_to: vec!["r@x.example".parse().unwrap()],
            text: Some("t".to_owned()),
            html: None,
            metadata: Metadata::new(BTreeMap::from([("order".to_owned(), "7".to_owned())])).unwrap(),
            priority: Priority::Normal,
            template: Some(TemplateUsed { id: "tmpl_01h455vb4pex5vsknk084sn02q".parse().unwrap(), version: 7 }),
            scheduled_at: Some(datetime!(2026-01-02 04:00 UTC)),
            recipients: vec![RecipientRecord {
                address: "a@x.example".parse().unwrap(),
                kind: RecipientKind::To,
                last_response: Some(reply.to_string()),
                state: RecipientState::Bounced { attempts: 1, bounce: BounceType::Hard, reply },
                next_attempt_at: None,
            }],
            events: vec![EmailEvent {
                id: "evt_01h455vb4pex5vsknk084sn02q".parse().unwrap(),
                kind: EventKind::Queued,
                recipient: None,
                at: datetime!(2026-01-02 03:04 UTC),
                response: None,
                attempt: 0,
                url: None,
            }],
            purged: false,
        }
    }

    #[test]
    fn an_email_is_shown_with_every_field_of_the_contract() {
        let shown = serde_json::to_value(EmailView::from(&email())).unwrap();
        assert_eq!(
            shown,
            serde_json::json!({
                "id": "msg_01h455vb4pex5vsknk084sn02q", "status": "bounced", "from": "Shop <shop@x.example>", "to": ["a@x.example"], "cc": [],
                "bcc": ["B <b@x.example>"], "reply_to": ["r@x.example"], "subject": "s", "html": null, "text": "t",
                "tags": ["welcome", {"name": "kind", "value": "mail"}], "metadata": {"order": "7"}, "priority": "normal", "mode": "live",
                "template_id": "tmpl_01h455vb4pex5vsknk084sn02q", "template_version": 7, "scheduled_at": "2026-01-02T04:00:00.000Z", "api_key_id": "key_default", "created_at": "2026-01-02T03:04:00.000Z",
                "delivered_at": null,
                "recipients": [{"address": "a@x.example", "kind": "to", "status": "bounced", "attempts": 1,
                    "last_response": "550 no such user", "bounce_type": "hard"}],
                "events": [{"id": "evt_01h455vb4pex5vsknk084sn02q", "type": "queued", "to": null, "created_at": "2026-01-02T03:04:00.000Z",
                    "smtp_response": null, "attempt": 0}], "purged": false
            })
        );
    }

    #[test]
    fn a_list_shows_no_bodies() {
        let shown = serde_json::to_value(EmailSummaryView::from(&email().summary)).unwrap();
        assert!(shown.get("text").is_none() && shown.get("html").is_none() && shown["id"].is_string());
    }
}
