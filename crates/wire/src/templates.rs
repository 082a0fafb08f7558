//! Templates: the requests that make, change, check and render them, and what is shown of them.

use selfmx_domain::{Template, TemplateChange, TemplateContent, TemplateId, TemplateName, TemplateSummary};
use serde::Serialize;
use serde_json::Value as Json;
use time::OffsetDateTime;

use crate::RequestError;
use crate::fields::{Field, Fields, Member};
use crate::timestamp::Timestamp;

/// The name in messages of a template that has none yet.
const UNNAMED: &str = "template";

/// `POST /v1/templates` and `PUT /v1/templates/{id}`: `{name, subject, html?, text?, from?, reply_to?, strict?}`.
#[derive(Clone, Debug)]
pub struct WriteTemplate(TemplateContent);

impl WriteTemplate {
    /// Reads the body.
    ///
    /// # Errors
    ///
    /// [`RequestError`] names the field that is unknown, missing or wrong.
    pub fn read(body: &[u8]) -> Result<Self, RequestError> {
        Self::of(body, |name| name.required()?.parsed())
    }

    /// Reads the body of `POST /v1/templates/validate`: the same, and it need not have a name yet.
    ///
    /// # Errors
    ///
    /// As for [`read`](Self::read).
    pub fn read_unnamed(body: &[u8]) -> Result<Self, RequestError> {
        let unnamed = |name: Member<'_>| match name.optional(Field::parsed)? {
            Some(name) => Ok(name),
            None => UNNAMED.parse().map_err(|problem: selfmx_domain::Problem| problem.at("name").into()),
        };
        Self::of(body, unnamed)
    }

    fn of(body: &[u8], named: impl FnOnce(Member<'_>) -> Result<TemplateName, RequestError>) -> Result<Self, RequestError> {
        let mut fields = Fields::of_body(body)?;
        let (name, subject, from) = (fields.take("name"), fields.take("subject"), fields.take("from"));
        let (html, text, reply_to) = (fields.take("html"), fields.take("text"), fields.take("reply_to"));
        let strict = fields.take("strict");
        fields.end()?;
        let content = TemplateContent {
            name: named(name)?,
            subject: owned(subject.required()?)?,
            html: html.optional(owned)?,
            text: text.optional(owned)?,
            from: from.optional(owned)?,
            reply_to: reply_to.one_or_many(owned)?,
            strict: strict.optional(Field::boolean)?.unwrap_or_default(),
        };
        Ok(Self(content.checked()?))
    }
}

impl From<WriteTemplate> for TemplateContent {
    fn from(request: WriteTemplate) -> Self {
        request.0
    }
}

/// To put a template in the place of the one that is there: what is not said is not there any more.
impl From<WriteTemplate> for TemplateChange {
    fn from(WriteTemplate(content): WriteTemplate) -> Self {
        let or_none = |text: Option<String>| text.map_or(selfmx_domain::Change::Clear, selfmx_domain::Change::Set);
        Self {
            name: Some(content.name),
            subject: Some(content.subject),
            html: or_none(content.html),
            text: or_none(content.text),
            from: or_none(content.from),
            reply_to: selfmx_domain::Change::Set(content.reply_to),
            strict: Some(content.strict),
        }
    }
}

/// `PATCH /v1/templates/{id}`: what is not said stays, and `null` takes away.
#[derive(Clone, Debug)]
pub struct UpdateTemplate(TemplateChange);

impl UpdateTemplate {
    /// Reads the body.
    ///
    /// # Errors
    ///
    /// [`RequestError`] names the field that is unknown or wrong.
    pub fn read(body: &[u8]) -> Result<Self, RequestError> {
        let mut fields = Fields::of_body(body)?;
        let (name, subject, from) = (fields.take("name"), fields.take("subject"), fields.take("from"));
        let (html, text, reply_to) = (fields.take("html"), fields.take("text"), fields.take("reply_to"));
        let strict = fields.take("strict");
        fields.end()?;
        Ok(Self(TemplateChange {
            name: name.replacement(Field::parsed)?,
            subject: subject.replacement(owned)?,
            html: html.change(owned)?,
            text: text.change(owned)?,
            from: from.change(owned)?,
            reply_to: reply_to.change(|field| field.one_or_many(owned))?,
            strict: strict.replacement(Field::boolean)?,
        }))
    }
}

