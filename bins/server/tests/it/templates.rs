//! `/v1/templates`: made, changed, brought back, rendered, checked; each tenant's own.

use selfmx_testing::HttpAnswer;
use serde_json::{Value, json};

use crate::forms::{is_id, is_time};
use crate::process::KEY;
use crate::world::{World, fault, text};

async fn ask(world: &World, method: &str, path: &str, body: Value) -> HttpAnswer {
    let body = if body.is_null() { None } else { Some(&body) };
    world.server.ask(method, path, Some(KEY), body).await
}

/// Makes a template, and gives its path.
pub(crate) async fn made(world: &World, wanted: Value) -> String {
    let answer = world.post("/v1/templates", &wanted).await;
    assert_eq!(answer.status, 201, "{wanted}: {}", answer.json());
    format!("/v1/templates/{}", text(&answer.json()["id"]))
}

#[tokio::test]
async fn a_template_is_made_found_changed_brought_back_and_deleted() {
    let world = World::start().await;
    let wanted = json!({"name": "welcome", "subject": "Hello {{name}}", "html": "<p>{{name}}</p>", "reply_to": "help@x.example"});
    let answer = world.post("/v1/templates", &wanted).await;
    let first = answer.json();
    assert_eq!(answer.status, 201, "{first}");
    assert!(is_id("tmpl", &first["id"]) && is_time(&first["created_at"]) && is_time(&first["updated_at"]), "{first}");
    let shown = (&first["name"], &first["version"], &first["subject"], &first["text"], &first["reply_to"], &first["strict"]);
    assert_eq!(shown, (&json!("welcome"), &json!(1), &json!("Hello {{name}}"), &Value::Null, &json!(["help@x.example"]), &json!(false)));
    let path = format!("/v1/templates/{}", text(&first["id"]));
    assert_eq!(world.get(&path).await.json(), first);

    let patched = ask(&world, "PATCH", &path, json!({"text": "Hi {{name}}", "html": null, "strict": true})).await.json();
    assert_eq!(
        (&patched["version"], &patched["html"], &patched["text"], &patched["name"]),
        (&json!(2), &Value::Null, &json!("Hi {{name}}"), &json!("welcome"))
    );
    assert_eq!(ask(&world, "PATCH", &path, json!({"strict": true})).await.json(), patched, "nothing changed: no version");
    let put = ask(&world, "PUT", &path, json!({"name": "hello", "subject": "s"})).await.json();
    assert_eq!((&put["version"], &put["text"], &put["reply_to"], &put["strict"]), (&json!(3), &Value::Null, &json!([]), &json!(false)));
    let restored = ask(&world, "POST", &format!("{path}/versions/1/restore"), Value::Null).await.json();
    assert_eq!((&restored["version"], &restored["html"], &restored["name"]), (&json!(4), &first["html"], &json!("hello")));
    let versions = world.get(&format!("{path}/versions")).await.json();
    let told: Vec<_> =
        versions["data"].as_array().unwrap().iter().map(|version| (version["version"].clone(), text(&version["name"]))).collect();
    assert_eq!(
        told,
        [
            (json!(4), "hello".to_owned()),
            (json!(3), "hello".to_owned()),
            (json!(2), "welcome".to_owned()),
            (json!(1), "welcome".to_owned())
        ]
    );
    for missing in ["0", "5", "x", "-1", "99999999999"] {
        assert_eq!(ask(&world, "POST", &format!("{path}/versions/{missing}/restore"), Value::Null).await.status, 404, "{missing}");
    }

    let second = made(&world, json!({"name": "second", "subject": "s"})).await;
    assert_eq!(fault(&ask(&world, "PATCH", &second, json!({"name": "hello"})).await), (409, "conflict".to_owned(), "name".to_owned()));
    assert_eq!(fault(&world.post("/v1/templates", &json!({"name": "hello", "subject": "s"})).await).1, "conflict");
    let page = world.get("/v1/templates?limit=1").await.json();
    assert_eq!((&page["data"][0]["name"], &page["has_more"]), (&json!("second"), &json!(true)));
    let rest = world.get(&format!("/v1/templates?limit=1&after={}", text(&page["next_cursor"]))).await.json();
    assert_eq!((&rest["data"][0]["name"], &rest["data"][0]["version"], &rest["has_more"]), (&json!("hello"), &json!(4), &json!(false)));
    let gone = ask(&world, "DELETE", &path, Value::Null).await;
    assert_eq!((gone.status, gone.json()), (200, json!({"id": first["id"], "deleted": true})));
    for (method, path) in [("GET", path.clone()), ("DELETE", path.clone()), ("GET", format!("{path}/versions")), ("PATCH", path.clone())] {
        assert_eq!(ask(&world, method, &path, json!({})).await.status, 404, "{method}");
    }
    let entries = world.get("/v1/audit-logs?limit=50").await.json();
    let noted: Vec<_> =
        entries["data"].as_array().unwrap().iter().rev().map(|entry| (text(&entry["action"]), text(&entry["code"]))).collect();
    let done = |action: &str| (format!("template.{action}"), String::new());
    let refused = |action: &str| (format!("template.{action}"), "conflict".to_owned());
    assert_eq!(
        noted,
        [
            done("create"),
            done("update"),
            done("update"),
            done("restore"),
            done("create"),
            refused("update"),
            refused("create"),
            done("delete")
        ]
    );
    let newest = &entries["data"][0];
    assert_eq!((&newest["target"], &newest["before"]), (&first["id"], &json!({"name": "hello", "version": 4})));
}

