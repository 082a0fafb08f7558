//! Webhooks: the requests that make and change them, and what is shown of them and of their deliveries.

use std::time::Duration;

use selfmx_domain::{
    DeliveryRecord, PostRecord, Webhook, WebhookChange, WebhookDeliveryId, WebhookEvents, WebhookId, WebhookSecret, WebhookState,
    WebhookUrl,
};
use serde::Serialize;

use crate::RequestError;
use crate::fields::{Field, Fields, Member};
use crate::timestamp::Timestamp;

/// For how long a former secret signs as well, in seconds, unless a request says otherwise: a day.
const GRACE: u32 = 86_400;
/// The longest that it may.
const MAX_GRACE: u32 = 30 * 86_400;
/// The most kinds of events that a request may name.
const MAX_EVENTS: usize = 100;

/// `POST /v1/webhooks` and `PUT /v1/webhooks/{id}`: `{url, events, secret?, active?}`.
#[derive(Clone, Debug)]
pub struct WriteWebhook {
    /// Where events are posted.
    pub url: WebhookUrl,
    /// Which events.
    pub events: WebhookEvents,
    /// What signs them, where the caller says it.
    pub secret: Option<WebhookSecret>,
    /// Whether they are posted; `true` unless given.
    pub active: bool,
}

impl WriteWebhook {
    /// Reads the body.
    ///
    /// # Errors
    ///
    /// [`RequestError`] names the field that is unknown, missing or wrong.
    pub fn read(body: &[u8]) -> Result<Self, RequestError> {
        let mut fields = Fields::of_body(body)?;
        let (url, events) = (fields.take("url"), fields.take("events"));
        let (secret, active) = (fields.take("secret"), fields.take("active"));
        fields.end()?;
        Ok(Self {
            url: url.required()?.parsed()?,
            events: kinds(events.required()?)?,
            secret: secret.optional(Field::parsed)?,
            active: active.optional(Field::boolean)?.unwrap_or(true),
        })
    }
}

/// To put a webhook in the place of the one that is there; its secret stays unless another is given.
impl From<WriteWebhook> for WebhookChange {
    fn from(WriteWebhook { url, events, secret, active }: WriteWebhook) -> Self {
        Self { url: Some(url), events: Some(events), active: Some(active), secret }
    }
}

/// `PATCH /v1/webhooks/{id}`: what is not said stays.
#[derive(Clone, Debug)]
pub struct UpdateWebhook(WebhookChange);

impl UpdateWebhook {
    /// Reads the body.
    ///
    /// # Errors
    ///
    /// [`RequestError`] names the field that is unknown or wrong.
    pub fn read(body: &[u8]) -> Result<Self, RequestError> {
        let mut fields = Fields::of_body(body)?;
        let (url, events) = (fields.take("url"), fields.take("events"));
        let (secret, active) = (fields.take("secret"), fields.take("active"));
        fields.end()?;
        Ok(Self(WebhookChange {
            url: url.replacement(Field::parsed)?,
            events: events.replacement(kinds)?,
            active: active.replacement(Field::boolean)?,
            secret: secret.replacement(Field::parsed)?,
        }))
    }
}

impl From<UpdateWebhook> for WebhookChange {
    fn from(request: UpdateWebhook) -> Self {
        request.0
    }
}

/// `POST /v1/webhooks/{id}/rotate-secret`: `{grace_period_seconds?}`.
#[derive(Clone, Copy, Debug)]
pub struct RotateWebhookSecret {
    /// For how long the former secret signs as well.
    pub grace: Duration,
}

impl RotateWebhookSecret {
    /// Reads the body. Without a body, or without the field, it is a day.
    ///
    /// # Errors
    ///
    /// [`RequestError`] names the field that is unknown or wrong.
    pub fn read(body: &[u8]) -> Result<Self, RequestError> {
        let grace = if body.is_empty() { None } else { grace(Fields::of_body(body)?)? };
        Ok(Self { grace: Duration::from_secs(grace.unwrap_or(GRACE).into()) })
    }
}

fn grace(mut fields: Fields<'_>) -> Result<Option<u32>, RequestError> {
    let grace: Member<'_> = fields.take("grace_period_seconds");
    fields.end()?;
    grace.optional(|field| field.integer(0..=MAX_GRACE))
}

fn kinds(field: Field<'_>) -> Result<WebhookEvents, RequestError> {
    let kinds = field.each_of(MAX_EVENTS, Field::parsed)?;
    WebhookEvents::new(kinds).map_err(|problem| problem.at("events").into())
}

/// A webhook.
#[derive(Debug, Serialize)]
pub struct WebhookView<'a> {
    id: String,
    url: &'a str,
    events: Vec<&'static str>,
    active: bool,
    disabled_reason: Option<&'static str>,
    disabled_at: Option<Timestamp>,
    previous_secret_until: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl<'a> From<&'a Webhook> for WebhookView<'a> {
    fn from(webhook: &'a Webhook) -> Self {
        let disabled = match webhook.state {
            WebhookState::Disabled { fault, at } => Some((fault.as_str(), Timestamp(at))),
            WebhookState::Active | WebhookState::Inactive => None,
        };
        let (disabled_reason, disabled_at) = disabled.unzip();
        Self {
            id: webhook.id.to_string(),
            url: webhook.url.as_str(),
            events: webhook.events.iter().map(|kind| kind.as_str()).collect(),
            active: webhook.state == WebhookState::Active,
            disabled_reason,
            disabled_at,
            previous_secret_until: webhook.previous_secret_until.map(Timestamp),
            created_at: Timestamp(webhook.created_at),
            updated_at: Timestamp(webhook.updated_at),
        }
    }
}