impl From<UpdateTemplate> for TemplateChange {
    fn from(request: UpdateTemplate) -> Self {
        request.0
    }
}

/// `POST /v1/templates/{id}/render`: `{template_data?}`.
#[derive(Clone, Debug)]
pub struct RenderTemplate {
    /// The data; an empty object unless given.
    pub data: Json,
}

impl RenderTemplate {
    /// Reads the body.
    ///
    /// # Errors
    ///
    /// [`RequestError`] names the field that is unknown or wrong.
    pub fn read(body: &[u8]) -> Result<Self, RequestError> {
        let mut fields = Fields::of_body(body)?;
        let data = fields.take("template_data");
        fields.end()?;
        Ok(Self { data: template_data(data)?.unwrap_or_else(empty) })
    }
}

/// The data of a template: an object.
pub(crate) fn template_data(member: Member<'_>) -> Result<Option<Json>, RequestError> {
    member.optional(|field| field.object().map(Fields::into_json))
}

pub(crate) fn empty() -> Json {
    Json::Object(serde_json::Map::new())
}

fn owned(field: Field<'_>) -> Result<String, RequestError> {
    Ok(field.text()?.into_owned())
}

/// A template in its present version.
#[derive(Debug, Serialize)]
pub struct TemplateView<'a> {
    id: String,
    name: &'a str,
    version: u32,
    subject: &'a str,
    html: Option<&'a str>,
    text: Option<&'a str>,
    from: Option<&'a str>,
    reply_to: &'a [String],
    strict: bool,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl<'a> From<&'a Template> for TemplateView<'a> {
    fn from(template: &'a Template) -> Self {
        let content = &template.present.content;
        Self {
            id: template.id.to_string(),
            name: content.name.as_str(),
            version: template.present.version,
            subject: &content.subject,
            html: content.html.as_deref(),
            text: content.text.as_deref(),
            from: content.from.as_deref(),
            reply_to: &content.reply_to,
            strict: content.strict,
            created_at: Timestamp(template.created_at),
            updated_at: Timestamp(template.present.created_at),
        }
    }
}

/// What a list shows of a template.
#[derive(Debug, Serialize)]
pub struct TemplateSummaryView<'a> {
    id: String,
    name: &'a str,
    version: u32,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl<'a> From<&'a TemplateSummary> for TemplateSummaryView<'a> {
    fn from(template: &'a TemplateSummary) -> Self {
        let (created_at, updated_at) = (Timestamp(template.created_at), Timestamp(template.updated_at));
        Self { id: template.id.to_string(), name: template.name.as_str(), version: template.version, created_at, updated_at }
    }
}

/// What is shown of a version.
#[derive(Debug, Serialize)]
pub struct TemplateVersionView<'a> {
    version: u32,
    name: &'a str,
    created_at: Timestamp,
}

impl<'a> From<&'a (u32, String, OffsetDateTime)> for TemplateVersionView<'a> {
    fn from((version, name, created_at): &'a (u32, String, OffsetDateTime)) -> Self {
        Self { version: *version, name, created_at: Timestamp(*created_at) }
    }
}

/// What a template renders to.
#[derive(Debug, Serialize)]
pub struct RenderedView<'a> {
    /// The template's id.
    pub template_id: String,
    /// Its version.
    pub version: u32,
    /// The subject.
    pub subject: &'a str,
    /// The HTML body.
    pub html: Option<&'a str>,
    /// The text body.
    pub text: Option<&'a str>,
    /// The sender.
    pub from: Option<&'a str>,
    /// The addresses for answers.
    pub reply_to: &'a [String],
}

