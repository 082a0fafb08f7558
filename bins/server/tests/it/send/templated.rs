//! Emails made from templates.

use selfmx_testing::{HttpAnswer, Sink};
use serde_json::{Value, json};

use crate::process::KEY;
use crate::templates::made;
use crate::world::{World, email, fault, text};

/// An email that says nothing that a template may say, with these changes.
fn by(template: &str, data: Value, changes: Value) -> Value {
    let mut asked = json!({"from": null, "subject": null, "text": null, "template_id": template, "template_data": data});
    asked.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    email(&asked)
}

fn id(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

async fn send(world: &World, secret: &str, body: &Value) -> HttpAnswer {
    world.server.ask("POST", "/v1/send", Some(secret), Some(body)).await
}

async fn accepted(world: &World, body: &Value) -> Value {
    let answer = send(world, KEY, body).await;
    assert_eq!(answer.status, 202, "{body}: {}", answer.json());
    world.email(&text(&answer.json()["id"])).await
}

/// A template that says all that one can say.
async fn welcome(world: &World) -> String {
    let footer = json!({"name": "footer", "subject": "s", "html": "<i>{{shop}}</i>", "text": "-- {{shop}}"});
    made(world, footer).await;
    let content = json!({
        "name": "welcome", "subject": "Hello {{name}}", "html": "<p>{{name}}</p>{{> footer}}", "text": "Hi {{name}}\n{{> footer}}",
        "from": "{{shop}} <shop@sender.example>", "reply_to": ["help+{{name}}@sender.example"],
    });
    made(world, content).await
}

#[tokio::test]
async fn a_template_says_what_the_request_does_not_and_what_was_accepted_stays() {
    let sink = Sink::well_behaved().await;
    let world = World::relayed(sink.address(), &[]).await;
    let path = welcome(&world).await;
    let data = json!({"name": "A B", "shop": "Shop"});
    let refused = send(&world, KEY, &by("welcome", data, json!({}))).await;
    assert_eq!(refused.json()["error"]["part"], "reply_to", "{}", refused.json());
    let data = json!({"name": "Ann", "shop": "A&B"});
    let email = accepted(&world, &by("welcome", data.clone(), json!({"to": "ann@recipient.example"}))).await;
    for (field, expected) in [
        ("subject", json!("Hello Ann")),
        ("html", json!("<p>Ann</p><i>A&amp;B</i>")),
        ("text", json!("Hi Ann\n-- A&B")),
        ("from", json!("A&B <shop@sender.example>")),
        ("reply_to", json!(["help+Ann@sender.example"])),
        ("template_id", json!(id(&path))),
        ("template_version", json!(1)),
    ] {
        assert_eq!(email[field], expected, "{field}");
    }
    let mail = sink.wait_for(1).await.remove(0);
    let octets = String::from_utf8(mail.octets).unwrap();
    assert!(octets.contains("Subject: Hello Ann\r\n") && octets.contains("<i>A&amp;B</i>") && octets.contains("-- A&B\r\n"), "{octets}");

    let said = json!({"from": "me@sender.example", "subject": "Mine", "reply_to": "r@sender.example"});
    let own = accepted(&world, &by(id(&path), data.clone(), said)).await;
    assert_eq!(
        (&own["from"], &own["subject"], &own["reply_to"]),
        (&json!("me@sender.example"), &json!("Mine"), &json!(["r@sender.example"]))
    );
    assert_eq!(own["text"], email["text"]);

    let put = json!({"name": "welcome", "subject": "Changed"});
    assert_eq!(world.server.ask("PUT", &path, Some(KEY), Some(&put)).await.status, 200);
    assert_eq!(world.email(&text(&email["id"])).await["subject"], "Hello Ann");
    let without_body = send(&world, KEY, &by("welcome", json!({}), json!({"from": "me@sender.example"}))).await;
    assert_eq!(fault(&without_body), (400, "invalid_request".to_owned(), "text".to_owned()));
    assert_eq!(world.server.ask("DELETE", &path, Some(KEY), None).await.status, 200);
    assert_eq!(world.email(&text(&email["id"])).await["template_id"], id(&path));
}

#[tokio::test]
async fn what_a_template_makes_no_email_of_is_refused_with_its_place() {
    let world = World::start().await;
    made(&world, json!({"name": "n", "subject": "s {{x}}", "text": "t {{y.[0].z}}", "from": "{{from}}", "strict": true})).await;
    let mut data = json!({"x": "x", "y": [{"z": 1}], "from": "a@sender.example"});
    assert_eq!(send(&world, KEY, &by("n", data.clone(), json!({}))).await.status, 202);
    let refused = async |data: &Value, changes: Value| send(&world, KEY, &by("n", data.clone(), changes)).await.json()["error"].clone();
    data["y"] = json!([]);
    let error = refused(&data, json!({})).await;
    assert_eq!(
        (&error["code"], &error["template"], &error["part"], &error["line"], &error["column"]),
        (&json!("template_error"), &json!("n"), &json!("text"), &json!(1), &json!(3)),
        "{error}"
    );
    data["y"] = json!([{"z": 1}]);
    for (field, value, part) in [
        ("x", json!("a\r\nBcc: victim@x.example"), "subject"),
        ("x", json!("x".repeat(998)), "subject"),
        ("from", json!("nobody"), "from"),
        ("from", json!("a@sender.example\nb@x.example"), "from"),
        ("from", json!("a@sender.example, b@x.example"), "from"),
    ] {
        let mut data = data.clone();
        data[field] = value;
        let error = refused(&data, json!({})).await;
        assert_eq!((&error["code"], &error["part"]), (&json!("template_error"), &json!(part)), "{data}: {error}");
    }
    for (changes, field) in [
        (json!({"text": "mine"}), "text"),
        (json!({"html": "mine"}), "html"),
        (json!({"template_data": []}), "template_data"),
        (json!({"template_id": "other"}), "template_id"),
        (json!({"template_id": "tmpl_00000000000000000000000000"}), "template_id"),
        (json!({"template_id": 7}), "template_id"),
        (json!({"template_id": null, "from": "a@sender.example", "subject": "s", "text": "t"}), "template_data"),
        (json!({"to": "nobody"}), "to"),
    ] {
        let error = refused(&data, changes.clone()).await;
        assert_eq!((&error["code"], &error["field"]), (&json!("invalid_request"), &json!(field)), "{changes}: {error}");
    }
    assert_eq!(world.database.query_one_text("SELECT count(*) FROM emails").await, "1");
}

#[tokio::test]
async fn a_key_sends_by_its_own_templates_alone_and_learns_nothing_of_the_others() {
    let world = World::start().await;
    let plain = |name: &str| json!({"name": name, "subject": "{{#if (eq 1 1)}}s{{/if}}", "text": "t", "from": "a@sender.example"});
    let (mine, other) = (made(&world, plain("mine")).await, made(&world, plain("other")).await);
    let limited = json!({"name": "k", "permissions": ["send"], "allowed_templates": [id(&mine)]});
    let limited = world.key(limited).await.secret;
    for template in [id(&mine), "mine"] {
        assert_eq!(send(&world, &limited, &by(template, json!({}), json!({}))).await.status, 202, "{template}");
    }
    let mut told = Vec::new();
    // Whether there is such a template makes no difference.
    for template in [id(&other), "other", "tmpl_00000000000000000000000000", "nowhere"] {
        let mut answer = send(&world, &limited, &by(template, json!({}), json!({}))).await.json();
        assert_eq!(answer["error"]["code"], "template_not_allowed", "{template}: {answer}");
        answer["error"]["request_id"] = Value::Null;
        told.push(answer);
    }
    assert!(told.windows(2).all(|two| two[0] == two[1]), "{told:?}");
    assert_eq!(fault(&send(&world, &limited, &email(&json!({}))).await).1, "template_not_allowed");

    let shop = world.tenant("Shop").await;
    let key = world.key_for(&shop).await;
    for template in [id(&mine), "mine"] {
        let answer = send(&world, &key, &by(template, json!({}), json!({}))).await;
        assert_eq!(fault(&answer), (400, "invalid_request".to_owned(), "template_id".to_owned()), "{template}");
    }
    let acting = world.post(&format!("/v1/tenants/{shop}/send"), &by("mine", json!({}), json!({}))).await;
    assert_eq!(fault(&acting).2, "template_id");
}

#[tokio::test]
async fn each_email_of_a_batch_has_its_own_data_and_a_repeated_request_its_first_answer() {
    let world = World::start().await;
    let path = made(&world, json!({"name": "n", "subject": "{{x}}", "text": "t", "from": "a@sender.example", "strict": true})).await;
    let one = |x: Value| by("n", json!({"x": x}), json!({}));
    let batch = |emails: Value| json!({"emails": emails});
    let wrong = batch(json!([one(json!("1")), by("n", json!({}), json!({})), one(json!("3"))]));
    let error = world.post("/v1/send/batch", &wrong).await;
    assert_eq!((error.status, &error.json()["error"]["code"]), (400, &json!("template_error")));
    assert_eq!(error.json()["error"]["field"], "emails[1]");
    let told = world.post("/v1/send/batch?mode=permissive", &wrong).await.json();
    assert_eq!((&told["errors"][0]["index"], &told["errors"][0]["error"]["code"]), (&json!(1), &json!("template_error")), "{told}");
    let mut subjects = Vec::new();
    for sent in told["data"].as_array().unwrap() {
        subjects.push(text(&world.email(&text(&sent["id"])).await["subject"]));
    }
    assert_eq!(subjects, ["1", "3"]);

    let bearer = format!("Bearer {KEY}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json"), ("idempotency-key", "k-1")];
    let again =
        async |body: Value| world.server.connect().await.send_octets("POST", "/v1/send", &headers, body.to_string().into()).await.unwrap();
    let first = again(one(json!("x"))).await;
    let patch = json!({"subject": "other {{x}}"});
    assert_eq!(world.server.ask("PATCH", &path, Some(KEY), Some(&patch)).await.status, 200);
    let second = again(one(json!("x"))).await;
    assert_eq!((second.status, second.json()["id"] == first.json()["id"]), (202, true));
    assert_eq!(fault(&again(one(json!("y"))).await).1, "idempotency_conflict");
    let test_key = world.key(json!({"name": "t", "permissions": ["send"], "mode": "test"})).await.secret;
    assert_eq!(send(&world, &test_key, &one(json!("x"))).await.status, 202);
}
