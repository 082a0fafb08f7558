//! What a request's reader takes is what its schema names.

use std::collections::BTreeSet;

use super::*;
use crate::fields::taken;
use crate::{
    CreateKey, CreateSuppression, CreateTenant, RenderTemplate, RequestError, RescheduleEmail, RotateKey, RotateWebhookSecret, SendBatch,
    SendEmail, UpdateKey, UpdateTemplate, UpdateTenant, UpdateWebhook, WriteTemplate, WriteWebhook,
};

/// A reader that is asked for its fields alone.
type Read = fn(&[u8]) -> Option<RequestError>;

macro_rules! reader {
    ($($reader:tt)*) => {
        |body| $($reader)*(body).err()
    };
}

/// Every request by the name of its schema, with its reader and a body that has each of its objects.
const REQUESTS: &[(&str, Read, &str)] = &[
    ("SendEmail", reader!(SendEmail::read), r#"{"to": "a@b.example", "subject": "s", "attachments": [{}]}"#),
    ("SendEmail", reader!(SendEmail::read), r#"{"to": "a@b.example", "subject": "s", "tags": [{}]}"#),
    ("SendBatch", reader!(SendBatch::read), r#"{"emails": []}"#),
    ("RescheduleEmail", reader!(RescheduleEmail::read), "{}"),
    ("CreateKey", reader!(CreateKey::read), r#"{"name": "n", "permissions": [], "rate_limit": {}}"#),
    ("UpdateKey", reader!(UpdateKey::read), r#"{"rate_limit": {}}"#),
    ("RotateKey", reader!(RotateKey::read), "{}"),
    (
        "CreateTenant",
        reader!(CreateTenant::read),
        r#"{"name": "n", "settings": {"tracking": {}}, "rate_limit": {}, "smtp": {}, "dkim": {}}"#,
    ),
    ("UpdateTenant", reader!(UpdateTenant::read), r#"{"settings": {"tracking": {}}, "rate_limit": {}, "smtp": {}, "dkim": {}}"#),
    ("WriteTemplate", reader!(WriteTemplate::read), "{}"),
    ("ValidateTemplate", reader!(WriteTemplate::read_unnamed), "{}"),
    ("UpdateTemplate", reader!(UpdateTemplate::read), "{}"),
    ("RenderTemplate", reader!(RenderTemplate::read), "{}"),
    ("WriteWebhook", reader!(WriteWebhook::read), "{}"),
    ("UpdateWebhook", reader!(UpdateWebhook::read), "{}"),
    ("RotateWebhookSecret", reader!(RotateWebhookSecret::read), "{}"),
    ("CreateSuppression", reader!(CreateSuppression::read), "{}"),
];

/// The paths of all members that a schema names, without places in lists.
fn members(shape: &Value, path: &str, found: &mut BTreeSet<String>) {
    for (name, member) in shape["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        found.insert(path.clone());
        members(member, &path, found);
    }
    members_within(shape, path, found);
}

fn members_within(shape: &Value, path: &str, found: &mut BTreeSet<String>) {
    if let Some(items) = shape.get("items") {
        members(items, path, found);
    }
    for choice in shape["anyOf"].as_array().into_iter().flatten() {
        members(choice, path, found);
    }
}

#[test]
fn a_request_s_schema_names_what_its_reader_takes() {
    let schemas = schemas();
    for name in REQUESTS.iter().map(|(name, ..)| *name).collect::<BTreeSet<_>>() {
        let mut named = BTreeSet::new();
        members(&schemas[name], "", &mut named);
        let mut read = BTreeSet::new();
        for (_, reader, body) in REQUESTS.iter().filter(|(of, ..)| *of == name) {
            taken::clear();
            let _ = reader(body.as_bytes());
            read.extend(taken::all().into_iter().map(|path| path.replace("[0]", "")));
        }
        assert_eq!(named, read, "{name}");
    }
}

#[test]
fn what_is_required_is_asked_for() {
    let schemas = schemas();
    for (name, reader, _) in REQUESTS {
        let shape = &schemas[*name];
        let choices = [shape].into_iter().chain(shape["anyOf"].as_array().into_iter().flatten());
        let required: Vec<_> = choices.flat_map(|choice| choice["required"].as_array().into_iter().flatten()).collect();
        let refused = reader(b"{}").and_then(|error| error.field().map(str::to_owned));
        assert_eq!(refused.is_some(), !required.is_empty(), "{name}: {refused:?}");
        assert!(refused.is_none_or(|field| required.contains(&&Value::from(field))), "{name}");
    }
}

#[test]
fn every_name_that_is_used_is_there() {
    let schemas = schemas();
    let text = serde_json::to_string(&schemas).unwrap();
    for used in text.split("#/components/schemas/").skip(1) {
        let name = used.split('"').next().unwrap();
        assert!(schemas.contains_key(name), "{name}");
    }
}
