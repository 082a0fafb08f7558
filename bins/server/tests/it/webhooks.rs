//! `/v1/webhooks`: made, told, signed, tried again, replayed; each tenant's own.

pub(crate) mod endpoint;
mod ends;
mod guard;
mod verified;

use selfmx_testing::{Fault, HttpAnswer, Phase, Sink, SinkSettings};
use serde_json::{Value, json};

use self::endpoint::Endpoint;
use crate::forms::{is_id, is_time};
use crate::process::{KEY, eventually, until};
use crate::world::{World, fault, text};

/// Posts may go to this machine.
const PRIVATE: (&str, &str) = ("WEBHOOK_ALLOW_PRIVATE", "true");

async fn ask(world: &World, method: &str, path: &str, body: Value) -> HttpAnswer {
    let body = if body.is_null() { None } else { Some(&body) };
    world.server.ask(method, path, Some(KEY), body).await
}

/// Makes a webhook, and gives its path and its secret.
async fn made(world: &World, url: &str, events: &[&str]) -> (String, String) {
    let answer = world.post("/v1/webhooks", &json!({"url": url, "events": events})).await;
    assert_eq!(answer.status, 201, "{}", answer.json());
    (format!("/v1/webhooks/{}", text(&answer.json()["id"])), text(&answer.json()["secret"]))
}

#[tokio::test]
async fn a_webhook_is_made_found_changed_rotated_and_deleted_and_its_secret_shown_twice_in_all() {
    let world = World::start().await;
    let wanted = json!({"url": "https://hooks.example/in?t=1", "events": ["delivered", "bounced"]});
    let answer = world.post("/v1/webhooks", &wanted).await;
    let first = answer.json();
    assert_eq!((answer.status, answer.header("cache-control")), (201, Some("no-store")), "{first}");
    assert!(is_id("wh", &first["id"]) && is_time(&first["created_at"]) && text(&first["secret"]).starts_with("whsec_"), "{first}");
    assert_eq!((&first["url"], &first["events"], &first["active"]), (&wanted["url"], &wanted["events"], &json!(true)));
    let path = format!("/v1/webhooks/{}", text(&first["id"]));
    let mut shown = first.clone();
    shown.as_object_mut().unwrap().remove("secret");
    assert_eq!(world.get(&path).await.json(), shown);
    assert_eq!(world.get("/v1/webhooks").await.json()["data"], json!([shown]));

    let patched = ask(&world, "PATCH", &path, json!({"active": false, "events": ["failed"]})).await.json();
    assert_eq!((&patched["active"], &patched["events"], &patched["url"]), (&json!(false), &json!(["failed"]), &wanted["url"]));
    let put = ask(&world, "PUT", &path, json!({"url": "https://other.example", "events": ["queued"]})).await.json();
    assert_eq!((&put["active"], &put["events"]), (&json!(true), &json!(["queued"])));
    let rotated = ask(&world, "POST", &format!("{path}/rotate-secret"), json!({"grace_period_seconds": 60})).await;
    assert_eq!((rotated.status, rotated.header("cache-control")), (200, Some("no-store")));
    assert!(is_time(&rotated.json()["previous_secret_until"]) && rotated.json()["secret"] != first["secret"], "{}", rotated.json());
    let own = format!("whsec_{}", "A".repeat(43) + "=");
    let chosen = world.post("/v1/webhooks", &json!({"url": "https://c.example", "events": ["queued"], "secret": own})).await.json();
    assert_eq!(text(&chosen["secret"]), own);

    for (body, field) in [
        (json!({"url": "https://a.example", "events": ["deferred"]}), "events[0]"),
        (json!({"url": "https://a.example", "events": []}), "events"),
        (json!({"url": "http://127.0.0.1:9/", "events": ["queued"]}), "url"),
        (json!({"url": "http://[::ffff:10.0.0.1]/", "events": ["queued"]}), "url"),
        (json!({"url": "https://2130706433/", "events": ["queued"]}), "url"),
        (json!({"url": "https://user:pass@a.example/", "events": ["queued"]}), "url"),
        (json!({"url": "https://a.example", "events": ["queued"], "secret": "x"}), "secret"),
    ] {
        assert_eq!(fault(&world.post("/v1/webhooks", &body).await), (400, "invalid_request".to_owned(), field.to_owned()), "{body}");
    }
    assert_eq!(fault(&ask(&world, "PATCH", &path, json!({"url": "http://169.254.169.254/"})).await).2, "url");
    let gone = ask(&world, "DELETE", &path, Value::Null).await;
    assert_eq!((gone.status, gone.json()), (200, json!({"id": first["id"], "deleted": true})));
    for (method, path) in
        [("GET", path.clone()), ("DELETE", path.clone()), ("GET", format!("{path}/logs")), ("POST", format!("{path}/test"))]
    {
        assert_eq!(ask(&world, method, &path, Value::Null).await.status, 404, "{method} {path}");
    }
    let stored = world.database.query_one_text("SELECT string_agg(encode(secret, 'escape') || url, ' ') FROM webhooks").await;
    assert!(!stored.contains(&own), "it lies sealed");
    let entries = world.get("/v1/audit-logs?limit=50").await.json().to_string();
    for action in ["webhook.create", "webhook.update", "webhook.rotate", "webhook.delete"] {
        assert!(entries.contains(action), "{action}");
    }
    assert!(!entries.contains(&own) && !entries.contains(&text(&first["secret"])));
}

