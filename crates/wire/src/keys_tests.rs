//! How requests about keys are read, and how keys are shown.

use selfmx_auth::{Authority, Permission};
use selfmx_domain::{Change, Mode, Problem};
use time::macros::datetime;

use super::*;

fn wanted(json: &str) -> Result<Wanted, RequestError> {
    CreateKey::read(json.as_bytes()).map(Wanted::from)
}

fn key() -> ApiKey {
    ApiKey {
        id: "key_01h455vb4pex5vsknk084sn02q".parse().unwrap(),
        name: "Production App".parse().unwrap(),
        authority: Authority {
            permissions: [Permission::Send, Permission::TemplatesRead].into_iter().collect(),
            ..Authority::everything()
        },
        hint: Some("wxyz".to_owned()),
        source: KeySource::Created,
        last_use: Some(KeyUse { at: datetime!(2024-01-15 10:30 UTC), address: Some("192.0.2.7".parse().unwrap()), user_agent: None }),
        ..ApiKey::environment(datetime!(2024-01-10 08:00 UTC))
    }
}

#[test]
fn the_seed_s_requests_are_read() {
    let app = wanted(r#"{"name": "Production App", "permissions": ["send", "templates:read"]}"#).unwrap();
    assert_eq!(app.name.as_str(), "Production App");
    assert_eq!(app.permissions, [Permission::Send, Permission::TemplatesRead].into_iter().collect());
    assert!(app.tenant.is_none() && app.mode.is_none() && app.expires_at.is_none());
    let tenant = wanted(
        r#"{"name": "Tenant A - Production", "tenant_id": "tenant_01h455vb4pex5vsknk084sn02q", "permissions": ["send"],
            "mode": "test", "expires_at": "2030-01-01T00:00:00+01:00"}"#,
    )
    .unwrap();
    assert_eq!(tenant.tenant.map(|tenant| tenant.to_string()).as_deref(), Some("tenant_01h455vb4pex5vsknk084sn02q"));
    assert_eq!(tenant.mode, Some(Mode::Test));
    assert_eq!(tenant.expires_at, Some(datetime!(2029-12-31 23:00 UTC)));
}

