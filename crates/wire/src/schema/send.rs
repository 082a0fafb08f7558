//! Sending.

use selfmx_domain::EmailStatus;
use serde_json::{Value, json};

use super::Named;
use super::shape::{
    NO_CONTROLS, Object, always, count, flag, formed, id, list, mailbox, map_of, named, nullable, one_or_many, said, some, string, text,
    text_of, time, with, word,
};
use crate::SendBatch;

/// All that is sent and what is told of it.
pub(super) fn shapes() -> Vec<Named> {
    let batch = Object::new("Several emails.").has("emails", some(SendBatch::MOST, named("SendEmail")));
    let reschedule = Object::new("A new time for a scheduled email.").has("scheduled_at", said(time(), "Up to 30 days ahead."));
    vec![
        ("SendEmail", email()),
        ("SendBatch", batch.into_json()),
        ("RescheduleEmail", reschedule.into_json()),
        ("EmailAccepted", accepted("An email that was accepted, put off or called off.").into_json()),
        ("BatchAccepted", of_batch()),
    ]
}

/// A tag: a string, or a name and a value.
pub(super) fn tag() -> Value {
    let word = || json!({"type": "string", "pattern": "^[A-Za-z0-9_-]{1,256}$"});
    let pair = Object::new("").has("name", word()).has("value", word());
    json!({"anyOf": [word(), pair.into_json()]})
}

/// The words for what is sent first.
pub(super) fn priority() -> Value {
    word(["high", "normal", "low"])
}

fn email() -> Value {
    let attachment = Object::new("A file. With a `content_id` it is inline.")
        .has("filename", text_of(1, 255, "Without `/` and `\\`."))
        .has("content", said(json!({"type": "string", "contentEncoding": "base64"}), "Its content in base64."))
        .option("content_type", text("A media type; guessed from the name unless given."))
        .option("content_id", text_of(1, 250, "What `cid:` names in the HTML."));
    let header = json!({"type": "object", "additionalProperties": {"type": "string"}});
    let data = json!({"type": "object"});
    let shape = Object::new("An email. At least one of `text` and `html` is needed, or a template, which then gives both.")
        .option("from", said(mailbox(), "Required unless the template or the tenant's settings say it."))
        .has("to", one_or_many(mailbox()))
        .option("cc", one_or_many(mailbox()))
        .option("bcc", one_or_many(mailbox()))
        .option("reply_to", one_or_many(mailbox()))
        .option("subject", formed(text_of(1, 998, "No control characters. Required unless there is a template."), NO_CONTROLS))
        .option("text", text("The body as text."))
        .option("html", text("The body as HTML. Alone, a text part is made of it."))
        .option("template_id", text("The id or the name of the template that says what is not said here."))
        .option("template_data", said(data, "What the template's variables stand for."))
        .option("headers", said(header, "Further header fields, but for those that the server writes."))
        .option("attachments", list(attachment.into_json()))
        .option("tags", json!({"type": "array", "items": tag(), "maxItems": 10}))
        .option("metadata", said(map_of(string()), "Up to 50 strings of 8 KiB together, to be found again."))
        .option("priority", priority())
        .option("scheduled_at", said(time(), "When to send it, up to 30 days ahead."))
        .into_json();
    // `null` is not there.
    let given = |name: &str| json!({"required": [name], "properties": {name: string()}});
    with(shape, "anyOf", json!([given("subject"), given("template_id")]))
}

fn accepted(about: &'static str) -> Object {
    Object::new(about)
        .has("id", id("msg"))
        .has("status", word(EmailStatus::ALL.map(EmailStatus::as_str)))
        .has("created_at", time())
        .may("scheduled_at", time())
}

fn of_batch() -> Value {
    let reason = Object::new("").has("code", named("ErrorCode")).has("message", string()).has("field", string());
    let refused = Object::new("An email that was not accepted.").has("index", count()).has("error", reason.into_json());
    let taken = Object::new("").has("index", count()).and(accepted(""));
    Object::new("What has become of a batch: `errors` is there with `mode=permissive` alone.")
        .has("data", list(taken.into_json()))
        .may("errors", list(refused.into_json()))
        .into_json()
}

/// Something that is gone, by its id.
pub(super) fn deleted(prefix: &str) -> Value {
    Object::new("It is gone.").has("id", id(prefix)).has("deleted", always(true)).into_json()
}

/// What is shown of tags, and of texts that may not be there.
pub(super) fn body() -> Value {
    nullable(string())
}

/// Yes or no, of which this is to be said.
pub(super) fn flag_that(about: &str) -> Value {
    said(flag(), about)
}
