//! `/v1/tenants`: made, changed, listed, found, suspended and resumed, by the platform alone.

use selfmx_testing::{Fault, Phase, Sink, SinkSettings};
use serde_json::{Value, json};

use crate::forms::{is_id, is_time};
use crate::process::{KEY, until};
use crate::world::{World, email, fault, port, refuses, text};

#[tokio::test]
async fn a_tenant_is_made_found_and_listed_newest_first() {
    let world = World::start().await;
    let mut tenants: Vec<Value> = world.get("/v1/tenants").await.json()["data"].as_array().unwrap().clone();
    assert_eq!(tenants.len(), 1);
    assert_eq!((&tenants[0]["id"], &tenants[0]["name"]), (&json!("tenant_default"), &json!("Default")));
    for name in [" Acme ", "Größe & Söhne 🎉", "Acme"] {
        let answer = world.post("/v1/tenants", &json!({"name": name})).await;
        let made = answer.json();
        assert_eq!((answer.status, &made["name"]), (201, &json!(name.trim())));
        assert!(is_id("tenant", &made["id"]) && is_time(&made["created_at"]), "{made}");
        let found = world.get(&format!("/v1/tenants/{}", text(&made["id"]))).await;
        assert_eq!((found.status, found.json()), (200, made.clone()));
        tenants.insert(0, made);
    }
    assert_eq!(world.get("/v1/tenants").await.json(), json!({"data": tenants, "has_more": false, "next_cursor": null}));
    let first = world.get("/v1/tenants?limit=3").await.json();
    assert_eq!(first, json!({"data": tenants[..3], "has_more": true, "next_cursor": tenants[2]["id"]}));
    let rest = world.get(&format!("/v1/tenants?limit=3&after={}", text(&first["next_cursor"]))).await.json();
    assert_eq!(rest, json!({"data": tenants[3..], "has_more": false, "next_cursor": null}));
    for tenant in ["tenant_01h455vb4pex5vsknk084sn02q", "tenant_abc", "key_default"] {
        assert_eq!(fault(&world.get(&format!("/v1/tenants/{tenant}")).await).1, "not_found", "{tenant}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_wanted_tenant_is_named() {
    let world = World::start().await;
    let cases = [
        (json!({}), "invalid_request", "name"),
        (json!({"name": ""}), "invalid_request", "name"),
        (json!({"name": "n".repeat(101)}), "invalid_request", "name"),
        (json!({"name": "a\tb"}), "invalid_request", "name"),
        (json!({"name": ["Acme"]}), "invalid_request", "name"),
        (json!([]), "invalid_request", ""),
        (json!({"name": "Acme", "domain": "a@acme.example"}), "invalid_request", "domain"),
        (json!({"name": "Acme", "settings": {"from": "x"}}), "unknown_field", "settings.from"),
        (json!({"name": "Acme", "settings": {"from_address": "x"}}), "invalid_request", "settings.from_address"),
        (
            json!({"name": "Acme", "domain": "a.example", "settings": {"from_address": "x@b.example"}}),
            "invalid_request",
            "settings.from_address",
        ),
        (json!({"name": "Acme", "rate_limit": {"requests_per_minute": 1.5}}), "invalid_request", "rate_limit.requests_per_minute"),
        (json!({"name": "Acme", "rate_limit": {"emails_per_day": -1}}), "invalid_request", "rate_limit.emails_per_day"),
        (json!({"name": "Acme", "status": "suspended"}), "unknown_field", "status"),
    ];
    refuses(&world, "/v1/tenants", cases.map(|(body, code, field)| (body, code, field.to_owned()))).await;
    assert_eq!(world.get("/v1/tenants").await.json()["data"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_tenant_is_shown_with_all_that_was_said_and_changed_by_merging() {
    let world = World::start().await;
    let wanted = json!({
        "name": "Acme", "domain": "Bücher.example", "settings": {"from_name": "Shop", "from_address": "shop@bücher.example", "reply_to": "Help <help@x.example>"},
        "rate_limit": {"requests_per_minute": 100, "emails_per_day": 5},
    });
    let made = world.post("/v1/tenants", &wanted).await.json();
    assert!(is_time(&made["created_at"]), "{made}");
    let mut expected = json!({
        "id": made["id"], "name": "Acme", "status": "active", "domain": "xn--bcher-kva.example",
        "settings": {"from_name": "Shop", "from_address": "shop@xn--bcher-kva.example", "reply_to": "Help <help@x.example>"},
        "rate_limit": {"requests_per_minute": 100, "emails_per_day": 5}, "created_at": made["created_at"], "updated_at": made["created_at"],
    });
    assert_eq!(made, expected);
    let path = format!("/v1/tenants/{}", text(&made["id"]));
    let changes = [
        ("PATCH", json!({}), json!({})),
        (
            "PUT",
            json!({"name": "New", "settings": {"from_name": null}}),
            json!({"name": "New", "settings": {"from_address": "shop@xn--bcher-kva.example", "reply_to": "Help <help@x.example>"}}),
        ),
        ("PATCH", json!({"rate_limit": {"emails_per_day": 0}}), json!({"rate_limit": {"requests_per_minute": 100}})),
        ("PUT", json!({"rate_limit": {"requests_per_minute": 0}}), json!({"rate_limit": {"requests_per_minute": 0}})),
        (
            "PATCH",
            json!({"settings": null, "rate_limit": null, "domain": "x.example"}),
            json!({"settings": {}, "rate_limit": {}, "domain": "x.example"}),
        ),
        ("PATCH", json!({"settings": {"from_address": "a@x.example"}}), json!({"settings": {"from_address": "a@x.example"}})),
    ];
    for (method, change, shown) in changes {
        let answer = world.server.ask(method, &path, Some(KEY), Some(&change)).await;
        let body = answer.json();
        assert_eq!(answer.status, 200, "{change}: {body}");
        assert!(is_time(&body["updated_at"]) && text(&body["updated_at"]) >= text(&expected["updated_at"]), "{body}");
        expected.as_object_mut().unwrap().extend(shown.as_object().unwrap().clone());
        expected["updated_at"] = body["updated_at"].clone();
        assert_eq!(body, expected, "{change}");
        assert_eq!(world.get(&path).await.json(), expected, "{change}");
    }
    for (change, field) in [
        (json!({"name": null}), "name"),
        (json!({"domain": "y.example"}), "settings.from_address"),
        (json!({"settings": {"from_address": "a@y.example"}}), "settings.from_address"),
        (json!({"id": "tenant_default"}), "id"),
        (json!({"settings": []}), "settings"),
    ] {
        let (status, _, named) = fault(&world.server.ask("PATCH", &path, Some(KEY), Some(&change)).await);
        assert_eq!((status, named.as_str()), (400, field), "{change}");
        assert_eq!(world.get(&path).await.json(), expected, "{change}");
    }
    for tenant in ["tenant_01h455vb4pex5vsknk084sn02q", "tenant_abc"] {
        let answer = world.server.ask("PATCH", &format!("/v1/tenants/{tenant}"), Some(KEY), Some(&json!({"name": "x"}))).await;
        assert_eq!(fault(&answer).1, "not_found", "{tenant}");
    }
}

#[tokio::test]
async fn the_default_tenant_can_be_changed() {
    let world = World::start().await;
    let answer =
        world.server.ask("PUT", "/v1/tenants/tenant_default", Some(KEY), Some(&json!({"name": "Home", "domain": "home.example"}))).await;
    assert_eq!((answer.status, &answer.json()["name"]), (200, &json!("Home")));
    assert_eq!(world.get("/v1/tenants/tenant_default").await.json(), answer.json());
}

#[tokio::test]
async fn a_tenant_s_key_acts_within_its_tenant_and_a_platform_key_on_the_default_one() {
    let world = World::start().await;
    let tenant = world.tenant("Acme").await;
    let key = world.key(json!({"name": "All", "permissions": ["*"], "tenant_id": tenant})).await;
    let default = world.key(json!({"name": "All", "permissions": ["*"], "tenant_id": "tenant_default"})).await;
    let (theirs, ours) = (world.send_as(&key.secret, json!({})).await, world.send(json!({})).await);
    let found = async |secret: &str, id: &str| world.server.ask("GET", &format!("/v1/emails/{id}"), Some(secret), None).await.status;
    assert_eq!((found(&key.secret, &theirs).await, found(&key.secret, &ours).await), (200, 404));
    assert_eq!((found(KEY, &theirs).await, found(KEY, &ours).await), (404, 200));
    assert_eq!((found(&default.secret, &theirs).await, found(&default.secret, &ours).await), (404, 200));
    // Being confined to the default tenant is not being a platform key.
    assert_eq!(world.server.ask("GET", "/v1/tenants", Some(&default.secret), None).await.status, 403);
}

#[tokio::test]
async fn a_suspended_tenant_is_shown_as_such_and_sends_nothing_until_it_is_resumed() {
    let world = World::start().await;
    let tenant = world.tenant("Acme").await;
    let key = world.key(json!({"name": "All", "permissions": ["*"], "tenant_id": tenant})).await;
    let path = format!("/v1/tenants/{tenant}");
    let turn = async |turn: &str| {
        let answer = world.server.ask("POST", &format!("{path}/{turn}"), Some(KEY), None).await;
        assert_eq!(answer.status, 200, "{turn}: {}", answer.json());
        assert_eq!(world.get(&path).await.json(), answer.json());
        answer.json()
    };
    let sends = async || world.server.ask("POST", "/v1/send", Some(&key.secret), Some(&email(&json!({})))).await;
    let before = world.get(&path).await.json();
    assert_eq!(turn("resume").await, before);
    let suspended = turn("suspend").await;
    assert_eq!((&suspended["status"], &suspended["suspended_at"]), (&json!("suspended"), &suspended["updated_at"]));
    assert!(is_time(&suspended["suspended_at"]), "{suspended}");
    assert_eq!(fault(&sends().await), (403, "tenant_suspended".to_owned(), String::new()));
    assert_eq!(turn("suspend").await, suspended);
    // What it sent it can read, and it can be changed.
    assert_eq!(world.server.ask("GET", "/v1/emails", Some(&key.secret), None).await.status, 200);
    let renamed = world.server.ask("PATCH", &path, Some(KEY), Some(&json!({"name": "New"}))).await.json();
    assert_eq!((&renamed["status"], &renamed["suspended_at"]), (&json!("suspended"), &suspended["suspended_at"]));
    let resumed = turn("resume").await;
    assert_eq!((&resumed["status"], resumed.get("suspended_at")), (&json!("active"), None));
    assert_eq!(sends().await.status, 202);
    for tenant in ["tenant_01h455vb4pex5vsknk084sn02q", "tenant_abc"] {
        for turn in ["suspend", "resume"] {
            let answer = world.server.ask("POST", &format!("/v1/tenants/{tenant}/{turn}"), Some(KEY), None).await;
            assert_eq!(fault(&answer).1, "not_found", "{tenant} {turn}");
        }
    }
}

/// What waits for another attempt when its tenant is suspended waits until it is resumed; the others' mail goes on.
#[tokio::test]
async fn what_a_suspended_tenant_has_queued_is_held_and_delivered_once_it_is_resumed() {
    let later = Fault::reply(Phase::Rcpt, "450 4.2.1 Come back later").for_local("later").on_first_connections(1);
    let sink = Sink::start(SinkSettings { faults: vec![later], ..SinkSettings::default() }).await;
    let world = World::relayed(sink.address(), &[("QUEUE_RETRY_DELAY", "3600"), ("SMTP_POOL_SIZE", "1")]).await;
    let tenant = world.tenant("Acme").await;
    let key = world.key(json!({"name": "All", "permissions": ["*"], "tenant_id": tenant})).await;
    let id = world.send_as(&key.secret, json!({"to": "later@r.example"})).await;
    until(&world.database, "SELECT count(*) FROM recipients WHERE attempts = 1", "1").await;
    let turn = async |turn: &str| {
        let answer = world.server.ask("POST", &format!("/v1/tenants/{tenant}/{turn}"), Some(KEY), None).await;
        assert_eq!(answer.status, 200, "{}", answer.json());
    };
    turn("suspend").await;
    world.database.execute("UPDATE queue SET due_at = now() - interval '1 hour'").await;
    let other = world.send(json!({"to": "fine@r.example"})).await;
    assert_eq!(world.settled(&other).await["status"], "delivered");
    until(&world.database, "SELECT count(*) FROM queue WHERE held", "1").await;
    assert_eq!(sink.ledger().delivered().len(), 1);
    // A later connection, to which the sink gives no such answer.
    assert_eq!(world.server.ask("GET", &format!("/v1/emails/{id}"), Some(&key.secret), None).await.json()["status"], "queued");
    let world =
        world.restarted(&[("SMTP_HOST", &sink.address().ip().to_string()), ("SMTP_PORT", &port(&sink)), ("SMTP_TLS", "false")]).await;
    world.server.ask("POST", &format!("/v1/tenants/{tenant}/resume"), Some(KEY), None).await;
    until(&world.database, "SELECT count(*) FROM queue", "0").await;
    let email = world.server.ask("GET", &format!("/v1/emails/{id}"), Some(&key.secret), None).await.json();
    assert_eq!((&email["status"], &email["recipients"][0]["attempts"]), (&json!("delivered"), &json!(2)));
    assert_eq!(sink.ledger().delivered().len(), 2);
}
