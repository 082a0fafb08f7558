//! Tenants.

use selfmx_domain::{DisplayName, RateLimit};
use serde_json::{Value, json};

use super::Named;
use super::send::deleted;
use super::shape::{
    NO_CONTROLS, Object, address, always, count, flag, formed, id, mailbox, name, number, said, string, text, text_of, time, word,
};
use crate::tenants::MAX_PER_DAY;

/// The longest name in DNS, as it may be written before it is converted.
const MOST: usize = 4096;

/// All that is asked and shown of tenants.
pub(super) fn shapes() -> Vec<Named> {
    let create = asked("A tenant to make.", Object::has);
    let update = asked("What changes (RFC 7396): what is not said stays, and `null` takes away.", Object::may);
    vec![("CreateTenant", create), ("UpdateTenant", update), ("Tenant", tenant()), ("TenantDeleted", deleted("tenant")), ("Usage", usage())]
}

/// A tenant to make or to change: `needed` says whether what one cannot be without has to be there.
fn asked(about: &'static str, needed: fn(Object, &'static str, Value) -> Object) -> Value {
    let tracking = Object::new("What of its HTML mail is tracked; nothing unless given.")
        .option("opens", said(flag(), "Whether opens are told."))
        .option("clicks", said(flag(), "Whether followed links are told."))
        .into_json();
    let settings = Object::new("What its mail says where the request does not.")
        .option("from_name", formed(text_of(1, DisplayName::MAX_CHARACTERS, "The sender's name."), NO_CONTROLS))
        .option("from_address", address())
        .option("reply_to", mailbox())
        .option("tracking", tracking);
    let limits = Object::new("")
        .option("requests_per_minute", per_minute())
        .option("emails_per_day", said(number(0, MAX_PER_DAY.into()), "0: no limit."));
    let relay = needed(Object::new("Its own relay."), "host", text_of(1, 255, "A host name or an IP address."))
        .option("port", said(number(1, 65_535), "587 unless given; 465: TLS from the start."))
        .option("user", text_of(1, 256, "With `pass`, or neither."))
        .option("pass", text_of(1, 1024, "Write-only."))
        .option("tls", said(flag(), "`true` unless given."));
    let dkim = needed(
        needed(Object::new("Its own DKIM key."), "domain", text_of(1, MOST, "What signs.")),
        "selector",
        text_of(1, MOST, "The key's name in DNS."),
    );
    let dkim = needed(dkim, "key", text("A private key in PEM. Write-only."));
    needed(Object::new(about), "name", name("What people call it."))
        .option("domain", text_of(1, MOST, "The domain that its mail has to come from."))
        .option("settings", settings.into_json())
        .option("rate_limit", limits.into_json())
        .option("smtp", relay.into_json())
        .option("dkim", dkim.into_json())
        .into_json()
}

fn per_minute() -> Value {
    said(number(0, RateLimit::MAX_PER_MINUTE.into()), "For all its keys together; 0: no limit.")
}

fn tenant() -> Value {
    let tracking = Object::new("").has("opens", flag()).has("clicks", flag()).into_json();
    let settings =
        Object::new("").may("from_name", string()).may("from_address", string()).may("reply_to", string()).may("tracking", tracking);
    let relay = Object::new("")
        .has("host", string())
        .has("port", number(1, 65_535))
        .may("user", string())
        .has("tls", flag())
        .has("has_pass", flag());
    let record = Object::new("What its domain has to publish.").has("type", always("TXT")).has("name", string()).has("value", string());
    let dkim = Object::new("").has("domain", string()).has("selector", string()).has("algorithm", word(["rsa-sha256", "ed25519-sha256"]));
    let limits = Object::new("").may("requests_per_minute", count()).may("emails_per_day", count());
    Object::new("A tenant. What is not set is not shown.")
        .has("id", id("tenant"))
        .has("name", string())
        .has("status", word(["active", "suspended"]))
        .may("domain", string())
        .has("settings", settings.into_json())
        .may("smtp", relay.into_json())
        .may("dkim", dkim.has("dns_record", record.into_json()).into_json())
        .has("rate_limit", limits.into_json())
        .has("created_at", time())
        .has("updated_at", time())
        .may("suspended_at", time())
        .into_json()
}

fn usage() -> Value {
    Object::new("What a tenant has used in a month.")
        .has("tenant_id", id("tenant"))
        .has("period", json!({"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}$"}))
        .has("emails_sent", count())
        .has("emails_delivered", count())
        .has("emails_bounced", count())
        .has("api_requests", count())
        .into_json()
}