#[tokio::test]
async fn what_cannot_be_used_is_refused_with_its_place_and_nothing_is_kept() {
    let world = World::start().await;
    let error = async |path: &str, body: Value| {
        let answer = world.post(path, &body).await;
        assert_eq!((answer.status, fault(&answer).1.as_str()), (400, "template_error"), "{body}: {}", answer.json());
        answer.json()["error"].clone()
    };
    for path in ["/v1/templates", "/v1/templates/validate"] {
        let told = error(path, json!({"name": "n", "subject": "s", "html": "<p>\n  {{shout x}}"})).await;
        assert_eq!((&told["template"], &told["part"], &told["line"], &told["column"]), (&json!("n"), &json!("html"), &json!(2), &json!(3)));
        let told = error(path, json!({"name": "n", "subject": "s", "text": "{{> missing}}"})).await;
        assert_eq!(
            (&told["part"], &told["message"]),
            (&json!("text"), &json!("template `n`, text, line 1, column 1: there is no template `missing` to take as a partial"))
        );
        error(path, json!({"name": "n", "subject": "{{> n}}"})).await;
        error(path, json!({"name": "n", "subject": "{{#*inline \"p\"}}{{> p}}{{/inline}}{{> p}}"})).await;
        error(path, json!({"name": "n", "subject": "{{#if a}}".repeat(50_000)})).await;
        assert_eq!(fault(&world.post(path, &json!({"name": "tmpl_a", "subject": "s"})).await).2, "name");
        assert_eq!(fault(&world.post(path, &json!({"name": "n"})).await).2, "subject");
        assert_eq!(fault(&world.post(path, &json!({"name": "n", "subject": "s", "body": "b"})).await).1, "unknown_field");
    }
    assert_eq!(world.database.query_one_text("SELECT count(*) FROM templates").await, "0");
    let footer = made(&world, json!({"name": "footer", "subject": "s", "text": "bye"})).await;
    made(&world, json!({"name": "mail", "subject": "s", "text": "{{> footer}}"})).await;
    let cycle = ask(&world, "PATCH", &footer, json!({"text": "{{> mail}}"})).await;
    assert_eq!(fault(&cycle).1, "template_error");
    assert!(text(&cycle.json()["error"]["message"]).contains("footer > mail > footer"), "{}", cycle.json());
    let valid = world.post("/v1/templates/validate", &json!({"subject": "s", "text": "{{> footer}}{{> mail}}"})).await;
    assert_eq!((valid.status, valid.json()), (200, json!({"valid": true, "partials": ["footer", "mail"]})));
}

