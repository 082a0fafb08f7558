//! `POST /v1/send`: the request to send an email, and the answer that it was accepted.

use std::collections::BTreeMap;

use selfmx_domain::{
    Attachment, CustomHeader, DraftParts, EmailId, EmailStatus, Fingerprint, Mailbox, Metadata, Problem, Tag, TemplateKey,
};
use serde::Serialize;
use serde_json::Value as Json;
use time::OffsetDateTime;

use crate::RequestError;
use crate::fields::{Field, Fields, Member};
use crate::templates::{empty, template_data};
use crate::timestamp::Timestamp;
use crate::{fingerprint, value};

/// `POST /v1/send`, each field valid in itself.
#[derive(Clone, Debug)]
pub struct SendEmail {
    /// What it says itself.
    pub parts: DraftParts,
    /// The template that says the rest, and its data, an object.
    pub template: Option<(TemplateKey, Json)>,
}

impl SendEmail {
    /// Reads the body.
    ///
    /// # Errors
    ///
    /// [`RequestError`] names the field that is unknown, missing or wrong.
    pub fn read(body: &[u8]) -> Result<Self, RequestError> {
        Self::of_fields(Fields::of_body(body)?)
    }

    /// Reads the body, and makes of it what is the same for all bodies that ask for the same: neither the order of members nor white space nor how
    /// characters are escaped makes a difference, nor do members that are `null`, which count as absent.
    ///
    /// # Errors
    ///
    /// As for [`read`](Self::read).
    pub fn read_with_fingerprint(body: &[u8]) -> Result<(Self, Fingerprint), RequestError> {
        let value = value::parse(body)?;
        let fingerprint = fingerprint::of("send", &value);
        Ok((Self::of_fields(Fields::of_value(value)?)?, fingerprint))
    }

    pub(crate) fn of_fields(mut fields: Fields<'_>) -> Result<Self, RequestError> {
        let (from, subject) = (fields.take("from"), fields.take("subject"));
        let (to, cc, bcc) = (fields.take("to"), fields.take("cc"), fields.take("bcc"));
        let reply_to = fields.take("reply_to");
        let (text, html) = (fields.take("text"), fields.take("html"));
        let (headers, attachments) = (fields.take("headers"), fields.take("attachments"));
        let (tags, metadata) = (fields.take("tags"), fields.take("metadata"));
        let (priority, scheduled_at) = (fields.take("priority"), fields.take("scheduled_at"));
        let (template_id, data) = (fields.take("template_id"), fields.take("template_data"));
        fields.end()?;
        let template = template(template_id, data)?;
        let parts = DraftParts {
            from: from.optional(Field::parsed)?,
            to: mailboxes(to)?,
            cc: mailboxes(cc)?,
            bcc: mailboxes(bcc)?,
            reply_to: mailboxes(reply_to)?,
            subject: if template.is_some() { subject.optional(Field::parsed)? } else { Some(subject.required()?.parsed()?) },
            text: text.optional(owned)?,
            html: html.optional(owned)?,
            headers: headers.optional(custom_headers)?.unwrap_or_default(),
            attachments: attachments.many(attachment)?,
            tags: tags.many(tag)?,
            metadata: metadata.optional(read_metadata)?.unwrap_or_default(),
            priority: priority.optional(Field::parsed)?.unwrap_or_default(),
            scheduled_at: scheduled_at.optional(Field::time)?,
        };
        Ok(Self { parts, template })
    }
}

/// `PATCH /v1/emails/{id}`: when it is to be sent instead.
#[derive(Clone, Copy, Debug)]
pub struct RescheduleEmail {
    /// The time. Whether it is one to come is for the store's clock to say.
    pub scheduled_at: OffsetDateTime,
}

impl RescheduleEmail {
    /// Reads the body.
    ///
    /// # Errors
    ///
    /// [`RequestError`] names the field that is unknown, missing or wrong.
    pub fn read(body: &[u8]) -> Result<Self, RequestError> {
        let mut fields = Fields::of_body(body)?;
        let scheduled_at = fields.take("scheduled_at");
        fields.end()?;
        Ok(Self { scheduled_at: scheduled_at.required()?.time()? })
    }
}

/// What whoever may send is told of an email that was accepted, rescheduled or canceled: `{id, status, created_at, scheduled_at}`.
#[derive(Debug, Serialize)]
pub struct EmailAccepted {
    id: String,
    status: &'static str,
    created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    scheduled_at: Option<Timestamp>,
}

impl EmailAccepted {
    /// The email `id` of this status, accepted at `created_at`, to be sent at `scheduled_at` if not at once.
    #[must_use]
    pub fn new(id: EmailId, status: EmailStatus, created_at: OffsetDateTime, scheduled_at: Option<OffsetDateTime>) -> Self {
        let (id, status) = (id.to_string(), status.as_str());
        Self { id, status, created_at: Timestamp(created_at), scheduled_at: scheduled_at.map(Timestamp) }
    }
}

fn owned(field: Field<'_>) -> Result<String, RequestError> {
    Ok(field.text()?.into_owned())
}

/// The template and its data; data alone is a mistake.
fn template(id: Member<'_>, data: Member<'_>) -> Result<Option<(TemplateKey, Json)>, RequestError> {
    let key: Option<TemplateKey> = id.optional(Field::parsed)?;
    if key.is_none() {
        return match data.optional(|field| Ok(field.refused(Problem::WithoutTemplate)))? {
            Some(refusal) => Err(refusal),
            None => Ok(None),
        };
    }
    let data = template_data(data)?.unwrap_or_else(empty);
    Ok(key.map(|key| (key, data)))
}

fn mailboxes(member: Member<'_>) -> Result<Vec<Mailbox>, RequestError> {
    member.one_or_many(Field::parsed)
}

fn custom_headers(field: Field<'_>) -> Result<Vec<CustomHeader>, RequestError> {
    field.object()?.into_each().map(|(name, value)| Ok(CustomHeader { name: value.checked_name(&name)?, value: value.parsed()? })).collect()
}

fn attachment(field: Field<'_>) -> Result<Attachment, RequestError> {
    let mut fields = field.object()?;
    let (file_name, content) = (fields.take("filename"), fields.take("content"));
    let (content_type, content_id) = (fields.take("content_type"), fields.take("content_id"));
    fields.end()?;
    Ok(Attachment {
        file_name: file_name.required()?.parsed()?,
        content_type: content_type.optional(Field::parsed)?,
        content_id: content_id.optional(Field::parsed)?,
        content: content.required()?.base64()?,
    })
}

/// A tag: a string, or `{name, value}`.
fn tag(field: Field<'_>) -> Result<Tag, RequestError> {
    if !field.is_object() {
        return field.parsed();
    }
    let mut fields = field.object()?;
    let (name, value) = (fields.take("name"), fields.take("value"));
    fields.end()?;
    let name: Tag = name.required()?.parsed()?;
    value.required()?.converted(|value| Tag::with_value(name.name(), value), |field, problem| problem.at(field).into())
}

fn read_metadata(field: Field<'_>) -> Result<Metadata, RequestError> {
    let entries: Result<BTreeMap<String, String>, RequestError> =
        field.object()?.into_each().map(|(key, value)| Ok((key.into_owned(), owned(value)?))).collect();
    Ok(Metadata::new(entries?)?)
}
