//! `/v1/suppressions`: addresses to which a tenant's mail is not sent any more.

use selfmx_testing::{Fault, HttpAnswer, Phase, Sink, SinkSettings};
use serde_json::{Value, json};

use crate::process::KEY;
use crate::world::{World, fault, text};

async fn ask(world: &World, method: &str, path: &str, secret: &str, body: Option<Value>) -> HttpAnswer {
    world.server.ask(method, path, Some(secret), body.as_ref()).await
}

async fn listed(world: &World, secret: &str, query: &str) -> Vec<String> {
    let answer = ask(world, "GET", &format!("/v1/suppressions{query}"), secret, None).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    answer.json()["data"].as_array().unwrap().iter().map(|shown| text(&shown["address"])).collect()
}

#[tokio::test]
async fn an_address_is_put_on_the_list_found_listed_and_taken_away() {
    let world = World::start().await;
    let put = async |body: Value| ask(&world, "POST", "/v1/suppressions", KEY, Some(body)).await;
    let made = put(json!({"address": "Anna@BÜCHER.example"})).await;
    assert_eq!(
        (made.status, &made.json()["address"], &made.json()["reason"]),
        (201, &json!("Anna@xn--bcher-kva.example"), &json!("manual"))
    );
    // Once more, in other letters and for another reason: it stands as it stood.
    let again = put(json!({"address": "anna@bücher.EXAMPLE", "reason": "complaint"})).await;
    assert_eq!((again.status, again.json()), (200, made.json()));
    assert_eq!(put(json!({"address": "b@x.example", "reason": "complaint"})).await.status, 201);
    assert_eq!(listed(&world, KEY, "").await, ["b@x.example", "Anna@xn--bcher-kva.example"]);
    assert_eq!(listed(&world, KEY, "?reason=manual").await, ["Anna@xn--bcher-kva.example"]);
    let first = ask(&world, "GET", "/v1/suppressions?limit=1", KEY, None).await.json();
    assert_eq!((&first["has_more"], first["data"].as_array().unwrap().len()), (&json!(true), 1));
    let rest = format!("?limit=1&after={}", text(&first["next_cursor"]));
    assert_eq!(listed(&world, KEY, &rest).await, ["Anna@xn--bcher-kva.example"]);
    for path in ["/v1/suppressions/anna%40b%C3%BCcher.example", "/v1/suppressions/ANNA@xn--bcher-kva.example"] {
        assert_eq!(ask(&world, "GET", path, KEY, None).await.json(), made.json(), "{path}");
    }
    let gone = ask(&world, "DELETE", "/v1/suppressions/anna@xn--bcher-kva.example", KEY, None).await;
    assert_eq!((gone.status, gone.json()), (200, json!({"address": "anna@xn--bcher-kva.example", "deleted": true})));
    for (method, path) in [("GET", "anna@xn--bcher-kva.example"), ("DELETE", "anna@xn--bcher-kva.example"), ("GET", "nonsense")] {
        assert_eq!(fault(&ask(&world, method, &format!("/v1/suppressions/{path}"), KEY, None).await).1, "not_found", "{method} {path}");
    }
    for (body, field) in [
        (json!({}), "address"),
        (json!({"address": "nonsense"}), "address"),
        (json!({"address": "a@x.example", "reason": "spite"}), "reason"),
        (json!({"address": "a@x.example", "why": "spite"}), "why"),
    ] {
        assert_eq!(fault(&put(body).await).2, field);
    }
    let entries = world.get("/v1/audit-logs").await.json();
    let noted: Vec<_> = entries["data"].as_array().unwrap().iter().map(|entry| (text(&entry["action"]), text(&entry["target"]))).collect();
    let expected = [("delete", "Anna@xn--bcher-kva.example"), ("create", "b@x.example"), ("create", "Anna@xn--bcher-kva.example")];
    assert_eq!(noted, expected.map(|(action, target)| (format!("suppression.{action}"), target.to_owned())));
}

