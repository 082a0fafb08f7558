//! Tests of what `POST /v1/send` reads.

use proptest::prelude::*;
use selfmx_domain::{Draft, EmailStatus, Limits, Mailbox, Priority, Problem, RecipientKind, SenderDefaults, TemplateKey};
use serde_json::{Value, json};
use time::macros::datetime;

use crate::{EmailAccepted, RequestError, RescheduleEmail, SendEmail};

fn draft(body: &Value) -> Result<Draft, RequestError> {
    draft_by(body, &SenderDefaults::default())
}

fn draft_by(body: &Value, defaults: &SenderDefaults) -> Result<Draft, RequestError> {
    let request = SendEmail::read(&serde_json::to_vec(body).unwrap())?;
    Ok(Draft::new(defaults.fill(request.parts), &Limits::default())?)
}

/// A request that is accepted, with `name` set to `value`.
fn with(name: &str, value: Value) -> Value {
    let mut body = json!({"from": "a@x.example", "to": "b@x.example", "subject": "s", "text": "t"});
    body[name] = value;
    body
}

fn refused(name: &str, value: Value) -> RequestError {
    draft(&with(name, value)).unwrap_err()
}

fn texts<'a>(mailboxes: impl IntoIterator<Item = &'a Mailbox>) -> Vec<String> {
    mailboxes.into_iter().map(Mailbox::to_string).collect()
}

#[test]
fn every_field_of_the_contract_is_read() {
    let body = json!({
        "from": "Shop <shop@x.example>", "to": ["a@x.example", "B <b@x.example>"], "cc": "c@x.example", "bcc": ["d@x.example"],
        "reply_to": ["r@x.example"], "subject": "Grüße", "html": "<p>h</p>", "text": "t",
        "headers": {"X-Campaign": "may", "List-Unsubscribe": "<https://x.example/u>"},
        "attachments": [
            {"filename": "a.txt", "content": "aGk="},
            {"filename": "logo.png", "content": "AAEC", "content_type": "image/png", "content_id": "logo"}
        ],
        "tags": ["welcome", {"name": "kind", "value": "mail"}], "metadata": {"order": "7"}, "priority": "high", "scheduled_at": "2026-01-03T05:04:00+02:00"
    });
    let draft = draft(&body).unwrap();
    assert_eq!(draft.from().to_string(), "Shop <shop@x.example>");
    assert_eq!(texts(draft.recipients().of(RecipientKind::To)), ["a@x.example", "B <b@x.example>"]);
    assert_eq!(texts(draft.recipients().of(RecipientKind::Cc)), ["c@x.example"]);
    assert_eq!(texts(draft.recipients().of(RecipientKind::Bcc)), ["d@x.example"]);
    assert_eq!(texts(draft.reply_to()), ["r@x.example"]);
    assert_eq!((draft.subject().as_str(), draft.body().text(), draft.body().html()), ("Grüße", Some("t"), Some("<p>h</p>")));
    let headers: Vec<_> = draft.headers().iter().map(|header| (header.name.as_str(), header.value.as_str())).collect();
    assert_eq!(headers, [("List-Unsubscribe", "<https://x.example/u>"), ("X-Campaign", "may")]);
    assert_eq!(draft.attachments()[0].content, b"hi");
    assert_eq!(draft.attachments()[1].content_type.as_ref().map(|kind| kind.as_str()), Some("image/png"));
    assert_eq!(draft.attachments()[1].content_id.as_ref().map(|id| id.as_str()), Some("logo"));
    assert_eq!(draft.tags()[1].value(), Some("mail"));
    assert_eq!(draft.metadata().entries()["order"], "7");
    assert_eq!((draft.priority(), draft.scheduled_at()), (Priority::High, Some(datetime!(2026-01-03 03:04 UTC))));
}

#[test]
fn what_is_missing_is_named() {
    for field in ["from", "to", "subject", "text"] {
        let error = refused(field, Value::Null);
        assert_eq!(error.field(), Some(field));
    }
    assert_eq!(refused("from", Value::Null), Problem::Missing.at("from").into());
    assert_eq!(refused("to", json!([])), Problem::NoRecipient.at("to").into());
}

