//! What an email carries as JSON: reply addresses, tags, metadata.

use selfmx_domain::{Mailbox, Metadata, Tag};
use serde_json::{Map, Value, json};

use crate::Error;

pub(crate) fn mailboxes_to_json(mailboxes: &[Mailbox]) -> Value {
    mailboxes.iter().map(|mailbox| Value::String(mailbox.to_string())).collect()
}

pub(crate) fn mailboxes_from_json(value: &Value) -> Result<Vec<Mailbox>, Error> {
    let unreadable = || Error::Unreadable("emails.reply_to");
    let items = value.as_array().ok_or_else(unreadable)?;
    items.iter().map(|item| item.as_str().and_then(|text| text.parse().ok()).ok_or_else(unreadable)).collect()
}

pub(crate) fn tags_to_json(tags: &[Tag]) -> Value {
    tags.iter()
        .map(|tag| tag.value().map_or_else(|| json!({"name": tag.name()}), |value| json!({"name": tag.name(), "value": value})))
        .collect()
}

pub(crate) fn tags_from_json(value: &Value) -> Result<Vec<Tag>, Error> {
    let unreadable = || Error::Unreadable("emails.tags");
    let read = |item: &Value| {
        let name = item.get("name")?.as_str()?;
        item.get("value").map_or_else(|| name.parse().ok(), |value| Tag::with_value(name, value.as_str()?).ok())
    };
    value.as_array().ok_or_else(unreadable)?.iter().map(|item| read(item).ok_or_else(unreadable)).collect()
}

pub(crate) fn metadata_to_json(metadata: &Metadata) -> Value {
    let entries = metadata.entries().iter().map(|(key, value)| (key.clone(), Value::String(value.clone())));
    Value::Object(entries.collect::<Map<_, _>>())
}

pub(crate) fn metadata_from_json(value: &Value) -> Result<Metadata, Error> {
    let unreadable = || Error::Unreadable("emails.metadata");
    let entries = value.as_object().ok_or_else(unreadable)?;
    let entries = entries.iter().map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect::<Option<_>>();
    Metadata::new(entries.ok_or_else(unreadable)?).or(Err(unreadable()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let mailboxes: Vec<Mailbox> = ["a@b.example", "\"Doe, Jane\" <c@d.example>"].iter().map(|text| text.parse().unwrap()).collect();
        assert_eq!(mailboxes_from_json(&mailboxes_to_json(&mailboxes)).unwrap(), mailboxes);
        let tags = [Tag::with_value("kind", "welcome").unwrap(), "plain".parse().unwrap()];
        assert_eq!(tags_from_json(&tags_to_json(&tags)).unwrap(), tags);
        let metadata = Metadata::new([("order".to_owned(), "ü\n".to_owned())].into()).unwrap();
        assert_eq!(metadata_from_json(&metadata_to_json(&metadata)).unwrap(), metadata);
    }
}