#[tokio::test]
async fn what_becomes_of_a_mail_is_posted_and_signed_by_both_secrets_in_grace() {
    let faults = vec![Fault::reply(Phase::Rcpt, "550 5.1.1 no such user").for_local("gone")];
    let sink = Sink::start(SinkSettings { faults, ..SinkSettings::default() }).await;
    let (world, endpoint) = (World::relayed(sink.address(), &[PRIVATE]).await, Endpoint::start(&[200]).await);
    let (path, first) = made(&world, &endpoint.url(), &["queued", "delivered", "bounced"]).await;
    let rotated = ask(&world, "POST", &format!("{path}/rotate-secret"), json!({"grace_period_seconds": 3600})).await.json();
    let second = text(&rotated["secret"]);
    let id = world.send(json!({"to": ["fine@r.example", "gone@r.example"], "tags": ["t"], "metadata": {"order": "7"}})).await;
    let posts = endpoint.posts(3).await;
    for post in &posts {
        assert!(post.is_signed(&second) && post.is_signed(&first), "{post:?}");
        assert_eq!(post.plain_signature(), endpoint::plain(&second, &post.body), "{post:?}");
        let body = post.json();
        assert!(is_id("evt", &body["id"]) && is_time(&body["created_at"]), "{body}");
        assert_eq!(body["id"].as_str(), post.header("webhook-id"));
        assert_eq!(
            (&body["data"]["email_id"], &body["data"]["tags"], &body["data"]["metadata"]),
            (&json!(id), &json!(["t"]), &json!({"order": "7"}))
        );
        assert_eq!(post.header("content-type"), Some("application/json"));
    }
    let of = |kind: &str| posts.iter().map(endpoint::Post::json).find(|body| body["type"] == kind).unwrap()["data"].clone();
    assert_eq!((&of("delivered")["recipient"], of("delivered")["delivered_at"].is_string()), (&json!("fine@r.example"), true));
    let bounced = of("bounced");
    assert_eq!(
        (&bounced["bounce_type"], &bounced["bounce_code"], &bounced["recipient"]),
        (&json!("hard"), &json!(550), &json!("gone@r.example"))
    );
    let without_grace = ask(&world, "POST", &format!("{path}/rotate-secret"), json!({"grace_period_seconds": 0})).await.json();
    assert_eq!(without_grace["previous_secret_until"], Value::Null);
    let tested = ask(&world, "POST", &format!("{path}/test"), Value::Null).await;
    assert_eq!((tested.status, &tested.json()["status"]), (202, &json!("pending")));
    let test = endpoint.posts(4).await.remove(3);
    assert!(test.is_signed(&text(&without_grace["secret"])) && !test.is_signed(&second), "{test:?}");
    assert_eq!(test.json()["type"], "test");
}

