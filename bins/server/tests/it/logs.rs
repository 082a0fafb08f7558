//! `GET /v1/logs`: what happened to a tenant's emails and what its keys did, by every filter, page by page.

use selfmx_testing::{Fault, Phase, Sink, SinkSettings};
use serde_json::{Value, json};

use crate::forms::{is_id, is_time};
use crate::process::KEY;
use crate::world::{World, fault, text};

async fn log(world: &World, secret: &str, path: &str) -> Vec<Value> {
    let answer = world.server.ask("GET", path, Some(secret), None).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.json());
    answer.json()["data"].as_array().unwrap().clone()
}

fn events(entries: &[Value]) -> Vec<String> {
    entries.iter().map(|entry| text(&entry["event"])).collect()
}

#[tokio::test]
async fn what_became_of_an_email_is_in_the_log_with_the_relay_s_words() {
    let sink = Sink::well_behaved().await;
    let world = World::relayed(sink.address(), &[]).await;
    let id = world.send(json!({"to": "anna@recipient.example"})).await;
    world.settled(&id).await;
    let entries = log(&world, KEY, "/v1/logs").await;
    assert_eq!(events(&entries), ["delivered", "queued"]);
    let (delivered, queued) = (&entries[0], &entries[1]);
    let names: Vec<_> = delivered.as_object().unwrap().keys().cloned().collect();
    let mut expected = ["id", "timestamp", "email_id", "event", "to", "smtp_response", "api_key_id", "attempt", "duration_ms"];
    expected.sort_unstable();
    assert_eq!(names, expected);
    for entry in &entries {
        assert!(is_id("evt", &entry["id"]) && is_time(&entry["timestamp"]), "{entry}");
        assert_eq!((&entry["email_id"], &entry["to"]), (&json!(id), &json!("anna@recipient.example")));
        assert_eq!(entry["api_key_id"], "key_default");
    }
    assert!(text(&delivered["smtp_response"]).starts_with("250") && delivered["duration_ms"].is_u64(), "{delivered}");
    assert_eq!((&delivered["attempt"], &queued["attempt"]), (&json!(1), &json!(0)));
    assert_eq!((&queued["smtp_response"], &queued["duration_ms"]), (&Value::Null, &Value::Null));
    // The email's own events are the same ones.
    let email = world.email(&id).await;
    let own: Vec<_> = email["events"].as_array().unwrap().iter().rev().map(|event| event["id"].clone()).collect();
    assert_eq!(own, entries.iter().map(|entry| entry["id"].clone()).collect::<Vec<_>>());
}

#[tokio::test]
async fn each_filter_is_served_and_each_wrong_one_named() {
    let refusing =
        SinkSettings { faults: vec![Fault::reply(Phase::Rcpt, "550 5.1.1 no such user").for_local("gone")], ..SinkSettings::default() };
    let sink = Sink::start(refusing).await;
    let world = World::relayed(sink.address(), &[]).await;
    let gone = world.send(json!({"to": "gone@recipient.example"})).await;
    let taken = world.send(json!({"to": "anna@recipient.example"})).await;
    for id in [&gone, &taken] {
        world.settled(id).await;
    }
    let count = async |query: &str| log(&world, KEY, &format!("/v1/logs?{query}")).await.len();
    assert_eq!(count(&format!("email_id={gone}")).await, 2);
    assert_eq!(count("event=bounced").await, 1);
    assert_eq!(count("to=anna@recipient.example").await, 2);
    assert_eq!(count("to=anna@recipient.example&event=bounced").await, 0);
    assert_eq!(count("since=2020-01-01T00:00:00Z").await, 4);
    assert_eq!(count("until=2020-01-01T00:00:00Z").await, 0);
    assert_eq!(count("api_key_id=key_default").await, 4);
    assert_eq!(count("api_key_id=key_01h455vb4pex5vsknk084sn02q").await, 0);
    assert_eq!(count("email_id=msg_01h455vb4pex5vsknk084sn02q").await, 0);
    let (mut seen, mut query) = (Vec::new(), "limit=3".to_owned());
    for more in [true, false] {
        let page = world.get(&format!("/v1/logs?{query}")).await.json();
        seen.extend(page["data"].as_array().unwrap().iter().map(|entry| entry["id"].clone()));
        assert_eq!((&page["has_more"], page["next_cursor"].is_string()), (&json!(more), more));
        query = format!("limit=3&after={}", page["next_cursor"].as_str().unwrap_or_default());
    }
    let all: Vec<_> = log(&world, KEY, "/v1/logs").await.iter().map(|entry| entry["id"].clone()).collect();
    assert_eq!(seen, all);
    for (query, field) in [
        ("event=sent", "event"),
        ("email_id=x", "email_id"),
        ("api_key_id=msg_x", "api_key_id"),
        ("to=nobody", "to"),
        ("since=yesterday", "since"),
        ("until=1", "until"),
        ("after=msg_01h455vb4pex5vsknk084sn02q", "after"),
        ("limit=101", "limit"),
        ("status=queued", "status"),
    ] {
        let answer = world.get(&format!("/v1/logs?{query}")).await;
        let (status, _, named) = fault(&answer);
        assert_eq!((status, named.as_str()), (400, field), "{query}");
    }
}

