//! Readers get what they ask for while the database is down, and it is told afterwards.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use selfmx_pgbox::{Lifetime, PgBox, Settings};
use serde_json::{Value, json};

use super::links::{part, paths};
use super::{HTML, URL, both};
use crate::process::{KEY, Server, eventually};
use crate::world::{email, text};

#[tokio::test]
async fn links_lead_on_while_the_database_is_down() {
    let folder = tempfile::Builder::new().prefix("selfmx-tracking-").permissions(Permissions::from_mode(0o755)).tempdir().unwrap();
    let settings = || Settings::new(folder.path().join("postgres")).lifetime(Lifetime::Tethered);
    let postgres = PgBox::open(settings()).await.unwrap();
    let url = postgres.connection_string(selfmx_pgbox::DATABASE);
    let server = Server::start_with(&[("DATABASE_URL", &url), ("API_KEY", KEY), ("DB_POOL_TIMEOUT", "1"), URL]).await;
    let ask = async |method: &str, path: &str, key: Option<&str>, body: Option<&Value>| server.ask(method, path, key, body).await;
    let on = json!({"settings": {"tracking": both()}});
    assert_eq!(ask("PATCH", "/v1/tenants/tenant_default", Some(KEY), Some(&on)).await.status, 200);
    let sent = ask("POST", "/v1/send", Some(KEY), Some(&email(&json!({"html": HTML.replace('\'', "\"")})))).await.json();
    let path = format!("/v1/emails/{}", text(&sent["id"]));
    let html = part(&ask("GET", &format!("{path}/raw"), Some(KEY), None).await.body, "text/html");
    let (picture, link) = (paths(&html, "o").remove(0), paths(&html, "c").remove(0));

    postgres.stop().await.unwrap();
    let (open, click) = (ask("GET", &picture, None, None).await, ask("GET", &link, None, None).await);
    assert_eq!((open.status, click.status, click.header("location")), (200, 302, Some("https://shop.example/?a=1&b=2")));
    server.logged("opens and clicks could not be recorded").await;
    let postgres = PgBox::open(settings()).await.unwrap();
    let told = async || {
        let events = ask("GET", &path, Some(KEY), None).await.json()["events"].to_string();
        events.contains("\"opened\"") && events.contains("\"clicked\"")
    };
    eventually("both to be told", told).await;
    assert_eq!(server.stop().await.code, Some(0));
    postgres.stop().await.unwrap();
}
