//! Who an email is from and where answers go, where its tenant's settings say so, and whom a key and its tenant may send as.

use selfmx_testing::HttpAnswer;
use serde_json::{Value, json};

use crate::process::KEY;
use crate::world::{World, email, fault};

const ACME: &str = "Acme, Inc";

async fn change(world: &World, tenant: &str, change: Value) {
    let answer = world.server.ask("PATCH", &format!("/v1/tenants/{tenant}"), Some(KEY), Some(&change)).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
}

async fn try_send(world: &World, secret: &str, changes: Value) -> HttpAnswer {
    world.server.ask("POST", "/v1/send", Some(secret), Some(&email(&changes))).await
}

/// Who an email is from and where answers to it go, as it is read back.
async fn shown(world: &World, secret: &str, changes: Value) -> (Value, Value) {
    let id = world.send_as(secret, changes).await;
    let answer = world.server.ask("GET", &format!("/v1/emails/{id}"), Some(secret), None).await.json();
    (answer["from"].clone(), answer["reply_to"].clone())
}

fn refused(answer: &HttpAnswer) -> (u16, String) {
    let (status, code, _) = fault(answer);
    (status, code)
}

#[tokio::test]
async fn a_tenant_s_settings_say_what_a_request_does_not() {
    let world = World::start().await;
    let settings = json!({"from_name": ACME, "from_address": "hello@acme.example", "reply_to": "Help <help@acme.example>"});
    let tenant = world.tenant_of(json!({"name": "Acme", "settings": settings})).await;
    let secret = world.key_for(&tenant).await;
    let ours = (json!("\"Acme, Inc\" <hello@acme.example>"), json!(["Help <help@acme.example>"]));
    assert_eq!(shown(&world, &secret, json!({"from": null})).await, ours);
    let id = world.send_as(&secret, json!({"from": null})).await;
    let raw = world.server.ask("GET", &format!("/v1/emails/{id}/raw"), Some(&secret), None).await;
    let raw = String::from_utf8(raw.body.to_vec()).unwrap();
    assert!(
        raw.contains("From: \"Acme, Inc\" <hello@acme.example>\r\n") && raw.contains("Reply-To: \"Help\" <help@acme.example>\r\n"),
        "{raw}"
    );
    // What a request says stands as it is: an address without a name has none.
    for from in ["hello@acme.example", "Me <me@other.example>"] {
        assert_eq!(shown(&world, &secret, json!({"from": from, "reply_to": "a@x.example"})).await, (json!(from), json!(["a@x.example"])));
    }
    assert_eq!(shown(&world, &secret, json!({"from": "b@x.example", "reply_to": []})).await.1, ours.1);
    assert_eq!(fault(&try_send(&world, &secret, json!({"from": ""})).await), (400, "invalid_request".to_owned(), "from".to_owned()));
    // The settings of one tenant are nobody else's.
    assert_eq!(fault(&try_send(&world, KEY, json!({"from": null})).await), (400, "invalid_request".to_owned(), "from".to_owned()));
    // A name alone is not put beside an address that it does not belong to, and makes no sender.
    change(&world, &tenant, json!({"settings": {"from_address": null}})).await;
    assert_eq!(fault(&try_send(&world, &secret, json!({"from": null})).await), (400, "invalid_request".to_owned(), "from".to_owned()));
    assert_eq!(shown(&world, &secret, json!({"from": "c@x.example"})).await.0, "c@x.example");
    change(&world, &tenant, json!({"settings": {"from_name": null, "from_address": "bare@acme.example", "reply_to": null}})).await;
    assert_eq!(shown(&world, &secret, json!({"from": null})).await, (json!("bare@acme.example"), json!([])));
}

#[tokio::test]
async fn a_tenant_sends_from_its_domain_alone_however_that_is_spelt() {
    let world = World::start().await;
    let tenant = world.tenant_of(json!({"name": "Acme", "domain": "Bücher.example"})).await;
    let secret = world.key(json!({"name": "Send", "permissions": ["send"], "tenant_id": tenant})).await.secret;
    for from in
        ["a@bücher.example", "A <a@BÜCHER.example>", "a@xn--bcher-kva.example", "a@XN--BCHER-KVA.EXAMPLE", "a@bu\u{308}cher.example"]
    {
        assert_eq!(try_send(&world, &secret, json!({"from": from})).await.status, 202, "{from}");
    }
    for from in
        ["a@bucher.example", "a@mail.bücher.example", "a@bücher.example.evil.example", "a@example", "\"a@bücher.example\" <a@x.example>"]
    {
        assert_eq!(refused(&try_send(&world, &secret, json!({"from": from})).await), (403, "sender_not_allowed".to_owned()), "{from}");
    }
    // The platform's own mail is no tenant's business.
    assert_eq!(try_send(&world, KEY, json!({"from": "a@x.example"})).await.status, 202);
    change(&world, &tenant, json!({"domain": null})).await;
    assert_eq!(try_send(&world, &secret, json!({"from": "a@x.example"})).await.status, 202);
}

#[tokio::test]
async fn a_key_sends_as_those_that_it_may_and_a_default_sender_has_to_be_one_of_them() {
    let world = World::start().await;
    let tenant = world.tenant_of(json!({"name": "Acme", "settings": {"from_address": "shop@a.example"}})).await;
    let allowed = json!(["@BÜCHER.example", "Shop@a.example"]);
    let wanted = json!({"name": "Send", "permissions": ["send"], "tenant_id": tenant, "allowed_senders": allowed});
    let secret = world.key(wanted).await.secret;
    let told = async |from: Value| {
        let answer = try_send(&world, &secret, json!({"from": from})).await;
        if answer.status == 202 { (202, String::new()) } else { refused(&answer) }
    };
    for from in ["x@bücher.example", "X <y@xn--bcher-kva.example>", "shop@A.example", "SHOP@a.example"] {
        assert_eq!(told(json!(from)).await.0, 202, "{from}");
    }
    assert_eq!(told(Value::Null).await.0, 202);
    for from in
        ["other@a.example", "x@mail.bücher.example", "x@bucher.example", "shop@a.example.b.example", "\"shop@a.example\" <x@b.example>"]
    {
        assert_eq!(told(json!(from)).await, (403, "sender_not_allowed".to_owned()), "{from}");
    }
    change(&world, &tenant, json!({"settings": {"from_address": "other@a.example"}})).await;
    assert_eq!(told(Value::Null).await, (403, "sender_not_allowed".to_owned()));
    assert_eq!(world.database.query_one_text("SELECT count(*) FROM emails").await, "5");
}

#[tokio::test]
async fn a_key_that_is_limited_to_templates_sends_nothing_without_one() {
    let world = World::start().await;
    let limited = json!({"name": "Send", "permissions": ["*"], "allowed_templates": ["tmpl_01h455vb4pex5vsknk084sn02q"]});
    let secret = world.key(limited).await.secret;
    assert_eq!(refused(&try_send(&world, &secret, json!({})).await), (403, "template_not_allowed".to_owned()));
    assert_eq!(world.database.query_one_text("SELECT count(*) FROM emails").await, "0");
}