#[tokio::test]
async fn each_tenant_has_a_list_of_its_own() {
    let world = World::start().await;
    let (one, other) = (world.tenant("One").await, world.tenant("Other").await);
    let wanted = |tenant: &str| json!({"name": "k", "permissions": ["suppressions:read", "suppressions:write", "send", "logs:read"], "tenant_id": tenant});
    let (own, foreign) = (world.key(wanted(&one)).await.secret, world.key(wanted(&other)).await.secret);
    let body = Some(json!({"address": "anna@recipient.example"}));
    assert_eq!(ask(&world, "POST", "/v1/suppressions", &own, body.clone()).await.status, 201);
    assert_eq!(listed(&world, &own, "").await, ["anna@recipient.example"]);
    assert_eq!((listed(&world, &foreign, "").await.len(), listed(&world, KEY, "").await.len()), (0, 0));
    for method in ["GET", "DELETE"] {
        assert_eq!(ask(&world, method, "/v1/suppressions/anna@recipient.example", &foreign, None).await.status, 404);
    }
    let through = format!("/v1/tenants/{one}/suppressions/anna@recipient.example");
    assert_eq!(ask(&world, "GET", &through, KEY, None).await.status, 200);
    // The others' mail goes to it.
    let (suppressed, sent) = (world.send_as(&own, json!({})).await, world.send_as(&foreign, json!({})).await);
    let email = async |secret: &str, id: &str| ask(&world, "GET", &format!("/v1/emails/{id}"), secret, None).await.json();
    assert_eq!(email(&own, &suppressed).await["status"], "failed");
    assert_ne!(email(&foreign, &sent).await["status"], "failed");
    assert_eq!(ask(&world, "DELETE", &through, KEY, None).await.status, 200);
    let sent = world.send_as(&own, json!({})).await;
    assert_ne!(email(&own, &sent).await["status"], "failed");
}

#[tokio::test]
async fn who_bounces_for_good_is_not_written_to_again() {
    let faults = vec![Fault::reply(Phase::Rcpt, "550 5.1.1 No such user").for_local("gone")];
    let sink = Sink::start(SinkSettings { faults, ..SinkSettings::default() }).await;
    let world = World::relayed(sink.address(), &[]).await;
    let first = world.send(json!({"to": ["gone@recipient.example", "anna@recipient.example"]})).await;
    assert_eq!(world.settled(&first).await["status"], "bounced");
    let shown = world.get("/v1/suppressions/gone@recipient.example").await.json();
    assert_eq!(
        (&shown["reason"], &shown["email_id"], &shown["smtp_response"]),
        (&json!("bounce"), &json!(first), &json!("550 5.1.1 No such user"))
    );
    let before = sink.ledger().commands().len();
    let all = world.send(json!({"to": "GONE@recipient.example"})).await;
    let email = world.email(&all).await;
    assert_eq!(
        (&email["status"], &email["recipients"][0]["status"], &email["recipients"][0]["attempts"]),
        (&json!("failed"), &json!("suppressed"), &json!(0))
    );
    let events: Vec<_> = email["events"].as_array().unwrap().iter().map(|event| (text(&event["type"]), text(&event["to"]))).collect();
    assert_eq!(events, [("queued".to_owned(), String::new()), ("suppressed".to_owned(), "GONE@recipient.example".to_owned())]);
    assert_eq!(world.database.query_one_text("SELECT count(*) FROM queue").await, "0");
    assert_eq!(sink.ledger().commands().len(), before);
    // The others of a mail are written to, and only they.
    let some = world.send(json!({"to": "anna@recipient.example", "bcc": "gone@recipient.example"})).await;
    let email = world.settled(&some).await;
    let states: Vec<_> = email["recipients"].as_array().unwrap().iter().map(|recipient| text(&recipient["status"])).collect();
    assert_eq!((text(&email["status"]), states), ("failed".to_owned(), vec!["delivered".to_owned(), "suppressed".to_owned()]));
    assert_eq!(sink.ledger().delivered().last().unwrap().recipients, ["anna@recipient.example"]);
}
