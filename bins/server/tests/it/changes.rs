//! `PATCH /v1/api-keys/{id}` and `POST .../rotate`: what becomes of a key, and what its holder can no longer do from that instant.

use selfmx_testing::HttpAnswer;
use serde_json::{Value, json};

use crate::forms::is_secret;
use crate::process::{KEY, until};
use crate::world::{Made, World, fault, text};

async fn patch(world: &World, by: &str, id: &str, change: Value) -> HttpAnswer {
    world.server.ask("PATCH", &format!("/v1/api-keys/{id}"), Some(by), Some(&change)).await
}

async fn rotate(world: &World, by: &str, id: &str, body: Option<Value>) -> HttpAnswer {
    world.server.ask("POST", &format!("/v1/api-keys/{id}/rotate"), Some(by), body.as_ref()).await
}

async fn status(world: &World, secret: &str) -> u16 {
    world.server.ask("GET", "/v1/api-keys/me", Some(secret), None).await.status
}

async fn usual(world: &World) -> Made {
    world.key(json!({"name": "Usual", "permissions": ["send", "logs:read"]})).await
}

#[tokio::test]
async fn a_change_touches_what_it_names_and_null_lifts_a_bound() {
    let world = World::start().await;
    let key = usual(&world).await;
    let bounds = json!({
        "name": "Narrow", "permissions": ["send"], "expires_at": "2040-01-01T00:00:00Z", "allowed_ips": ["127.0.0.0/8", "::1"],
        "allowed_senders": ["@BÜCHER.example"], "allowed_templates": ["tmpl_01h455vb4pex5vsknk084sn02q"], "rate_limit": {"requests_per_minute": 5},
    });
    let narrow = patch(&world, KEY, &key.id, bounds).await;
    let shown = narrow.json();
    assert_eq!(narrow.status, 200, "{shown}");
    assert_eq!((&shown["name"], &shown["permissions"], &shown["enabled"]), (&json!("Narrow"), &json!(["send"]), &json!(true)));
    assert_eq!((&shown["expires_at"], &shown["rate_limit"]), (&json!("2040-01-01T00:00:00.000Z"), &json!({"requests_per_minute": 5})));
    assert_eq!(
        (&shown["allowed_ips"], &shown["allowed_senders"]),
        (&json!(["127.0.0.0/8", "::1/128"]), &json!(["@xn--bcher-kva.example"]))
    );
    assert_eq!(shown["allowed_templates"], json!(["tmpl_01h455vb4pex5vsknk084sn02q"]));
    assert!(shown.get("key").is_none());
    assert_eq!(world.get(&format!("/v1/api-keys/{}", key.id)).await.json(), shown);
    // Absent is as it was.
    assert_eq!(patch(&world, KEY, &key.id, json!({})).await.json(), shown);
    let lifted = json!({"expires_at": null, "allowed_ips": null, "allowed_senders": null, "allowed_templates": null, "rate_limit": null});
    let lifted = patch(&world, KEY, &key.id, lifted).await.json();
    for bound in ["expires_at", "allowed_ips", "allowed_senders", "allowed_templates", "rate_limit"] {
        assert!(lifted.get(bound).is_none(), "{bound}: {lifted}");
    }
    for (change, code, field) in [
        (json!({"name": null}), "invalid_request", "name"),
        (json!({"permissions": []}), "invalid_request", "permissions"),
        (json!({"allowed_ips": []}), "invalid_request", "allowed_ips"),
        (json!({"expires_at": "2020-01-01T00:00:00Z"}), "invalid_request", "expires_at"),
        (json!({"mode": "test"}), "unknown_field", "mode"),
        (json!({"tenant_id": null}), "unknown_field", "tenant_id"),
    ] {
        assert_eq!(fault(&patch(&world, KEY, &key.id, change.clone()).await), (400, code.to_owned(), field.to_owned()), "{change}");
    }
}