#[tokio::test]
async fn what_is_refused_is_tried_again_later_shown_with_every_attempt_and_can_be_replayed() {
    let (world, endpoint) = (World::start_with(&[PRIVATE]).await, Endpoint::start(&[500, 302, 200]).await);
    let (path, _) = made(&world, &endpoint.url(), &["delivered"]).await;
    let id = world.send(json!({})).await;
    for attempt in 1..=3 {
        endpoint.posts(attempt).await;
        let told = format!("SELECT count(*) FROM webhook_attempts WHERE attempt = {attempt}");
        until(&world.database, &told, "1").await;
        let later = "SELECT bool_and(due_at > now() + interval '30 seconds')::text FROM webhook_deliveries WHERE status = 'pending'";
        if attempt < 3 {
            assert_eq!(world.database.query_one_text(later).await, "true");
            world.database.execute("UPDATE webhook_deliveries SET due_at = now() WHERE status = 'pending'").await;
        }
    }
    let log = world.get(&format!("{path}/logs")).await.json();
    let delivery = &log["data"][0];
    assert_eq!((&delivery["status"], &delivery["event"], &delivery["email_id"]), (&json!("delivered"), &json!("delivered"), &json!(id)));
    let attempts: Vec<_> =
        delivery["attempts"].as_array().unwrap().iter().map(|post| (post["status"].clone(), post["response"].clone())).collect();
    let answer = |status: u16| (json!(status), json!("hi"));
    assert_eq!(attempts, [answer(500), answer(302), answer(200)], "a redirect is not followed");
    let replayed = ask(&world, "POST", &format!("{path}/deliveries/{}/replay", text(&delivery["id"])), Value::Null).await;
    assert_eq!(replayed.status, 202, "{}", replayed.json());
    let posts = endpoint.posts(4).await;
    assert_eq!(posts[3].json()["id"], posts[0].json()["id"], "the same event");
    let unknown = format!("{path}/deliveries/whd_01h455vb4pex5vsknk084sn02q/replay");
    assert_eq!(ask(&world, "POST", &unknown, Value::Null).await.status, 404);
}

#[tokio::test]
async fn an_endpoint_that_is_gone_is_left_alone_until_its_tenant_says_otherwise() {
    let (world, endpoint) = (World::start_with(&[PRIVATE]).await, Endpoint::start(&[410, 200]).await);
    let (path, _) = made(&world, &endpoint.url(), &["delivered"]).await;
    world.send(json!({})).await;
    eventually("a disabled webhook", async || world.get(&path).await.json()["disabled_reason"] == "gone").await;
    let shown = world.get(&path).await.json();
    assert_eq!((&shown["active"], is_time(&shown["disabled_at"])), (&json!(false), true));
    let id = world.send(json!({})).await;
    world.settled(&id).await;
    assert_eq!(endpoint.posts(1).await.len(), 1);
    let again = ask(&world, "PATCH", &path, json!({"active": true})).await.json();
    assert_eq!((&again["active"], &again["disabled_reason"]), (&json!(true), &Value::Null));
    world.send(json!({})).await;
    assert_eq!(endpoint.posts(2).await[1].json()["type"], "delivered");
}

#[tokio::test]
async fn nothing_private_is_connected_to_and_the_attempt_says_so() {
    let (world, endpoint) = (World::start().await, Endpoint::start(&[200]).await);
    // By a name, which is looked up when it is posted to.
    let url = endpoint.url().replace("127.0.0.1", "localhost");
    let (path, _) = made(&world, &url, &["delivered"]).await;
    world.send(json!({})).await;
    let attempts = async || world.get(&format!("{path}/logs")).await.json()["data"][0]["attempts"].clone();
    eventually("an attempt", async || attempts().await.as_array().is_some_and(|attempts| !attempts.is_empty())).await;
    let attempt = attempts().await[0].clone();
    assert!(attempt["status"].is_null() && text(&attempt["error"]).contains("public"), "{attempt}");
    assert_eq!(endpoint.connections(), 0);
}

#[tokio::test]
async fn a_tenant_is_told_of_its_own_mail_alone() {
    let world = World::start_with(&[PRIVATE]).await;
    let (own, others) = (Endpoint::start(&[200]).await, Endpoint::start(&[200]).await);
    let (shop, _) = (world.tenant("Shop").await, made(&world, &others.url(), &["delivered"]).await);
    let key = world.key_for(&shop).await;
    let wanted = json!({"url": own.url(), "events": ["delivered"]});
    let webhook = world.server.ask("POST", "/v1/webhooks", Some(&key), Some(&wanted)).await.json();
    let (mine, platforms) = (world.send_as(&key, json!({})).await, world.send(json!({})).await);
    assert_eq!(own.posts(1).await[0].json()["data"]["email_id"], mine);
    assert_eq!(others.posts(1).await[0].json()["data"]["email_id"], platforms);
    assert_eq!(world.get(&format!("/v1/webhooks/{}", text(&webhook["id"]))).await.status, 404);
    assert_eq!(world.get(&format!("/v1/tenants/{shop}/webhooks/{}", text(&webhook["id"]))).await.status, 200);
}

