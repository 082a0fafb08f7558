//! Webhooks.

use selfmx_domain::{WebhookEvent, WebhookFault, WebhookUrl};
use serde_json::{Value, json};

use super::Named;
use super::send::{deleted, flag_that};
use super::shape::{Object, always, count, formed, id, list, nullable, number, said, string, text, time, with, word};

/// All that is asked and shown of webhooks.
pub(super) fn shapes() -> Vec<Named> {
    let rotate = Object::new("A new secret.")
        .option("grace_period_seconds", said(number(0, 30 * 86_400), "For how long the former one signs as well; a day unless given."));
    let with_secret = shown().has("secret", text("What signs its posts: shown now, and never again."));
    let queued = Object::new("A delivery that is queued.").has("id", id("whd")).has("status", always("pending"));
    vec![
        ("WriteWebhook", Object::new("A webhook.").has("url", url()).has("events", events()).and(rest()).into_json()),
        (
            "UpdateWebhook",
            Object::new("What changes. What is not said stays.")
                .may("url", url())
                .may("events", events())
                .may("secret", secret())
                .may("active", active())
                .into_json(),
        ),
        ("RotateWebhookSecret", rotate.into_json()),
        ("Webhook", shown().into_json()),
        ("WebhookWithSecret", with_secret.into_json()),
        ("WebhookDeleted", deleted("wh")),
        ("DeliveryQueued", queued.into_json()),
        ("Delivery", delivery()),
    ]
}

fn rest() -> Object {
    Object::new("").option("secret", secret()).option("active", active())
}

fn url() -> Value {
    let about = text(
        "An `http` or `https` URL without a user and a fragment. Its host has to be at a public address unless the operator allows others.",
    );
    formed(with(about, "maxLength", WebhookUrl::MAX_OCTETS.into()), "^[Hh][Tt][Tt][Pp][Ss]?://[^/?#]")
}

fn kind() -> Value {
    word(WebhookEvent::ALL.map(WebhookEvent::as_str))
}

fn events() -> Value {
    json!({"type": "array", "items": kind(), "minItems": 1, "maxItems": 100})
}

fn secret() -> Value {
    formed(text("`whsec_` and base64 of 24 to 64 octets; made by the server unless given."), "^whsec_[A-Za-z0-9+/]{32,86}={0,2}$")
}

fn active() -> Value {
    flag_that("Whether events are posted. `true` gives one that the server has disabled another chance.")
}

fn shown() -> Object {
    Object::new("A webhook.")
        .has("id", id("wh"))
        .has("url", string())
        .has("events", list(kind()))
        .has("active", flag_that("Whether events are posted."))
        .has("disabled_reason", nullable(word([WebhookFault::Gone.as_str(), WebhookFault::Failing.as_str()])))
        .has("disabled_at", nullable(time()))
        .has("previous_secret_until", nullable(time()))
        .has("created_at", time())
        .has("updated_at", time())
}

fn delivery() -> Value {
    let attempt = Object::new("One attempt to post.")
        .has("attempt", count())
        .has("timestamp", time())
        .has("status", nullable(count()))
        .has("error", nullable(string()))
        .has("response", nullable(string()))
        .has("duration_ms", count());
    Object::new("An event on its way to a webhook, with every attempt.")
        .has("id", id("whd"))
        .has("event_id", id("evt"))
        .has("event", nullable(string()))
        .has("email_id", nullable(id("msg")))
        .has("status", word(["pending", "delivered", "failed", "canceled"]))
        .has("next_attempt_at", nullable(time()))
        .has("created_at", time())
        .has("attempts", list(attempt.into_json()))
        .into_json()
}