#[test]
fn what_is_wrong_is_named() {
    assert_eq!(wanted(r#"{"permissions": ["send"]}"#).unwrap_err(), Problem::Missing.at("name").into());
    assert_eq!(wanted(r#"{"name": "n"}"#).unwrap_err(), Problem::Missing.at("permissions").into());
    for (json, field) in [
        (r#"{"name": "n", "permissions": "send"}"#, "permissions"),
        (r#"{"name": "n", "permissions": ["send", "admin"]}"#, "permissions[1]"),
        (r#"{"name": "n", "permissions": ["send", 1]}"#, "permissions[1]"),
        (r#"{"name": "n", "permissions": [], "tenant_id": "tenant_abc"}"#, "tenant_id"),
        (r#"{"name": "n", "permissions": [], "mode": "Live"}"#, "mode"),
        (r#"{"name": "n", "permissions": [], "expires_at": "tomorrow"}"#, "expires_at"),
        (r#"{"name": "n", "permissions": [], "expires_at": 1}"#, "expires_at"),
        (r#"{"name": "n", "permissions": [], "allowed_ips": []}"#, "allowed_ips"),
        (r#"{"name": "n", "permissions": [], "allowed_ips": ["10.0.0.0/8", "10.0.0.1/8"]}"#, "allowed_ips[1]"),
        (r#"{"name": "n", "permissions": [], "allowed_senders": ["example"]}"#, "allowed_senders[0]"),
        (r#"{"name": "n", "permissions": [], "allowed_templates": ["welcome"]}"#, "allowed_templates[0]"),
        (r#"{"name": "n", "permissions": [], "rate_limit": 5}"#, "rate_limit"),
        (r#"{"name": "n", "permissions": [], "rate_limit": {}}"#, "rate_limit.requests_per_minute"),
        (r#"{"name": "n", "permissions": [], "rate_limit": {"requests_per_minute": -1}}"#, "rate_limit.requests_per_minute"),
        (r#"{"name": "n", "permissions": [], "rate_limit": {"requests_per_minute": 1000001}}"#, "rate_limit.requests_per_minute"),
        (r#"{"name": "n", "permissions": [], "rate_limit": {"requests_per_hour": 1}}"#, "rate_limit.requests_per_hour"),
        (r#"{"name": "n", "permision": []}"#, "permision"),
    ] {
        assert_eq!(wanted(json).unwrap_err().field(), Some(field), "{json}");
    }
}

#[test]
fn a_key_is_shown_as_in_the_seed_and_without_its_secret() {
    assert_eq!(
        serde_json::to_string(&KeyView::from(&key())).unwrap(),
        "{\"id\":\"key_01h455vb4pex5vsknk084sn02q\",\"name\":\"Production App\",\"permissions\":[\"send\",\"templates:read\"],\
         \"mode\":\"live\",\"enabled\":true,\"hint\":\"wxyz\",\"source\":\"created\",\"last_used_at\":\"2024-01-15T10:30:00.000Z\",\
         \"last_used_from\":{\"address\":\"192.0.2.7\",\"user_agent\":null},\
         \"created_at\":\"2024-01-10T08:00:00.000Z\"}"
    );
    let environment = ApiKey::environment(datetime!(2024-01-10 08:00 UTC));
    let view = serde_json::to_value(KeyView::from(&environment)).unwrap();
    assert_eq!((&view["id"], &view["source"]), (&"key_default".into(), &"environment".into()));
    assert!(view["last_used_at"].is_null() && view.get("hint").is_none() && view.get("key").is_none());
}

#[test]
fn only_the_answer_that_makes_it_shows_the_secret() {
    let secret = Secret::chosen("0123456789abcdef").unwrap();
    let created = serde_json::to_value(KeyCreated::new(&key(), &secret)).unwrap();
    assert_eq!(created["key"], "0123456789abcdef");
    assert_eq!(created["created_at"], "2024-01-10T08:00:00.000Z");
}

#[test]
fn a_revocation_says_so() {
    let revoked = KeyRevoked::new("key_01h455vb4pex5vsknk084sn02q".parse().unwrap());
    assert_eq!(serde_json::to_string(&revoked).unwrap(), r#"{"id":"key_01h455vb4pex5vsknk084sn02q","revoked":true}"#);
}

#[test]
fn a_change_says_what_it_touches() {
    let change = |json: &str| UpdateKey::read(json.as_bytes()).map(KeyChange::from);
    let nothing = change("{}").unwrap();
    assert!(nothing.name.is_none() && nothing.expires_at.is_keep() && nothing.allowed_ips.is_keep() && nothing.enabled.is_none());
    let some = change(
        r#"{"name": "n", "expires_at": null, "allowed_senders": ["@a.example"], "rate_limit": {"requests_per_minute": 0}, "enabled": false}"#,
    );
    let some = some.unwrap();
    assert_eq!((some.expires_at, some.enabled), (Change::Clear, Some(false)));
    assert_eq!(some.rate_limit, Change::Set(RateLimit::Unlimited));
    assert_eq!(some.allowed_senders, Change::Set(vec!["@a.example".parse().unwrap()]));
    for (json, field) in [
        (r#"{"name": null}"#, "name"),
        (r#"{"permissions": null}"#, "permissions"),
        (r#"{"enabled": null}"#, "enabled"),
        (r#"{"enabled": "no"}"#, "enabled"),
        (r#"{"allowed_ips": []}"#, "allowed_ips"),
        (r#"{"mode": "test"}"#, "mode"),
        (r#"{"tenant_id": null}"#, "tenant_id"),
    ] {
        assert_eq!(change(json).unwrap_err().field(), Some(field), "{json}");
    }
}

#[test]
fn a_rotation_without_grace_ends_the_former_secret_at_once() {
    let grace = |body: &str| RotateKey::read(body.as_bytes()).map(|request| request.grace.as_secs());
    assert_eq!((grace(""), grace("{}"), grace(r#"{"grace_period_seconds": null}"#)), (Ok(0), Ok(0), Ok(0)));
    assert_eq!(grace(r#"{"grace_period_seconds": 2592000}"#), Ok(2_592_000));
    for body in [r#"{"grace_period_seconds": 2592001}"#, r#"{"grace_period_seconds": -1}"#, r#"{"grace": 1}"#, "[]"] {
        assert!(grace(body).is_err(), "{body}");
    }
}
