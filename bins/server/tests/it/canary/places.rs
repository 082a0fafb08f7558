//! Places in a request where a key has no business to be.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

/// A request with a key where it does not belong.
pub(super) struct Stray {
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

/// One request for each place, each with a secret of its own, which `fresh` makes.
pub(super) fn strays(mut fresh: impl FnMut(&str) -> String) -> Vec<Stray> {
    let mut strays = Vec::new();
    for (name, value) in [
        ("cookie", "key=@"),
        ("x-api-key", "@"),
        ("proxy-authorization", "Bearer @"),
        ("referer", "https://shop.example/?key=@"),
        ("origin", "https://@.example"),
        ("user-agent", "shop/1 (@)"),
        ("x-request-id", "@"),
        ("x-forwarded-for", "@"),
        ("traceparent", "00-@-00f067aa0ba902b7-01"),
        ("idempotency-key", "@"),
        ("content-encoding", "@"),
        ("accept", "@"),
    ] {
        let secret = fresh(name);
        let headers = vec![(name, value.replace('@', &secret))];
        strays.push(Stray { method: "GET", path: "/v1/tenants".to_owned(), headers, body: String::new() });
    }
    for (method, path) in [
        ("GET", "/v1/emails?api_key=@"),
        ("GET", "/v1/emails?@=1"),
        ("GET", "/v1/emails?after=@"),
        ("GET", "/v1/audit-logs?target=@"),
        ("GET", "/v1/audit-logs?action=@"),
        ("GET", "/v1/logs?to=@"),
        ("GET", "/v1/logs?event=@"),
        ("GET", "/@"),
        ("GET", "/v1/emails/@"),
        ("GET", "/v1/api-keys/@"),
        ("DELETE", "/v1/api-keys/@"),
        ("POST", "/v1/api-keys/@/rotate"),
        ("GET", "/v1/tenants/@"),
        ("POST", "/v1/tenants/@/send"),
        ("DELETE", "/v1/tenants/@/api-keys/@"),
    ] {
        let path = path.replace('@', &fresh(&format!("{method} {path}")));
        strays.push(Stray { method, path, headers: Vec::new(), body: String::new() });
    }
    let named = vec![("content-type", "application/json".to_owned()), ("idempotency-key", fresh("idempotency-key of a mail"))];
    let mail = json!({"from": "shop@sender.example", "to": "anna@recipient.example", "subject": "s", "text": "t"}).to_string();
    strays.push(Stray { method: "POST", path: "/v1/send".to_owned(), headers: named, body: mail });
    for (path, body) in bodies() {
        let body = body.replace('@', &fresh(&format!("{path} {body}")));
        let headers = vec![("content-type", "application/json".to_owned())];
        strays.push(Stray { method: "POST", path: path.to_owned(), headers, body });
    }
    strays
}

/// Bodies that are refused.
fn bodies() -> Vec<(&'static str, String)> {
    let key = |field: &str, value: Value| {
        let mut wanted = json!({"name": "Stray", "permissions": ["send"]});
        wanted[field] = value;
        ("/v1/api-keys", wanted.to_string())
    };
    let mail = |field: &str, value: Value| ("/v1/send", crate::world::email(&json!({field: value})).to_string());
    vec![
        key("@", json!(1)),
        key("permissions", json!(["@"])),
        key("tenant_id", json!("@")),
        key("mode", json!("@")),
        key("expires_at", json!("@")),
        key("allowed_ips", json!(["@"])),
        key("allowed_senders", json!(["@ @"])),
        key("allowed_templates", json!(["@"])),
        key("rate_limit", json!({"@": "@"})),
        ("/v1/api-keys", "{\"@".to_owned()),
        ("/v1/api-keys", "{\"@\":1,\"@\":2}".to_owned()),
        mail("from", json!("@")),
        mail("to", json!(["@"])),
        mail("priority", json!("@")),
        mail("tags", json!(["@ @"])),
        mail("template_id", json!("@")),
        mail("template_data", json!({"@": "@"})),
        mail("headers", json!({"@": "a\nb"})),
        mail("attachments", json!([{"filename": "a", "content": "@!"}])),
        ("/v1/tenants", json!({"name": "Stray", "@": "@"}).to_string()),
        ("/v1/tenants", json!({"name": "Stray", "domain": "@ @"}).to_string()),
        ("/v1/tenants", json!({"name": "Stray", "smtp": {"host": "192.0.2.7", "user": "u", "pass": ["@"]}}).to_string()),
        ("/v1/tenants", json!({"name": "Stray", "smtp": {"host": "192.0.2.7", "pass": "@", "port": 0}}).to_string()),
        ("/v1/tenants", json!({"name": "Stray", "dkim": {"domain": "x.example", "selector": "s", "key": "@"}}).to_string()),
        ("/v1/tenants", json!({"name": "Stray", "dkim": {"domain": "x.example", "selector": "@ @", "key": ["@"]}}).to_string()),
    ]
}

/// What is presented instead of a bearer token.
pub(super) fn wrong_schemes(mut fresh: impl FnMut(&str) -> String) -> Vec<String> {
    let (basic, bare, digest, twice) = (fresh("Basic"), fresh("Authorization"), fresh("Digest"), fresh("two tokens"));
    let basic = BASE64_STANDARD.encode(format!("key:{basic}"));
    vec![format!("Basic {basic}"), bare, format!("Digest username=\"{digest}\""), format!("Bearer {twice} {twice}")]
}
