//! API keys.

use selfmx_auth::Permission;
use selfmx_domain::RateLimit;
use serde_json::{Value, json};

use super::Named;
use super::send::flag_that;
use super::shape::{Object, always, count, flag, formed, id, list, name, named, nullable, number, said, some, string, text, time, word};

/// The most members of a list of a key's.
const MOST: usize = 100;

/// All that is asked and shown of keys.
pub(super) fn shapes() -> Vec<Named> {
    let permission =
        said(word(Permission::ALL.iter().map(|permission| permission.as_str())), "What a key may do. None implies another; `*` holds all.");
    let rotate = Object::new("How the secret is replaced.").option(
        "grace_period_seconds",
        said(number(0, 2_592_000), "For so long the former secret is valid beside the new one; 0 unless given."),
    );
    let revoked = Object::new("The key is valid no more.").has("id", id("key")).has("revoked", always(true));
    let shown = |about| Object::new(about).has("id", id("key")).has("name", string());
    let created = shown("A key with its secret, which is shown this once.").has("key", text("The secret."));
    vec![
        ("Permission", permission),
        ("CreateKey", create()),
        ("UpdateKey", update()),
        ("RotateKey", rotate.into_json()),
        ("Key", shown("An API key, without its secret.").and(rest()).into_json()),
        ("KeyCreated", created.and(rest()).into_json()),
        ("KeyRevoked", revoked.into_json()),
        ("Me", me(shown("Who asks, and what is left of its limits.").and(rest()))),
    ]
}

fn permissions() -> Value {
    json!({"type": "array", "items": named("Permission"), "minItems": 1})
}

fn ips() -> Value {
    some(MOST, formed(text("An address or a range, such as `192.0.2.0/24`."), "^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$"))
}

fn senders() -> Value {
    some(MOST, formed(text("`shop@yourdomain.example`, or `@yourdomain.example` for all of it."), "@[^@]"))
}

fn templates() -> Value {
    some(MOST, id("tmpl"))
}

fn rate() -> Value {
    let requests = said(number(0, RateLimit::MAX_PER_MINUTE.into()), "0: no limit.");
    Object::new("").has("requests_per_minute", requests).into_json()
}

fn create() -> Value {
    Object::new("A key to make. What is not said is as it is for the key that makes it.")
        .has("name", name("What people call it."))
        .has("permissions", permissions())
        .option("tenant_id", id("tenant"))
        .option("mode", word(["live", "test"]))
        .option("expires_at", time())
        .option("allowed_ips", ips())
        .option("allowed_senders", senders())
        .option("allowed_templates", templates())
        .option("rate_limit", rate())
        .into_json()
}

fn update() -> Value {
    Object::new("What changes. What is not said stays; `null` lifts a bound.")
        .may("name", name("What people call it."))
        .may("permissions", permissions())
        .option("expires_at", time())
        .option("allowed_ips", ips())
        .option("allowed_senders", senders())
        .option("allowed_templates", templates())
        .option("rate_limit", rate())
        .may("enabled", flag_that("`false` switches the key off."))
        .into_json()
}

fn rest() -> Object {
    let last = Object::new("").has("address", nullable(string())).has("user_agent", nullable(string()));
    Object::new("")
        .has("permissions", list(named("Permission")))
        .may("tenant_id", id("tenant"))
        .has("mode", word(["live", "test"]))
        .has("enabled", flag())
        .may("hint", text("The last characters of the secret."))
        .has("source", word(["environment", "created"]))
        .has("last_used_at", nullable(time()))
        .may("last_used_from", last.into_json())
        .has("created_at", time())
        .may("created_by", string())
        .may("expires_at", time())
        .may("revoked_at", time())
        .may("previous_secret_until", time())
        .may("allowed_ips", list(string()))
        .may("allowed_senders", list(string()))
        .may("allowed_templates", list(id("tmpl")))
        .may("rate_limit", rate())
}

fn me(key: Object) -> Value {
    let limit = || {
        let left = Object::new("").has("limit", count()).has("remaining", count()).has("resets_at", time());
        nullable(left.into_json())
    };
    let limits = Object::new("`null`: no limit.").has("requests", limit()).has("emails_per_day", limit());
    key.has("acts_for", id("tenant")).has("limits", limits.into_json()).into_json()
}
