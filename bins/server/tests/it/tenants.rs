//! `/v1/tenants`: made, changed, listed, found, suspended, resumed and deleted, by the platform alone.

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

/// Puts mails of a tenant's into the tables that are due in an hour.
const FILL: &str = "CREATE TEMPORARY TABLE fresh AS SELECT gen_random_uuid() AS id, (SELECT tenant_id FROM api_keys WHERE name = 'Full') AS tenant FROM generate_series(1, 5000); \
     INSERT INTO emails (id, tenant_id, api_key_id, mode, priority, smtputf8, from_address, subject, reply_to, tags, metadata) \
     SELECT id, tenant, tenant, 'live', 1, false, 'from@x.example', 's', '[]', '[]', '{}' FROM fresh; \
     INSERT INTO messages (email_id, text, raw) SELECT id, 't', 'raw' FROM fresh; \
     INSERT INTO recipients (email_id, ordinal, tenant_id, kind, address) SELECT id, 0, tenant, 'to', 'to@y.example' FROM fresh; \
     INSERT INTO events (email_id, id, tenant_id, kind, attempt) SELECT id, gen_random_uuid(), tenant, 'queued', 0 FROM fresh; \
     INSERT INTO queue (email_id, tenant_id, priority, due_at) SELECT id, tenant, 1, now() + interval '1 hour' FROM fresh";
const LEFT: &str = "SELECT (SELECT count(*) FROM emails WHERE subject = 's') + (SELECT count(*) FROM recipients WHERE address = 'to@y.example') \
     + (SELECT count(*) FROM messages WHERE raw = 'raw') + (SELECT count(*) FROM queue WHERE due_at > now() + interval '30 minutes')";

async fn delete(world: &World, tenant: &str) -> selfmx_testing::HttpAnswer {
    world.server.ask("DELETE", &format!("/v1/tenants/{tenant}"), Some(KEY), None).await
}

#[tokio::test]
async fn a_deleted_tenant_is_nowhere_any_more_and_its_keys_are_refused_at_once() {
    let world = World::start().await;
    let (tenant, other) = (world.tenant("Acme").await, world.tenant("Other").await);
    let key = world.key(json!({"name": "All", "permissions": ["*"], "tenant_id": tenant})).await;
    let kept = world.key(json!({"name": "All", "permissions": ["*"], "tenant_id": other})).await;
    let id = world.send_as(&key.secret, json!({})).await;
    let (before, unknown) = (world.get("/v1/tenants?limit=100").await.json(), "tenant_01h455vb4pex5vsknk084sn02q");
    let deleted = json!({"id": tenant, "deleted": true});
    for _ in 0..2 {
        let answer = delete(&world, &tenant).await;
        assert_eq!((answer.status, answer.json()), (200, deleted.clone()));
    }
    assert_eq!(fault(&world.server.ask("GET", "/v1/api-keys/me", Some(&key.secret), None).await).1, "invalid_api_key");
    assert_eq!(world.server.ask("GET", "/v1/api-keys/me", Some(&kept.secret), None).await.status, 200);
    // The same answers as for a tenant that never was.
    let email = email(&json!({}));
    for (method, rest, body) in [
        ("GET", "", None),
        ("PATCH", "", Some(json!({"name": "New"}))),
        ("POST", "/suspend", None),
        ("POST", "/resume", None),
        ("POST", "/send", Some(email)),
        ("GET", "/emails", None),
        ("GET", &format!("/emails/{id}"), None),
        ("GET", "/api-keys", None),
        ("POST", "/api-keys", Some(json!({"name": "Made", "permissions": ["send"]}))),
    ] {
        let asked = async |tenant: &str| {
            let answer = world.server.ask(method, &format!("/v1/tenants/{tenant}{rest}"), Some(KEY), body.as_ref()).await;
            fault(&answer)
        };
        assert_eq!(asked(&tenant).await, (404, "not_found".to_owned(), String::new()), "{method} {rest}");
        assert_eq!(asked(&tenant).await, asked(unknown).await, "{method} {rest}");
    }
    let wanted = json!({"name": "Made", "permissions": ["send"], "tenant_id": tenant});
    assert_eq!(fault(&world.post("/v1/api-keys", &wanted).await), (400, "invalid_request".to_owned(), "tenant_id".to_owned()));
    assert_eq!(world.get(&format!("/v1/api-keys/{}", key.id)).await.status, 404);
    let after = world.get("/v1/tenants?limit=100").await.json();
    let without: Vec<_> = before["data"].as_array().unwrap().iter().filter(|shown| shown["id"] != tenant.as_str()).collect();
    assert_eq!(after["data"], json!(without));
    for path in [unknown, "tenant_abc"] {
        assert_eq!(fault(&delete(&world, path).await).1, "not_found", "{path}");
    }
    let (status, code, _) = fault(&delete(&world, "tenant_default").await);
    assert_eq!((status, code.as_str()), (409, "conflict"));
    assert_eq!(world.get("/v1/tenants/tenant_default").await.status, 200);
    until(&world.database, "SELECT (SELECT count(*) FROM emails) + (SELECT count(*) FROM messages) + (SELECT count(*) FROM queue)", "0")
        .await;
}

/// The data goes in the background, over a kill of the server, and whoever sends meanwhile notices nothing.
#[tokio::test]
async fn a_tenant_with_5000_mails_is_erased_while_another_sends_and_the_server_is_killed() {
    let sink = Sink::start(SinkSettings::default()).await;
    let world = World::relayed(sink.address(), &[]).await;
    let tenant = world.tenant("Acme").await;
    world.key(json!({"name": "Full", "permissions": ["*"], "tenant_id": tenant})).await;
    world.database.execute(FILL).await;
    assert_eq!(world.database.query_one_text(LEFT).await, "20000");
    let mut sent = Vec::new();
    for _ in 0..20 {
        sent.push(world.send(json!({})).await);
    }
    assert_eq!(delete(&world, &tenant).await.status, 200);
    for _ in 0..40 {
        sent.push(world.send(json!({})).await);
    }
    until(&world.database, &format!("SELECT ({LEFT}) < 20000"), "t").await;
    let variables = [("SMTP_HOST", sink.address().ip().to_string()), ("SMTP_PORT", port(&sink)), ("SMTP_TLS", "false".to_owned())];
    let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let world = world.killed(&variables).await;
    for _ in 0..40 {
        sent.push(world.send(json!({})).await);
    }
    until(&world.database, LEFT, "0").await;
    until(&world.database, "SELECT count(*) FROM api_keys", "0").await;
    // Later, when no request can be under way that had begun before.
    assert_eq!(world.database.query_one_text("SELECT name FROM tenants WHERE deleted_at IS NOT NULL").await, "Acme");
    world
        .database
        .execute("UPDATE tenants SET deleted_at = deleted_at - interval '1 hour', erase_due_at = now() WHERE erase_due_at IS NOT NULL")
        .await;
    until(&world.database, "SELECT count(*) FROM tenants WHERE erased_at IS NOT NULL AND name = ''", "1").await;
    for id in &sent {
        assert_eq!(world.settled(id).await["status"], "delivered");
    }
    assert_eq!(world.database.query_one_text("SELECT count(*) FROM emails").await, "100");
    let told = world.get(&format!("/v1/audit-logs?tenant_id={tenant}")).await.json();
    let actions: Vec<_> = told["data"].as_array().unwrap().iter().map(|entry| text(&entry["action"])).collect();
    assert_eq!(actions, ["tenant.delete", "api_key.create", "tenant.create"]);
}