#[test]
fn a_sender_is_missing_only_where_the_tenant_has_none_either() {
    let defaults = SenderDefaults { from_address: Some("shop@y.example".parse().unwrap()), ..SenderDefaults::default() };
    let from = |value| draft_by(&with("from", value), &defaults).map(|draft| draft.from().to_string());
    assert_eq!(from(Value::Null).as_deref(), Ok("shop@y.example"));
    assert_eq!(from(json!("a@x.example")).as_deref(), Ok("a@x.example"));
    // What is there and wrong is wrong.
    for value in [json!(""), json!([]), json!(1), json!("nobody")] {
        assert_eq!(from(value).unwrap_err().field(), Some("from"));
    }
}

#[test]
fn what_is_wrong_is_named_by_its_path() {
    for (name, value, field) in [
        ("to", json!(["a@x.example", "b"]), "to[1]"),
        ("to", json!("b"), "to"),
        ("to", json!(["a@x.example", 7]), "to[1]"),
        ("cc", json!(["a@x.example\r\nBcc: x@y.example"]), "cc[0]"),
        ("reply_to", json!({}), "reply_to"),
        ("subject", json!("a\nb"), "subject"),
        ("subject", json!(""), "subject"),
        ("text", json!(1), "text"),
        ("html", json!("a\u{0}"), "html"),
        ("headers", json!({"Bcc": "x@y.example"}), "headers.Bcc"),
        ("headers", json!({"X-A": "a\r\nb"}), "headers.X-A"),
        ("headers", json!({"X-A": ["a"]}), "headers.X-A"),
        ("headers", json!([]), "headers"),
        ("attachments", json!([{"filename": "a", "content": "a b"}]), "attachments[0].content"),
        ("attachments", json!([{"filename": "../a", "content": ""}]), "attachments[0].filename"),
        ("attachments", json!([{"filename": "a"}]), "attachments[0].content"),
        ("attachments", json!([{"filename": "a", "content": "", "content_type": "text"}]), "attachments[0].content_type"),
        ("attachments", json!([{"filename": "a", "content": "", "type": "text/plain"}]), "attachments[0].type"),
        ("attachments", json!({}), "attachments"),
        ("attachments", json!(["a"]), "attachments[0]"),
        ("tags", json!(["a b"]), "tags[0]"),
        ("tags", json!([{"name": "a b", "value": "c"}]), "tags[0].name"),
        ("tags", json!([{"name": "a", "value": "c d"}]), "tags[0].value"),
        ("tags", json!([{"name": "a"}]), "tags[0].value"),
        ("tags", json!("a"), "tags"),
        ("metadata", json!({"a": 1}), "metadata.a"),
        ("priority", json!("urgent"), "priority"),
        ("scheduled_at", json!("tomorrow"), "scheduled_at"),
        ("scheduled_at", json!(1_800_000_000), "scheduled_at"),
    ] {
        assert_eq!(refused(name, value.clone()).field(), Some(field), "{name}: {value}");
    }
}

#[test]
fn what_this_version_does_not_have_is_unknown_and_not_ignored() {
    for name in ["template", "template_name", "To", "form"] {
        assert_eq!(refused(name, json!("x")), RequestError::Unknown { field: name.to_owned() });
    }
}

#[test]
fn an_acceptance_is_shown_as_in_the_contract() {
    let id = "msg_01h455vb4pex5vsknk084sn02q".parse().unwrap();
    let shown = |status, scheduled_at| {
        serde_json::to_string(&EmailAccepted::new(id, status, datetime!(2026-01-02 03:04:05.678 UTC), scheduled_at)).unwrap()
    };
    assert_eq!(
        shown(EmailStatus::Queued, None),
        r#"{"id":"msg_01h455vb4pex5vsknk084sn02q","status":"queued","created_at":"2026-01-02T03:04:05.678Z"}"#
    );
    assert_eq!(
        shown(EmailStatus::Scheduled, Some(datetime!(2026-01-03 05:04 +2))),
        r#"{"id":"msg_01h455vb4pex5vsknk084sn02q","status":"scheduled","created_at":"2026-01-02T03:04:05.678Z","scheduled_at":"2026-01-03T03:04:00.000Z"}"#
    );
}

