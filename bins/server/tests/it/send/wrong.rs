//! Each rule of each field, broken: the code and the field that is named.

use serde_json::{Map, Value, json};

use crate::world::{World, email, refuses};

/// An email that these changes make wrong, and where.
type Case = (Value, &'static str);

fn addresses() -> Vec<Case> {
    let many = |count: usize, of: &str| (0..count).map(|number| format!("{of}{number}@x.example")).collect::<Vec<_>>();
    let mut cases = vec![
        (json!({"from": null}), "from"),
        (json!({"from": ["a@x.example"]}), "from"),
        (json!({"from": 1}), "from"),
        (json!({"to": null}), "to"),
        (json!({"to": []}), "to"),
        (json!({"to": {"email": "a@x.example"}}), "to"),
        (json!({"to": ["a@x.example", "nobody"]}), "to[1]"),
        (json!({"to": ["a@x.example", null]}), "to[1]"),
        (json!({"to": [["a@x.example"]]}), "to[0]"),
        (json!({"to": many(51, "a")}), "to"),
        (json!({"to": many(25, "a"), "cc": many(25, "b"), "bcc": many(1, "c")}), "to"),
        (json!({"to": [], "cc": ["a@x.example"]}), "to"),
        (json!({"cc": false}), "cc"),
        (json!({"bcc": ["a@x.example", "b@x.example", "c"]}), "bcc[2]"),
        (json!({"reply_to": many(11, "a")}), "reply_to"),
        (json!({"reply_to": ["x"]}), "reply_to[0]"),
    ];
    for address in [
        "",
        " ",
        "nobody",
        "@x.example",
        "a@",
        "a b@x.example",
        "a@x_y.example",
        "a@-x.example",
        "a..b@x.example",
        "a@[127.0.0.1]",
        "a@127.0.0.1",
        "a@x.example, b@x.example",
        "a@x.example; b@x.example",
        "Name a@x.example",
        "Name <a@x.example",
        "a@x.example>",
        "\"Name <a@x.example>",
        "a@x.example\r\nBcc: b@x.example",
        "a@x.example\n",
        "Na\rme <a@x.example>",
        "Na\u{0}me <a@x.example>",
        "Na\u{2028}me <a@x.example>",
        "a\u{0}@x.example",
        "a\u{200b}b@x.example",
        "a@x.example\u{0}",
    ] {
        cases.extend([(json!({"from": address}), "from"), (json!({"to": address}), "to"), (json!({"cc": [address]}), "cc[0]")]);
    }
    let long =
        [format!("{}@x.example", "a".repeat(65)), format!("a@{}.example", "b".repeat(64)), format!("{} <a@x.example>", "n".repeat(257))];
    cases.extend(long.map(|address| (json!({"to": address}), "to")));
    cases
}

fn texts() -> Vec<Case> {
    let mut cases = vec![
        (json!({"subject": null}), "subject"),
        (json!({"subject": ""}), "subject"),
        (json!({"subject": ["s"]}), "subject"),
        (json!({"subject": "s".repeat(999)}), "subject"),
        (json!({"text": null}), "text"),
        (json!({"text": 1}), "text"),
        (json!({"text": "a\u{0}b"}), "text"),
        (json!({"html": ["<p>"]}), "html"),
        (json!({"html": "\u{0}"}), "html"),
        (json!({"priority": "urgent"}), "priority"),
        (json!({"priority": "High"}), "priority"),
        (json!({"priority": 1}), "priority"),
    ];
    for control in ["\r\n", "\n", "\r", "\t", "\u{0}", "\u{7}", "\u{1b}", "\u{7f}", "\u{85}", "\u{2028}", "\u{2029}"] {
        cases.push((json!({"subject": format!("a{control}Bcc: b@x.example")}), "subject"));
        cases.push((json!({"headers": {"X-A": format!("a{control}Bcc: b@x.example")}}), "headers.X-A"));
        cases.push((json!({"attachments": [{"filename": format!("a{control}b"), "content": ""}]}), "attachments[0].filename"));
    }
    cases
}

fn attachments() -> Vec<Case> {
    let file = |changes: Value| {
        let mut file = json!({"filename": "a.txt", "content": "aGk="});
        file.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        json!({"attachments": [{"filename": "ok.txt", "content": ""}, file]})
    };
    vec![
        (json!({"attachments": {}}), "attachments"),
        (json!({"attachments": "aGk="}), "attachments"),
        (json!({"attachments": ["aGk="]}), "attachments[0]"),
        (json!({"attachments": [{}]}), "attachments[0].filename"),
        (json!({"attachments": [{"filename": "a.txt"}]}), "attachments[0].content"),
        (json!({"attachments": vec![json!({"filename": "a", "content": ""}); 11]}), "attachments"),
        (file(json!({"filename": ""})), "attachments[1].filename"),
        (file(json!({"filename": "../a"})), "attachments[1].filename"),
        (file(json!({"filename": "a\\b"})), "attachments[1].filename"),
        (file(json!({"filename": "f".repeat(256)})), "attachments[1].filename"),
        (file(json!({"content": "no base64!"})), "attachments[1].content"),
        (file(json!({"content": "aGk=\n"})), "attachments[1].content"),
        (file(json!({"content": [104, 105]})), "attachments[1].content"),
        (file(json!({"content_type": "text"})), "attachments[1].content_type"),
        (file(json!({"content_type": "text/plain\r\nBcc: b@x.example"})), "attachments[1].content_type"),
        (file(json!({"content_type": "multipart/mixed; boundary=x"})), "attachments[1].content_type"),
        (file(json!({"content_id": "a b"})), "attachments[1].content_id"),
        (file(json!({"content_id": "<a>"})), "attachments[1].content_id"),
        (file(json!({"content_id": "a\r\nb"})), "attachments[1].content_id"),
        (json!({"attachments": vec![json!({"filename": "a", "content": "", "content_id": "a"}); 2]}), "attachments[1].content_id"),
    ]
}

fn labels() -> Vec<Case> {
    let pairs = |count: usize| (0..count).map(|number| (format!("X-{number}"), json!("v"))).collect::<Map<_, _>>();
    vec![
        (json!({"tags": "welcome"}), "tags"),
        (json!({"tags": vec!["t"; 11]}), "tags"),
        (json!({"tags": ["ok", "a b"]}), "tags[1]"),
        (json!({"tags": [""]}), "tags[0]"),
        (json!({"tags": ["ü"]}), "tags[0]"),
        (json!({"tags": ["t".repeat(257)]}), "tags[0]"),
        (json!({"tags": [1]}), "tags[0]"),
        (json!({"tags": [{"name": "a"}]}), "tags[0].value"),
        (json!({"tags": [{"value": "a"}]}), "tags[0].name"),
        (json!({"tags": [{"name": "a b", "value": "c"}]}), "tags[0].name"),
        (json!({"tags": [{"name": "a", "value": "b c"}]}), "tags[0].value"),
        (json!({"metadata": []}), "metadata"),
        (json!({"metadata": {"a": 1}}), "metadata.a"),
        (json!({"metadata": {"a": null}}), "metadata.a"),
        (json!({"metadata": {"a": {"b": "c"}}}), "metadata.a"),
        (json!({"metadata": {"": "a"}}), "metadata"),
        (json!({"metadata": {"a": "\u{0}"}}), "metadata"),
        (json!({"metadata": {"k": "v".repeat(8192)}}), "metadata"),
        (json!({"metadata": pairs(51)}), "metadata"),
        (json!({"headers": ["X-A: b"]}), "headers"),
        (json!({"headers": {"X-A": 1}}), "headers.X-A"),
        (json!({"headers": {"X-A": ["b"]}}), "headers.X-A"),
        (json!({"headers": {"X-A": "v".repeat(4097)}}), "headers.X-A"),
        (json!({"headers": {"X A": "b"}}), "headers.X A"),
        (json!({"headers": {"X:A": "b"}}), "headers.X:A"),
        (json!({"headers": {"Xä": "b"}}), "headers.Xä"),
        (json!({"headers": {"": "b"}}), "headers."),
        (json!({"headers": {"X-A\r\nBcc": "b"}}), "headers.X-A\r\nBcc"),
        (json!({"headers": pairs(51)}), "headers"),
    ]
}

#[tokio::test]
async fn what_is_wrong_with_an_email_is_named() {
    let world = World::start().await;
    let cases = [addresses(), texts(), attachments(), labels()].concat();
    refuses(&world, "/v1/send", cases.into_iter().map(|(changes, field)| (email(&changes), "invalid_request", field.to_owned()))).await;
    assert_eq!(world.database.query_one_text("SELECT count(*) FROM emails").await, "0");
}

#[tokio::test]
async fn headers_that_are_the_server_s_are_refused_in_any_case() {
    let world = World::start().await;
    let reserved = "From To Cc Bcc Subject Date Reply-To Sender Message-ID MIME-Version Received Return-Path Content-Type Content-Transfer-Encoding \
         Content-Disposition Content-Anything DKIM-Signature Resent-From Resent-To Resent-Bcc Resent-Message-ID ARC-Seal ARC-Message-Signature \
         ARC-Authentication-Results Authentication-Results Received-SPF";
    let spelled = reserved.split_whitespace().flat_map(|name| [name.to_owned(), name.to_lowercase(), name.to_uppercase()]);
    let cases = spelled
        .map(|name| (email(&json!({"headers": {"X-Fine": "a", (name.clone()): "b"}})), "invalid_request", format!("headers.{name}")));
    refuses(&world, "/v1/send", cases).await;
    for name in [
        "In-Reply-To",
        "References",
        "List-Unsubscribe",
        "List-Unsubscribe-Post",
        "Precedence",
        "Auto-Submitted",
        "X-Content-Type",
        "Contents",
    ] {
        world.send(json!({"headers": {name: "<a@b.example>"}})).await;
    }
}

#[tokio::test]
async fn a_field_that_does_not_exist_is_named_wherever_it_stands() {
    let world = World::start().await;
    let long = "n".repeat(65);
    let cases = [
        (json!({"template": "tmpl_1"}), "template".to_owned()),
        (json!({"To": "a@x.example"}), "To".to_owned()),
        (json!({"to ": "a@x.example"}), "to ".to_owned()),
        (json!({"body": null}), "body".to_owned()),
        (json!({"__proto__": {}}), "__proto__".to_owned()),
        (json!({"a.b[0]": 1}), "a.b[0]".to_owned()),
        (json!({(long.clone()): 1}), format!("{}…", &long[..64])),
        (json!({"attachments": [{"filename": "a", "content": "", "url": "https://x.example"}]}), "attachments[0].url".to_owned()),
        (json!({"tags": [{"name": "a", "value": "b", "colour": "c"}]}), "tags[0].colour".to_owned()),
    ];
    // `null` counts as absent for a field that exists, and does not make another exist.
    let whole = |changes: &Value| {
        let mut whole = email(changes);
        whole.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        whole
    };
    refuses(&world, "/v1/send", cases.into_iter().map(|(changes, field)| (whole(&changes), "unknown_field", field))).await;
}