/// A template that can be used: `{valid: true, partials: [...]}`.
#[derive(Debug, Serialize)]
pub struct TemplateValid {
    valid: bool,
    partials: Vec<String>,
}

impl TemplateValid {
    /// The answer for a template that takes these in.
    #[must_use]
    pub const fn new(partials: Vec<String>) -> Self {
        Self { valid: true, partials }
    }
}

/// A template that is gone: `{id, deleted: true}`.
#[derive(Debug, Serialize)]
pub struct TemplateDeleted {
    id: String,
    deleted: bool,
}

impl TemplateDeleted {
    /// The answer for a template that is there no more.
    #[must_use]
    pub fn new(id: TemplateId) -> Self {
        Self { id: id.to_string(), deleted: true }
    }
}

#[cfg(test)]
mod tests {
    use selfmx_domain::{Change, Problem};
    use serde_json::json;

    use super::*;

    #[test]
    fn a_template_has_a_name_and_a_subject() {
        let content: TemplateContent =
            WriteTemplate::read(br#"{"name": "n", "subject": "s", "reply_to": "a", "html": null}"#).unwrap().into();
        assert_eq!((content.reply_to, content.html, content.strict), (vec!["a".to_owned()], None, false));
        for (body, field) in [
            (r#"{"subject": "s"}"#, "name"),
            (r#"{"name": "n"}"#, "subject"),
            (r#"{"name": "tmpl_x", "subject": "s"}"#, "name"),
            (r#"{"name": "n", "subject": "s", "a": 1}"#, "a"),
            (r#"{"name": "n", "subject": "s", "reply_to": ["1","2","3","4","5","6","7","8","9","10","11"]}"#, "reply_to"),
            (r#"{"name": "n", "subject": "s", "strict": "yes"}"#, "strict"),
        ] {
            assert_eq!(WriteTemplate::read(body.as_bytes()).unwrap_err().field(), Some(field), "{body}");
        }
        assert_eq!(
            WriteTemplate::read(b"{\"name\": \"tmpl_x\", \"subject\": \"s\"}").unwrap_err(),
            Problem::LooksLikeAnId.at("name").into()
        );
        assert!(WriteTemplate::read_unnamed(br#"{"subject": "s"}"#).is_ok());
    }

    #[test]
    fn put_replaces_and_patch_merges() {
        let put: TemplateChange = WriteTemplate::read(br#"{"name": "n", "subject": "s"}"#).unwrap().into();
        assert_eq!((put.html, put.reply_to, put.strict), (Change::Clear, Change::Set(vec![]), Some(false)));
        let patch: TemplateChange = UpdateTemplate::read(br#"{"html": null, "text": "t", "reply_to": ["a"]}"#).unwrap().into();
        let expected = TemplateChange {
            html: Change::Clear,
            text: Change::Set("t".to_owned()),
            reply_to: Change::Set(vec!["a".to_owned()]),
            ..TemplateChange::default()
        };
        assert_eq!(patch, expected);
        assert!(UpdateTemplate::read(br#"{"subject": null}"#).is_err());
    }

    #[test]
    fn data_is_any_object_as_it_was_given() {
        let read = RenderTemplate::read(br#"{"template_data": {"a": [-1, 1.5, 1e3, 18446744073709551615, null, true, {"b": "\u00e9"}]}}"#)
            .unwrap();
        assert_eq!(read.data, json!({"a": [-1, 1.5, 1e3, 18_446_744_073_709_551_615_u64, null, true, {"b": "é"}]}));
        assert_eq!(RenderTemplate::read(b"{}").unwrap().data, json!({}));
        assert_eq!(RenderTemplate::read(br#"{"template_data": []}"#).unwrap_err().field(), Some("template_data"));
    }
}