#[tokio::test]
async fn a_key_is_switched_off_and_on_again() {
    let world = World::start().await;
    let key = usual(&world).await;
    assert_eq!(status(&world, &key.secret).await, 200);
    assert_eq!(patch(&world, KEY, &key.id, json!({"enabled": false})).await.json()["enabled"], false);
    assert_eq!(status(&world, &key.secret).await, 401);
    assert_eq!(patch(&world, KEY, &key.id, json!({"enabled": true})).await.status, 200);
    assert_eq!(status(&world, &key.secret).await, 200);
}

#[tokio::test]
async fn no_key_widens_itself_or_takes_over_a_wider_one() {
    let world = World::start().await;
    let wanted = json!({"name": "Writer", "permissions": ["api-keys:write", "send"], "allowed_senders": ["@a.example"], "rate_limit": {"requests_per_minute": 50},
        "allowed_ips": ["127.0.0.0/8"], "expires_at": "2040-01-01T00:00:00Z", "mode": "test"});
    let writer = world.key(wanted).await;
    for (change, field) in [
        (json!({"permissions": ["api-keys:write", "send", "logs:read"]}), "permissions"),
        (json!({"permissions": ["*"]}), "permissions"),
        (json!({"expires_at": null}), "expires_at"),
        (json!({"expires_at": "2040-01-01T00:00:01Z"}), "expires_at"),
        (json!({"allowed_senders": null}), "allowed_senders"),
        (json!({"allowed_senders": ["@a.example", "x@b.example"]}), "allowed_senders"),
        (json!({"allowed_ips": null}), "allowed_ips"),
        (json!({"allowed_ips": ["127.0.0.0/7"]}), "allowed_ips"),
        (json!({"rate_limit": null}), "rate_limit"),
        (json!({"rate_limit": {"requests_per_minute": 51}}), "rate_limit"),
        (json!({"rate_limit": {"requests_per_minute": 0}}), "rate_limit"),
    ] {
        let expected = if field == "allowed_ips" && change["allowed_ips"][0] == "127.0.0.0/7" { 400 } else { 403 };
        let answer = patch(&world, &writer.secret, &writer.id, change.clone()).await;
        assert_eq!((answer.status, fault(&answer).2.starts_with(field)), (expected, true), "{change}: {}", answer.json());
    }
    // It narrows itself, and is the narrower from then on.
    assert_eq!(patch(&world, &writer.secret, &writer.id, json!({"allowed_senders": ["x@a.example"]})).await.status, 200);
    assert_eq!(patch(&world, &writer.secret, &writer.id, json!({"allowed_senders": ["@a.example"]})).await.status, 403);
    // What it could not have made it can neither change nor get the secret of; only its end is in its hands.
    let wide = usual(&world).await;
    assert_eq!(patch(&world, &writer.secret, &wide.id, json!({"name": "Mine"})).await.status, 403);
    assert_eq!(rotate(&world, &writer.secret, &wide.id, None).await.status, 403);
    assert_eq!(status(&world, &wide.secret).await, 200);
    assert_eq!(rotate(&world, &writer.secret, &writer.id, None).await.status, 201);
}