/// A webhook with its secret, which is shown when it is made and when it is rotated, and never again.
#[derive(Serialize)]
pub struct WebhookSecretShown<'a> {
    #[serde(flatten)]
    webhook: WebhookView<'a>,
    secret: &'a str,
}

impl<'a> WebhookSecretShown<'a> {
    /// The webhook and its present secret.
    #[must_use]
    pub fn new(webhook: &'a Webhook, secret: &'a WebhookSecret) -> Self {
        Self { webhook: webhook.into(), secret: secret.reveal() }
    }
}

/// A webhook that is gone: `{id, deleted: true}`.
#[derive(Debug, Serialize)]
pub struct WebhookDeleted {
    id: String,
    deleted: bool,
}

impl WebhookDeleted {
    /// The answer for a webhook that is there no more.
    #[must_use]
    pub fn new(id: WebhookId) -> Self {
        Self { id: id.to_string(), deleted: true }
    }
}

/// A delivery that was asked for: `{id, status: "pending"}`.
#[derive(Debug, Serialize)]
pub struct DeliveryQueued {
    id: String,
    status: &'static str,
}

impl DeliveryQueued {
    /// The answer for a delivery that is queued.
    #[must_use]
    pub fn new(id: WebhookDeliveryId) -> Self {
        Self { id: id.to_string(), status: "pending" }
    }
}

/// A delivery of an event to a webhook, with every attempt.
#[derive(Debug, Serialize)]
pub struct DeliveryView<'a> {
    id: String,
    event_id: String,
    event: Option<&'a str>,
    email_id: Option<String>,
    status: &'a str,
    next_attempt_at: Option<Timestamp>,
    created_at: Timestamp,
    attempts: Vec<PostView<'a>>,
}

#[derive(Debug, Serialize)]
struct PostView<'a> {
    attempt: u32,
    timestamp: Timestamp,
    status: Option<u16>,
    error: Option<&'a str>,
    response: Option<&'a str>,
    duration_ms: u32,
}

impl<'a> From<&'a DeliveryRecord> for DeliveryView<'a> {
    fn from(delivery: &'a DeliveryRecord) -> Self {
        Self {
            id: delivery.id.to_string(),
            event_id: delivery.event_id.to_string(),
            event: delivery.kind.as_deref(),
            email_id: delivery.email_id.map(|id| id.to_string()),
            status: &delivery.status,
            next_attempt_at: delivery.next_attempt_at.map(Timestamp),
            created_at: Timestamp(delivery.created_at),
            attempts: delivery.attempts.iter().map(PostView::from).collect(),
        }
    }
}

impl<'a> From<&'a PostRecord> for PostView<'a> {
    fn from(post: &'a PostRecord) -> Self {
        Self {
            attempt: post.attempt,
            timestamp: Timestamp(post.at),
            status: post.status,
            error: post.error.as_deref(),
            response: post.answer.as_deref(),
            duration_ms: post.duration_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use selfmx_domain::{Problem, WebhookEvent};

    use super::*;

    const BODY: &str = r#"{"url": "https://hooks.example/in", "events": ["delivered", "bounced", "delivered"]}"#;

    #[test]
    fn a_webhook_has_a_url_and_events_and_the_rest_is_usual() {
        let read = WriteWebhook::read(BODY.as_bytes()).unwrap();
        assert_eq!((read.url.as_str(), read.active, read.secret.is_none()), ("https://hooks.example/in", true, true));
        assert_eq!(read.events.iter().collect::<Vec<_>>(), [WebhookEvent::Delivered, WebhookEvent::Bounced]);
        for (from, to, field) in [
            ("\"https://hooks.example/in\"", "\"ftp://hooks.example\"", "url"),
            ("\"https://hooks.example/in\"", "null", "url"),
            ("[\"delivered\", \"bounced\", \"delivered\"]", "[]", "events"),
            ("\"bounced\"", "\"deferred\"", "events[1]"),
            ("}", ", \"secret\": \"short\"}", "secret"),
            ("}", ", \"active\": 1}", "active"),
            ("}", ", \"colour\": 1}", "colour"),
        ] {
            let body = BODY.replacen(from, to, 1);
            assert_eq!(WriteWebhook::read(body.as_bytes()).unwrap_err().field(), Some(field), "{body}");
        }
        assert!(WriteWebhook::read(BODY.replace("bounced", "deferred").as_bytes()).unwrap_err().to_string().contains("suppressed"));
    }

    #[test]
    fn a_change_says_what_it_says() {
        let change: WebhookChange = UpdateWebhook::read(br#"{"active": false}"#).unwrap().into();
        assert!(change.active == Some(false) && change.url.is_none() && change.events.is_none() && change.secret.is_none());
        assert_eq!(UpdateWebhook::read(br#"{"events": []}"#).unwrap_err(), Problem::Empty.at("events").into());
        let rotate = |body: &str| RotateWebhookSecret::read(body.as_bytes()).map(|read| read.grace.as_secs());
        assert_eq!((rotate(""), rotate("{}"), rotate(r#"{"grace_period_seconds": 0}"#)), (Ok(86_400), Ok(86_400), Ok(0)));
        assert!(rotate(r#"{"grace_period_seconds": 2592001}"#).is_err());
    }
}
