//! Mail for later: it waits, its time is changed, it is called off; and exactly one of a cancellation and an attempt wins.

use std::collections::BTreeSet;
use std::time::Duration;

use selfmx_testing::{HttpAnswer, Sink};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::forms::is_time;
use crate::process::{KEY, until};
use crate::world::{World, email, fault, in_seconds, text};

const HOUR: i64 = 3600;

async fn reschedule(world: &World, id: &str, seconds: i64) -> HttpAnswer {
    world.server.ask("PATCH", &format!("/v1/emails/{id}"), Some(KEY), Some(&json!({"scheduled_at": in_seconds(seconds)}))).await
}

async fn cancel(world: &World, id: &str) -> HttpAnswer {
    world.server.ask("POST", &format!("/v1/emails/{id}/cancel"), Some(KEY), None).await
}

async fn listed(world: &World, status: &str) -> Vec<String> {
    let list = world.get(&format!("/v1/emails?status={status}")).await.json();
    list["data"].as_array().unwrap().iter().map(|email| text(&email["id"])).collect()
}

#[tokio::test]
async fn mail_is_sent_at_its_time_and_not_before() {
    let sink = Sink::well_behaved().await;
    let world = World::relayed(sink.address(), &[]).await;
    let asked = email(&json!({"scheduled_at": in_seconds(2)}));
    let answer = world.post("/v1/send", &asked).await;
    let accepted = answer.json();
    assert_eq!((answer.status, &accepted["status"]), (202, &json!("scheduled")));
    assert!(is_time(&accepted["scheduled_at"]) && accepted.as_object().unwrap().len() == 4, "{accepted}");
    let id = text(&accepted["id"]);
    let waiting = world.email(&id).await;
    assert_eq!((&waiting["status"], &waiting["scheduled_at"]), (&json!("scheduled"), &accepted["scheduled_at"]));
    let sent = world.settled(&id).await;
    assert_eq!((&sent["status"], &sent["scheduled_at"]), (&json!("delivered"), &accepted["scheduled_at"]));
    // Both are written alike.
    assert!(text(&sent["delivered_at"]) >= text(&accepted["scheduled_at"]), "{sent}");
    assert_eq!(sink.ledger().delivered().len(), 1);
}

#[tokio::test]
async fn a_time_that_is_past_or_far_ahead_is_refused() {
    let world = World::start().await;
    let wrong = |told: &str| (400, "invalid_request".to_owned(), told.to_owned());
    let later = world.send(json!({"scheduled_at": in_seconds(HOUR)})).await;
    for seconds in [-HOUR, -90, 31 * 24 * HOUR] {
        let answer = world.post("/v1/send", &email(&json!({"scheduled_at": in_seconds(seconds)}))).await;
        assert_eq!(fault(&answer), wrong("scheduled_at"), "{seconds}");
        assert_eq!(fault(&reschedule(&world, &later, seconds).await), wrong("scheduled_at"), "{seconds}");
    }
    for body in [json!({}), json!({"scheduled_at": null}), json!({"scheduled_at": "tomorrow"}), json!({"scheduled_at": 7})] {
        let answer = world.server.ask("PATCH", &format!("/v1/emails/{later}"), Some(KEY), Some(&body)).await;
        assert_eq!(fault(&answer), wrong("scheduled_at"), "{body}");
    }
    let more = json!({"scheduled_at": in_seconds(HOUR), "subject": "Other"});
    let answer = world.server.ask("PATCH", &format!("/v1/emails/{later}"), Some(KEY), Some(&more)).await;
    assert_eq!(fault(&answer).1, "unknown_field");
    // Clocks differ, and requests take their time.
    let answer = world.post("/v1/send", &email(&json!({"scheduled_at": in_seconds(-20)}))).await;
    assert_eq!((answer.status, &answer.json()["status"]), (202, &json!("queued")));
    assert_eq!(answer.json().get("scheduled_at"), None);
}

#[tokio::test]
async fn what_waits_is_put_off_and_called_off_and_nothing_of_it_is_sent() {
    let sink = Sink::well_behaved().await;
    let world = World::relayed(sink.address(), &[]).await;
    let id = world.send(json!({"scheduled_at": in_seconds(HOUR)})).await;
    let put_off = reschedule(&world, &id, 2 * HOUR).await;
    let told = put_off.json();
    assert_eq!((put_off.status, &told["id"], &told["status"]), (200, &json!(id), &json!("scheduled")));
    assert_eq!(told["scheduled_at"], world.email(&id).await["scheduled_at"]);
    assert_eq!((listed(&world, "scheduled").await, listed(&world, "queued").await), (vec![id.clone()], vec![]));
    let first = cancel(&world, &id).await;
    assert_eq!((first.status, &first.json()["status"]), (200, &json!("canceled")));
    assert_eq!(cancel(&world, &id).await.body, first.body);
    assert_eq!(fault(&reschedule(&world, &id, HOUR).await).1, "conflict");
    let canceled = world.email(&id).await;
    assert_eq!((&canceled["status"], &canceled["recipients"][0]["status"]), (&json!("canceled"), &json!("canceled")));
    let kinds: Vec<_> = canceled["events"].as_array().unwrap().iter().map(|event| text(&event["type"])).collect();
    assert_eq!(kinds, ["queued", "rescheduled", "canceled"]);
    assert_eq!((listed(&world, "scheduled").await, listed(&world, "canceled").await), (vec![], vec![id]));

    let sooner = world.send(json!({"scheduled_at": in_seconds(HOUR)})).await;
    assert_eq!(reschedule(&world, &sooner, 0).await.status, 200);
    assert_eq!(world.settled(&sooner).await["status"], "delivered");
    let refused = cancel(&world, &sooner).await;
    assert_eq!(fault(&refused), (409, "conflict".to_owned(), String::new()));
    assert!(text(&refused.json()["error"]["message"]).contains("delivered"), "{}", refused.json());
    assert_eq!(fault(&reschedule(&world, &sooner, HOUR).await).1, "conflict");
    assert_eq!(sink.ledger().delivered().len(), 1);
}