#[tokio::test]
async fn a_rotated_key_has_a_new_secret_and_the_old_one_lives_as_long_as_its_grace() {
    let world = World::start().await;
    let key = usual(&world).await;
    let first = rotate(&world, KEY, &key.id, Some(json!({"grace_period_seconds": 3600}))).await;
    let shown = first.json();
    assert_eq!((first.status, first.header("cache-control"), &shown["id"]), (201, Some("no-store"), &json!(key.id)));
    assert!(is_secret("sk_live_", &shown["key"]) && shown["previous_secret_until"].is_string(), "{shown}");
    let second = text(&shown["key"]);
    assert_eq!((status(&world, &key.secret).await, status(&world, &second).await), (200, 200));
    // Only two live at once: the next rotation ends the first secret, whatever its grace.
    let third = text(&rotate(&world, KEY, &key.id, Some(json!({"grace_period_seconds": 3600}))).await.json()["key"]);
    assert_eq!((status(&world, &key.secret).await, status(&world, &second).await, status(&world, &third).await), (401, 200, 200));
    // The grace ends by the database's clock.
    world.database.execute("UPDATE api_keys SET previous_until = now() + interval '300 milliseconds'").await;
    until(&world.database, "SELECT bool_and(previous_until < now()) FROM api_keys WHERE previous_until IS NOT NULL", "t").await;
    let changed = patch(&world, KEY, &key.id, json!({"name": "Changed"})).await;
    assert_eq!(changed.status, 200);
    assert_eq!((status(&world, &second).await, status(&world, &third).await), (401, 200));
    // Without a grace there is none, and a revoked key has no secret at all.
    let fourth = text(&rotate(&world, KEY, &key.id, None).await.json()["key"]);
    assert_eq!((status(&world, &third).await, status(&world, &fourth).await), (401, 200));
    let fifth = text(&rotate(&world, KEY, &key.id, Some(json!({"grace_period_seconds": 3600}))).await.json()["key"]);
    assert_eq!(world.server.ask("DELETE", &format!("/v1/api-keys/{}", key.id), Some(KEY), None).await.status, 200);
    assert_eq!((status(&world, &fourth).await, status(&world, &fifth).await), (401, 401));
    for (method, path) in [("POST", format!("/v1/api-keys/{}/rotate", key.id)), ("PATCH", format!("/v1/api-keys/{}", key.id))] {
        assert_eq!(fault(&world.server.ask(method, &path, Some(KEY), Some(&json!({}))).await).1, "conflict");
    }
    for seconds in [json!(-1), json!(2_592_001), json!("60"), json!(1.5)] {
        let refused = rotate(&world, KEY, &usual(&world).await.id, Some(json!({"grace_period_seconds": seconds}))).await;
        assert_eq!(fault(&refused), (400, "invalid_request".to_owned(), "grace_period_seconds".to_owned()));
    }
}

#[tokio::test]
async fn the_operator_s_own_key_is_changed_where_it_was_set() {
    let world = World::start().await;
    for answer in [patch(&world, KEY, "key_default", json!({"name": "Mine"})).await, rotate(&world, KEY, "key_default", None).await] {
        assert_eq!(fault(&answer), (409, "conflict".to_owned(), String::new()));
        assert!(text(&answer.json()["error"]["message"]).contains("API_KEY"));
    }
}

#[tokio::test]
async fn a_key_is_good_only_where_it_may_be_used_and_for_whom_it_may_send() {
    let world = World::start_with(&[("TRUSTED_PROXIES", "127.0.0.1")]).await;
    let wanted = json!({"name": "Bound", "permissions": ["send"], "allowed_ips": ["192.0.2.0/24", "2001:db8::/32"], "allowed_senders": ["@sender.example", "Boss@b.example"]});
    let key = world.key(wanted).await;
    let bearer = format!("Bearer {}", key.secret);
    let from = async |address: &str, body: Value| {
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json"), ("x-forwarded-for", address)];
        world.server.connect().await.send_octets("POST", "/v1/send", &headers, body.to_string().into()).await.unwrap()
    };
    let mail = |sender: &str| json!({"from": sender, "to": "anna@recipient.example", "subject": "s", "text": "t"});
    for address in ["192.0.2.7", "2001:db8::1", "::ffff:192.0.2.7"] {
        assert_eq!(from(address, mail("shop@sender.example")).await.status, 202, "{address}");
    }
    for address in ["198.51.100.7", "2001:db9::1", "127.0.0.1", "unknown"] {
        assert_eq!(
            fault(&from(address, mail("shop@sender.example")).await),
            (403, "ip_not_allowed".to_owned(), String::new()),
            "{address}"
        );
    }
    for sender in ["boss@b.example", "Any <x@SENDER.example>"] {
        assert_eq!(from("192.0.2.7", mail(sender)).await.status, 202, "{sender}");
    }
    for sender in ["other@b.example", "x@mail.sender.example", "x@sender.example.evil.example"] {
        assert_eq!(fault(&from("192.0.2.7", mail(sender)).await).1, "sender_not_allowed", "{sender}");
    }
}