#[tokio::test]
async fn a_key_s_activity_is_its_mail_and_its_management_calls_without_secrets() {
    let world = World::start().await;
    let key = world.key(json!({"name": "Watched", "permissions": ["send", "api-keys:write"]})).await;
    let email = world.send_as(&key.secret, json!({})).await;
    world.settled(&email).await;
    let body = json!({"name": "Child", "permissions": ["send"]});
    let made = world.server.ask("POST", "/v1/api-keys", Some(&key.secret), Some(&body)).await.json();
    let wide = json!({"name": "Wide", "permissions": ["*"]});
    assert_eq!(world.server.ask("POST", "/v1/api-keys", Some(&key.secret), Some(&wide)).await.status, 403);
    let reader = world.key(json!({"name": "Reader", "permissions": ["logs:read"]})).await;
    let path = format!("/v1/logs?api_key_id={}", key.id);
    let entries = log(&world, &reader.secret, &path).await;
    let mut of_mail: Vec<_> = events(&entries);
    let calls: Vec<_> = of_mail.extract_if(.., |event| event.contains('.')).collect();
    assert_eq!((calls, of_mail.last().map(String::as_str)), (vec!["api_key.create".to_owned(); 2], Some("queued")));
    let (refused, done) = (&entries[0], &entries[1]);
    assert_eq!((&refused["code"], done.get("code")), (&json!("permission_denied"), None));
    assert_eq!((&done["target"], &done["api_key_id"], &done["email_id"]), (&made["id"], &json!(key.id), &Value::Null));
    assert!(is_id("log", &done["id"]), "{done}");
    let shown = format!("{entries:?}");
    for secret in [text(&made["key"]), key.secret.clone()] {
        assert!(!shown.contains(&secret) && !shown.contains(&secret[8..]));
    }
    assert_eq!(log(&world, &reader.secret, "/v1/logs?event=api_key.create").await.len(), 4);
    assert!(events(&log(&world, &reader.secret, "/v1/logs").await).iter().all(|event| !event.contains('.')));
}

#[tokio::test]
async fn a_tenant_s_log_is_its_own_and_the_platform_s_to_read() {
    let world = World::start().await;
    let (mine, other) = (world.tenant("Mine").await, world.tenant("Other").await);
    let (key, foreign) = (world.key_for(&mine).await, world.key_for(&other).await);
    let id = world.send_as(&key, json!({"to": "anna@recipient.example"})).await;
    let own = log(&world, &key, "/v1/logs").await;
    assert!(!own.is_empty() && own.iter().all(|entry| entry["email_id"] == id));
    let who = text(&own[0]["api_key_id"]);
    let (cursor, never) = (text(&own[0]["id"]), "msg_01h455vb4pex5vsknk084sn02q");
    let by_platform = log(&world, KEY, &format!("/v1/tenants/{mine}/logs?email_id={id}")).await;
    assert!(by_platform.iter().any(|entry| entry["event"] == "queued"));
    for query in [
        String::new(),
        format!("?email_id={id}"),
        format!("?api_key_id={who}"),
        "?to=anna@recipient.example".to_owned(),
        "?event=api_key.create&api_key_id=key_default&limit=1&until=2020-01-01T00:00:00Z".to_owned(),
        format!("?after={cursor}"),
    ] {
        assert!(log(&world, &foreign, &format!("/v1/logs{query}")).await.is_empty(), "{query}");
        if query.is_empty() || query.contains(&id) || query.contains("anna") {
            assert!(log(&world, KEY, &format!("/v1/logs{query}")).await.is_empty(), "{query}");
        }
    }
    // Another's email and one that never was are answered alike.
    let asked = async |id: &str| world.server.ask("GET", &format!("/v1/logs?email_id={id}"), Some(&foreign), None).await;
    let (foreign_one, absent) = (asked(&id).await, asked(never).await);
    assert_eq!((foreign_one.status, foreign_one.json()), (absent.status, absent.json()));
    assert_eq!(world.server.ask("GET", &format!("/v1/tenants/{mine}/logs"), Some(&key), None).await.status, 403);
}