#[tokio::test]
async fn a_template_is_rendered_with_data_and_within_bounds() {
    let world = World::start().await;
    made(&world, json!({"name": "footer", "subject": "s", "html": "<i>{{company}}</i>"})).await;
    let wanted = json!({
        "name": "order", "subject": "{{len items}} for {{name}}", "html": "{{#each items}}<b>{{this}}</b>{{/each}}{{> footer}}",
        "from": "{{name}} <shop@x.example>", "reply_to": ["a@x.example", "{{reply}}"],
    });
    let path = made(&world, wanted).await;
    let data = json!({"name": "Ann", "items": ["<tea>", -1.5], "company": "T & Co", "reply": "b@x.example"});
    let render = async |query: &str, data: Value| world.post(&format!("{path}/render{query}"), &json!({"template_data": data})).await;
    let answer = render("", data.clone()).await;
    let expected = json!({
        "template_id": path.rsplit('/').next().unwrap(), "version": 1, "subject": "2 for Ann",
        "html": "<b>&lt;tea&gt;</b><b>-1.5</b><i>T &amp; Co</i>", "text": null, "from": "Ann <shop@x.example>",
        "reply_to": ["a@x.example", "b@x.example"],
    });
    assert_eq!((answer.status, answer.json()), (200, expected));
    assert_eq!(render("", json!({})).await.status, 200, "what is missing renders to nothing");
    let strict = render("?strict=true", json!({"name": "Ann", "items": []})).await;
    let told = &strict.json()["error"];
    assert_eq!((strict.status, &told["template"], &told["line"], &told["column"]), (400, &json!("footer"), &json!(1), &json!(4)), "{told}");
    assert_eq!(fault(&render("?strict=maybe", json!({})).await).2, "strict");
    let injected = render("", json!({"name": "Ann\r\nBcc: b@x.example"})).await;
    assert_eq!((fault(&injected).1.as_str(), &injected.json()["error"]["part"]), ("template_error", &json!("subject")));
    // An edit counts at once, of a partial as well, also for what is kept compiled.
    ask(&world, "PATCH", &path, json!({"strict": true})).await;
    assert_eq!(render("", json!({})).await.status, 400, "the template itself is strict now");
    assert_eq!(render("?strict=false", json!({})).await.status, 200);
    let footer = world.get("/v1/templates").await.json()["data"][1]["id"].clone();
    ask(&world, "PATCH", &format!("/v1/templates/{}", text(&footer)), json!({"html": "new"})).await;
    assert!(text(&render("", data).await.json()["html"]).ends_with("</b>new"));
    let wide = made(
        &world,
        json!({"name": "wide", "subject": "s", "text": "{{#each l}}{{#each ../l}}{{#each ../../l}}some text that is long enough to be too long soon{{/each}}{{/each}}{{/each}}"}),
    )
    .await;
    let answer = world.post(&format!("{wide}/render"), &json!({"template_data": {"l": vec![0; 100]}})).await;
    assert_eq!(fault(&answer).1, "template_error");
    assert!(text(&answer.json()["error"]["message"]).contains("renders to more than"), "{}", answer.json());
}

#[tokio::test]
async fn each_tenant_has_templates_of_its_own() {
    let world = World::start().await;
    let (one, other) = (world.tenant("One").await, world.tenant("Other").await);
    let key = async |tenant: &str| {
        world.key(json!({"name": "k", "permissions": ["templates:read", "templates:write"], "tenant_id": tenant})).await.secret
    };
    let (own, foreign) = (key(&one).await, key(&other).await);
    let post = async |secret: &str, path: &str, body: Value| world.server.ask("POST", path, Some(secret), Some(&body)).await;
    for (secret, text) in [(&own, "mine"), (&foreign, "theirs")] {
        assert_eq!(post(secret, "/v1/templates", json!({"name": "footer", "subject": "s", "text": text})).await.status, 201);
        assert_eq!(post(secret, "/v1/templates", json!({"name": "mail", "subject": "s", "text": "{{> footer}}"})).await.status, 201);
    }
    assert_eq!(post(&own, "/v1/templates", json!({"name": "only", "subject": "s"})).await.status, 201);
    let refused = post(&foreign, "/v1/templates", json!({"name": "n", "subject": "{{> only}}"})).await;
    assert_eq!(fault(&refused).1, "template_error");
    for (secret, expected) in [(&own, "mine"), (&foreign, "theirs"), (&own, "mine")] {
        let listed = world.server.ask("GET", "/v1/templates", Some(secret), None).await.json();
        let mail = listed["data"].as_array().unwrap().iter().find(|shown| shown["name"] == "mail").unwrap().clone();
        let rendered = post(secret, &format!("/v1/templates/{}/render", text(&mail["id"])), json!({})).await;
        assert_eq!(rendered.json()["text"], expected);
        let stranger = if expected == "mine" { &foreign } else { &own };
        assert_eq!(post(stranger, &format!("/v1/templates/{}/render", text(&mail["id"])), json!({})).await.status, 404);
    }
    let listed = world.get(&format!("/v1/tenants/{one}/templates")).await.json();
    assert_eq!(
        (listed["data"].as_array().unwrap().len(), world.get("/v1/templates").await.json()["data"].as_array().unwrap().len()),
        (3, 0)
    );
}