#[tokio::test]
async fn a_suspended_tenant_s_mail_can_be_canceled_and_the_platform_does_it_too() {
    let world = World::start().await;
    let tenant = world.tenant("Acme").await;
    let secret = world.key(json!({"name": "Send", "permissions": ["send"], "tenant_id": tenant})).await.secret;
    let mut ids = Vec::new();
    for _ in 0..2 {
        ids.push(world.send_as(&secret, json!({"scheduled_at": in_seconds(HOUR)})).await);
    }
    assert_eq!(world.post(&format!("/v1/tenants/{tenant}/suspend"), &Value::Null).await.status, 200);
    let own = world.server.ask("POST", &format!("/v1/emails/{}/cancel", ids[0]), Some(&secret), None).await;
    let platform = world.server.ask("POST", &format!("/v1/tenants/{tenant}/emails/{}/cancel", ids[1]), Some(KEY), None).await;
    assert_eq!((own.status, platform.status), (200, 200));
    // Of another tenant there is none.
    assert_eq!(cancel(&world, &ids[1]).await.status, 404);
    assert_eq!(world.database.query_one_text("SELECT count(*) FROM queue").await, "0");
}

#[tokio::test]
async fn a_key_that_may_send_is_told_nothing_of_what_it_could_not_have_sent() {
    let world = World::start().await;
    let id = world.send(json!({"scheduled_at": in_seconds(HOUR)})).await;
    for more in [json!({"allowed_senders": ["@other.example"]}), json!({"mode": "test"})] {
        let mut wanted = json!({"name": "Narrow", "permissions": ["send"]});
        wanted.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let secret = world.key(wanted).await.secret;
        for (method, path) in [("POST", format!("/v1/emails/{id}/cancel")), ("PATCH", format!("/v1/emails/{id}"))] {
            let answer = world.server.ask(method, &path, Some(&secret), None).await;
            assert_eq!(fault(&answer), (404, "not_found".to_owned(), String::new()), "{more}");
        }
    }
    let sender = world.key(json!({"name": "Send", "permissions": ["send"], "allowed_senders": ["@sender.example"]})).await.secret;
    assert_eq!(world.server.ask("POST", &format!("/v1/emails/{id}/cancel"), Some(&sender), None).await.status, 200);
}

/// Counted from outside: what was answered `canceled` never reached the sink, and everything else did, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_canceled_is_never_at_the_relay_and_what_is_not_is_there_once() {
    let sink = Sink::well_behaved().await;
    let world = World::relayed(sink.address(), &[]).await;
    let (mut canceled, mut sent) = (BTreeSet::new(), BTreeSet::new());
    for round in 0..3 {
        let mut racing = JoinSet::new();
        for n in 0..60 {
            let to = format!("r{round}-{n}@recipient.example");
            // Every other one is due while the others are being canceled; the rest at once.
            let (time, pause) = if n % 2 == 0 { (Value::Null, 0) } else { (json!(in_seconds(1)), n * 40) };
            let mut http = world.server.connect().await;
            racing.spawn(async move {
                let asked = email(&json!({"to": to, "scheduled_at": time}));
                let accepted = http.send("POST", "/v1/send", Some(KEY), Some(&asked)).await.unwrap();
                let path = format!("/v1/emails/{}/cancel", text(&accepted.json()["id"]));
                tokio::time::sleep(Duration::from_millis(pause)).await;
                let answer = http.send("POST", &path, Some(KEY), None).await.unwrap();
                assert!([200, 409].contains(&answer.status), "{}", answer.json());
                (to, answer.status == 200)
            });
        }
        for (to, is_canceled) in racing.join_all().await {
            if is_canceled { &mut canceled } else { &mut sent }.insert(to);
        }
    }
    until(&world.database, "SELECT count(*) FROM queue", "0").await;
    let reached: Vec<String> = sink.ledger().delivered().into_iter().flat_map(|transaction| transaction.recipients).collect();
    assert_eq!(reached.len(), sent.len(), "twice");
    assert_eq!(reached.into_iter().collect::<BTreeSet<_>>(), sent);
    assert!(!canceled.is_empty() && !sent.is_empty(), "no race: {} canceled, {} sent", canceled.len(), sent.len());
    assert_eq!(world.database.query_one_text("SELECT count(*) FROM emails WHERE status = 'canceled'").await, canceled.len().to_string());
}
