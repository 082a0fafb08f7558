//! Each example of the authentication page, run by the real curl as it is printed there: only host, key and ids are replaced.

use selfmx_testing::Database;
use serde_json::Value;

use crate::curl::{Shown, shell};
use crate::forms::{is_id, is_secret, is_time};
use crate::process::{Server, database};
use crate::world::text;

const PAGE: &str = include_str!("seed/authentication.md");

/// The first block of a language below a title.
fn block(title: &str, language: &str) -> &'static str {
    let (_, below) = PAGE.split_once(title).unwrap();
    let (_, begun) = below.split_once(&format!("```{language}\n")).unwrap();
    begun.split_once("\n```").unwrap().0
}

/// Runs the example below a title.
async fn run(title: &str, server: &Server, replaced: &[(&str, &str)]) -> Shown {
    let address = format!("http://{}", server.address());
    let usual = [("https://api.yourdomain.com", address.as_str()), ("YOUR_API_KEY", default_key())];
    let line = usual.iter().chain(replaced).fold(block(title, "bash").to_owned(), |line, (from, to)| line.replace(from, to));
    let shown = tokio::task::spawn_blocking(move || shell(&line)).await.unwrap();
    assert_eq!(shown.content_type, "application/json", "{title}");
    shown
}

fn default_key() -> &'static str {
    block("The default key", "bash").strip_prefix("API_KEY=").unwrap()
}

/// The answer that the page shows below a title.
fn answer(title: &str) -> Value {
    serde_json::from_str(block(title, "json")).unwrap()
}

/// Whether all that is shown was found, in its form; there may be more.
fn assert_shows(found: &Value, shown: &Value) {
    match shown {
        Value::Object(members) => members.iter().for_each(|(name, shown)| assert_shows(&found[name], shown)),
        Value::Array(elements) => {
            assert_eq!(found.as_array().map(Vec::len), Some(elements.len()), "{found} is shown as {shown}");
            elements.iter().enumerate().for_each(|(index, shown)| assert_shows(&found[index], shown));
        }
        Value::String(text) if text.starts_with("key_") => assert!(is_id("key", found), "{found}"),
        Value::String(text) if text.starts_with("sk_live_") => assert!(is_secret("sk_live_", found), "{found}"),
        Value::String(text) if text.starts_with("20") => assert!(is_time(found), "{found}"),
        _ => assert_eq!(found, shown),
    }
}

async fn start(database: &Database) -> Server {
    Server::start_with(&[("DATABASE_URL", database.connection_string()), ("API_KEY", default_key())]).await
}

#[tokio::test]
async fn a_key_is_made_listed_and_revoked_as_the_page_shows() {
    let database = database().await;
    let server = start(&database).await;
    let made = run("Creating a key", &server, &[]).await;
    assert_eq!(made.status, 201);
    assert_shows(&made.body, &answer("Creating a key"));
    let (id, secret) = (text(&made.body["id"]), text(&made.body["key"]));

    let me = server.ask("GET", "/v1/api-keys/me", Some(&secret), None).await;
    assert_eq!((me.status, &me.json()["id"]), (200, &made.body["id"]));
    // When a key was last used is written by the time of the end.
    assert_eq!(server.stop().await.code, Some(0));
    let server = start(&database).await;

    let mut listed = run("Listing keys", &server, &[]).await;
    assert_eq!(listed.status, 200);
    assert!(!listed.body.to_string().contains(&secret), "the secret is shown once");
    // Beside it, the page's own key.
    let own = listed.body["data"].as_array_mut().unwrap().pop().unwrap();
    assert_eq!((&own["id"], &own["name"], &own["source"]), (&"key_default".into(), &"Default".into(), &"environment".into()));
    assert_shows(&listed.body, &answer("Listing keys"));

    let revoked = run("Revoking a key", &server, &[("key_abc123", &id)]).await;
    assert_eq!(revoked.status, 200);
    assert_shows(&revoked.body, &answer("Revoking a key"));
    assert_eq!(revoked.body["id"], id);
    assert_eq!(server.ask("GET", "/v1/api-keys/me", Some(&secret), None).await.status, 401);
}

#[tokio::test]
async fn a_tenant_s_key_is_made_as_the_page_shows() {
    let database = database().await;
    let server = start(&database).await;
    let tenant = server.ask("POST", "/v1/tenants", Some(default_key()), Some(&serde_json::json!({"name": "Tenant A"}))).await;
    let id = text(&tenant.json()["id"]);
    let made = run("A tenant's key", &server, &[("tenant_abc", &id)]).await;
    assert_eq!((made.status, &made.body["tenant_id"]), (201, &id.into()));
    assert_eq!((&made.body["name"], &made.body["permissions"]), (&"Tenant A - Production".into(), &serde_json::json!(["send"])));
    assert!(is_id("key", &made.body["id"]) && is_secret("sk_live_", &made.body["key"]) && is_time(&made.body["created_at"]));
}

#[tokio::test]
async fn the_page_s_first_example_is_a_get_where_only_post_is_and_is_told_so() {
    let database = database().await;
    let server = start(&database).await;
    let shown = run("Using API keys", &server, &[]).await;
    assert_eq!((shown.status, &shown.body["error"]["code"]), (405, &"method_not_allowed".into()));
    assert!(text(&shown.body["error"]["message"]).contains("POST"), "{}", shown.body);
}

#[tokio::test]
async fn without_a_key_of_the_operator_s_the_first_start_prints_one_and_the_second_none() {
    let database = database().await;
    let variables = [("DATABASE_URL", database.connection_string())];
    let server = Server::start_with(&variables).await;
    // Printed before it listens, and read apart from the log.
    let first = server.stop().await;
    let keys: Vec<&str> = first.standard_output.split_whitespace().filter(|word| word.starts_with("sk_live_")).collect();
    let [key] = keys[..] else { panic!("{}", first.standard_output) };
    assert!(is_secret("sk_live_", &key.into()));
    assert!(!first.log.contains(key) && !first.log.contains(&key[8..]));

    let server = Server::start_with(&variables).await;
    let me = server.ask("GET", "/v1/api-keys/me", Some(key), None).await.json();
    assert_eq!((&me["permissions"], &me["source"]), (&serde_json::json!(["*"]), &"created".into()));
    assert!(me.get("tenant_id").is_none(), "a platform key: {me}");
    assert_eq!(server.ask("GET", "/v1/tenants", Some(key), None).await.status, 200);
    // Not even where all keys are revoked since.
    let revoked = server.ask("DELETE", &format!("/v1/api-keys/{}", text(&me["id"])), Some(key), None).await;
    assert_eq!(revoked.status, 200);
    let second = server.stop().await;
    let third = Server::start_with(&variables).await.stop().await;
    for ended in [second, third] {
        assert_eq!((ended.standard_output.as_str(), ended.code), ("", Some(0)));
        assert!(!ended.log.contains("sk_live_"));
    }
}