/// An attempt's beginning is an event where somebody asks for it, and nowhere else.
#[tokio::test]
async fn that_an_attempt_begins_is_told_and_logged_for_those_who_ask() {
    let later = Fault::reply(Phase::Rcpt, "450 4.2.1 later").for_local("later").times(1);
    let sink = Sink::start(SinkSettings { faults: vec![later], ..SinkSettings::default() }).await;
    let (world, endpoint) = (World::relayed(sink.address(), &[PRIVATE]).await, Endpoint::start(&[200]).await);
    let before = world.send(json!({"to": "before@r.example"})).await;
    world.settled(&before).await;
    let (path, _) = made(&world, &endpoint.url(), &["sending"]).await;
    assert_eq!(world.get(&path).await.json()["events"], json!(["sending"]));
    let id = world.send(json!({"to": "later@r.example"})).await;
    world.settled(&id).await;
    let posts = endpoint.posts(2).await;
    let told: Vec<_> = posts.iter().map(|post| (post.json()["type"].clone(), post.json()["data"]["email_id"].clone())).collect();
    assert_eq!(told, vec![(json!("sending"), json!(id)); 2], "one for each attempt");
    let kinds = async |id: &str| {
        let log = world.get(&format!("/v1/logs?email_id={id}")).await.json();
        log["data"].as_array().unwrap().iter().map(|entry| text(&entry["event"])).rev().collect::<Vec<_>>()
    };
    assert_eq!(kinds(&id).await, ["queued", "sending", "deferred", "sending", "delivered"]);
    assert_eq!(kinds(&before).await, ["queued", "delivered"]);
}

#[tokio::test]
async fn each_post_belongs_to_its_email_s_trace() {
    let (world, endpoint) = (World::start_with(&[PRIVATE]).await, Endpoint::start(&[500, 200]).await);
    let (path, _) = made(&world, &endpoint.url(), &["delivered"]).await;
    let (trace, bearer) = ("4bf92f3577b34da6a3ce929d0e0e4736", format!("Bearer {KEY}"));
    let traceparent = format!("00-{trace}-00f067aa0ba902b7-01");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json"), ("traceparent", &traceparent)];
    let body = crate::world::email(&json!({})).to_string().into_bytes();
    let sent = world.server.connect().await.send_octets("POST", "/v1/send", &headers, body).await.unwrap();
    assert_eq!(sent.status, 202, "{}", sent.json());
    until(&world.database, "SELECT count(*) FROM webhook_attempts", "1").await;
    world.database.execute("UPDATE webhook_deliveries SET due_at = now()").await;
    ask(&world, "POST", &format!("{path}/test"), Value::Null).await;
    let posts = endpoint.posts(3).await;
    until(&world.database, "SELECT count(*) FROM webhook_attempts", "3").await;
    let parts = |post: &endpoint::Post| post.header("traceparent").unwrap().split('-').map(str::to_owned).collect::<Vec<_>>();
    let (of_email, of_test): (Vec<_>, Vec<_>) = posts.iter().partition(|post| post.json()["type"] == "delivered");
    let (first, again, test) = (parts(of_email[0]), parts(of_email[1]), parts(of_test[0]));
    assert_eq!((first[1].as_str(), again[1].as_str()), (trace, trace));
    assert!(
        first[2] != again[2] && ![&first[2], &again[2]].contains(&&"00f067aa0ba902b7".to_owned()),
        "a part of its own: {first:?} {again:?}"
    );
    assert!(test[1] != trace && test[1].len() == 32 && test[2].len() == 16, "{test:?}");
    let log = world.server.stop().await.log;
    let lines: Vec<Value> =
        log.lines().map(|line| serde_json::from_str(line).unwrap()).filter(|line: &Value| line["message"] == "post").collect();
    let told: Vec<_> =
        lines.iter().filter(|line| line["trace_id"] == trace).map(|line| (line["status"].clone(), line["attempt"].clone())).collect();
    assert_eq!((lines.len(), told), (3, vec![(json!(500), json!(1)), (json!(200), json!(2))]));
}