#[test]
fn rescheduling_takes_a_time_and_nothing_else() {
    let read = |body: &Value| RescheduleEmail::read(&serde_json::to_vec(body).unwrap());
    assert_eq!(read(&json!({"scheduled_at": "2026-01-03T03:04:00Z"})).unwrap().scheduled_at, datetime!(2026-01-03 03:04 UTC));
    for body in [json!({}), json!({"scheduled_at": null}), json!({"scheduled_at": "soon"}), json!({"scheduled_at": 7})] {
        assert_eq!(read(&body).unwrap_err().field(), Some("scheduled_at"), "{body}");
    }
    let more = json!({"scheduled_at": "2026-01-03T03:04:00Z", "subject": "s"});
    assert_eq!(read(&more).unwrap_err(), RequestError::Unknown { field: "subject".to_owned() });
}

fn any_body() -> impl Strategy<Value = Value> {
    let field = prop_oneof![
        Just("from"),
        Just("to"),
        Just("subject"),
        Just("text"),
        Just("headers"),
        Just("attachments"),
        Just("tags"),
        Just("metadata")
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<u8>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(json!("a@x.example"))
    ];
    let value = leaf.prop_recursive(3, 16, 4, |inner| {
        let name = prop_oneof![
            Just("name".to_owned()),
            Just("value".to_owned()),
            Just("filename".to_owned()),
            Just("content".to_owned()),
            any::<String>()
        ];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(name, inner, 0..4).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    });
    (field, value).prop_map(|(field, value)| with(field, value))
}

proptest! {
    #[test]
    fn no_body_whatever_makes_it_panic(body in any_body(), bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        let _ = draft(&body);
        let _ = SendEmail::read(&bytes);
    }

    #[test]
    fn what_is_accepted_is_what_was_given(
        subject in "[ -~é🎉]{1,40}", text: String, file in proptest::collection::vec(any::<u8>(), 0..64), key in "[a-z]{1,8}", value in "\\PC{0,20}",
    ) {
        let mut body = with("subject", json!(subject));
        body["text"] = json!(text.replace('\0', ""));
        body["metadata"] = json!({ key.clone(): value });
        body["attachments"] = json!([{"filename": "f", "content": base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &file)}]);
        let draft = draft(&body).unwrap();
        prop_assert_eq!(draft.subject().as_str(), &subject);
        prop_assert_eq!(draft.body().text(), body["text"].as_str());
        prop_assert_eq!(&draft.attachments()[0].content, &file);
        prop_assert_eq!(&draft.metadata().entries()[&key], &value);
    }
}

#[test]
fn a_template_says_what_is_missing_and_its_data_is_an_object() {
    let read = |body: Value| SendEmail::read(&serde_json::to_vec(&body).unwrap());
    let request = read(json!({"to": "b@x.example", "template_id": "welcome", "template_data": {"a": [1, "x"]}})).unwrap();
    assert_eq!(request.template, Some((TemplateKey::Name("welcome".to_owned()), json!({"a": [1, "x"]}))));
    assert!(request.parts.subject.is_none() && request.parts.from.is_none());
    let by_id = read(json!({"to": "b@x.example", "template_id": "tmpl_01h455vb4pex5vsknk084sn02q", "subject": "s"})).unwrap();
    assert!(matches!(by_id.template, Some((TemplateKey::Id(_), data)) if data == json!({})));
    assert_eq!(by_id.parts.subject.map(|subject| subject.as_str().to_owned()).as_deref(), Some("s"));
    for (field, value) in [("template_id", json!(7)), ("template_data", json!([])), ("template_data", json!("x"))] {
        let mut body = json!({"to": "b@x.example", "template_id": "welcome"});
        body[field] = value;
        assert_eq!(read(body).unwrap_err().field(), Some(field));
    }
    let alone = with("template_data", json!({}));
    assert_eq!(read(alone).unwrap_err(), Problem::WithoutTemplate.at("template_data").into());
    assert!(read(with("template_data", Value::Null)).unwrap().template.is_none());
}
