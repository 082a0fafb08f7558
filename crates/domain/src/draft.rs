//! A request to send, parsed into a value that cannot be wrong.

use std::collections::HashSet;
use std::str::FromStr;

use time::OffsetDateTime;

use crate::{Attachment, CustomHeader, FieldError, Mailbox, Metadata, Problem, RecipientKind, Recipients, Subject, Tag};

/// Whether mail goes to a relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// To the relay.
    Live,
    /// To the capture outbox, never to a relay.
    Test,
}

impl Mode {
    /// `live` or `test`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Test => "test",
        }
    }
}

impl FromStr for Mode {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        [Self::Live, Self::Test].into_iter().find(|mode| mode.as_str() == text).ok_or(Problem::NotOneOf("one of: live, test"))
    }
}

/// The order in the queue; first in, first out within each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Before all others.
    High,
    /// The usual.
    #[default]
    Normal,
    /// When nothing else is due.
    Low,
}

impl Priority {
    /// `high`, `normal` or `low`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Normal => "normal",
            Self::Low => "low",
        }
    }
}

impl FromStr for Priority {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        [Self::High, Self::Normal, Self::Low]
            .into_iter()
            .find(|priority| priority.as_str() == text)
            .ok_or(Problem::NotOneOf("one of: high, normal, low"))
    }
}

/// The body of an email: at least one of the two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Text alone.
    Text(String),
    /// HTML alone; a text part is derived from it.
    Html(String),
    /// Both, as alternatives.
    Both {
        /// The text part.
        text: String,
        /// The HTML part.
        html: String,
    },
}

impl Body {
    /// The text that was given.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Both { text, .. } => Some(text),
            Self::Html(_) => None,
        }
    }

    /// The HTML that was given.
    #[must_use]
    pub fn html(&self) -> Option<&str> {
        match self {
            Self::Html(html) | Self::Both { html, .. } => Some(html),
            Self::Text(_) => None,
        }
    }

    fn new(text: Option<String>, html: Option<String>) -> Result<Self, FieldError> {
        for (field, body) in [("text", &text), ("html", &html)] {
            if body.as_ref().is_some_and(|body| body.contains('\0')) {
                return Err(Problem::ControlCharacter.at(field));
            }
        }
        match (text, html) {
            (Some(text), Some(html)) => Ok(Self::Both { text, html }),
            (Some(text), None) => Ok(Self::Text(text)),
            (None, Some(html)) => Ok(Self::Html(html)),
            (None, None) => Err(Problem::NoBody.at("text")),
        }
    }
}

/// How much one email may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most recipients in `to`, `cc` and `bcc` together.
    pub recipients: usize,
    /// The most attachments.
    pub attachments: usize,
    /// The most octets of all attachments together, decoded.
    pub attachment_octets: usize,
    /// The most headers of the caller's own.
    pub headers: usize,
    /// The most tags.
    pub tags: usize,
    /// The most addresses in `reply_to`.
    pub reply_to: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { recipients: 50, attachments: 10, attachment_octets: 40 * 1024 * 1024, headers: 50, tags: 10, reply_to: 10 }
    }
}

/// The parts of a request to send, each valid in itself.
#[derive(Clone, Debug)]
pub struct DraftParts {
    /// Who it is from; absent: as the [defaults](crate::SenderDefaults) have it.
    pub from: Option<Mailbox>,
    /// Recipients in `To`.
    pub to: Vec<Mailbox>,
    /// Recipients in `Cc`.
    pub cc: Vec<Mailbox>,
    /// Recipients in no header.
    pub bcc: Vec<Mailbox>,
    /// Where answers go.
    pub reply_to: Vec<Mailbox>,
    /// The subject.
    pub subject: Option<Subject>,
    /// The text body.
    pub text: Option<String>,
    /// The HTML body.
    pub html: Option<String>,
    /// Headers of the caller's own.
    pub headers: Vec<CustomHeader>,
    /// Files.
    pub attachments: Vec<Attachment>,
    /// Tags.
    pub tags: Vec<Tag>,
    /// Metadata.
    pub metadata: Metadata,
    /// The order in the queue.
    pub priority: Priority,
    /// When it is to be sent; absent: at once.
    pub scheduled_at: Option<OffsetDateTime>,
}

impl DraftParts {
    /// What no email can do without; everything else is empty.
    #[must_use]
    pub fn new(from: Mailbox, to: Vec<Mailbox>, subject: Subject) -> Self {
        Self {
            from: Some(from),
            to,
            cc: Vec::new(),
            bcc: Vec::new(),
            reply_to: Vec::new(),
            subject: Some(subject),
            text: None,
            html: None,
            headers: Vec::new(),
            attachments: Vec::new(),
            tags: Vec::new(),
            metadata: Metadata::default(),
            priority: Priority::default(),
            scheduled_at: None,
        }
    }
}

/// One email to send: whole and valid. What it is made of can be read, not changed.
#[derive(Clone, Debug)]
pub struct Draft {
    from: Mailbox,
    recipients: Recipients,
    reply_to: Vec<Mailbox>,
    subject: Subject,
    body: Body,
    headers: Vec<CustomHeader>,
    attachments: Vec<Attachment>,
    tags: Vec<Tag>,
    metadata: Metadata,
    priority: Priority,
    scheduled_at: Option<OffsetDateTime>,
}

impl Draft {
    /// Puts the parts together.
    ///
    /// # Errors
    ///
    /// A [`FieldError`] that names the field: no sender, no recipient, no subject, no body, more of something than `limits` allow, a content id used twice, a
    /// header given twice.
    pub fn new(parts: DraftParts, limits: &Limits) -> Result<Self, FieldError> {
        let from = parts.from.ok_or_else(|| Problem::Missing.at("from"))?;
        let subject = parts.subject.ok_or_else(|| Problem::Missing.at("subject"))?;
        bounded(parts.reply_to.len(), limits.reply_to, "addresses", "reply_to")?;
        check_headers(&parts.headers, limits)?;
        bounded(parts.tags.len(), limits.tags, "tags", "tags")?;
        check_attachments(&parts.attachments, limits)?;
        Ok(Self {
            recipients: Recipients::new(parts.to, parts.cc, parts.bcc, limits.recipients)?,
            body: Body::new(parts.text, parts.html)?,
            from,
            reply_to: parts.reply_to,
            subject,
            headers: parts.headers,
            attachments: parts.attachments,
            tags: parts.tags,
            metadata: parts.metadata,
            priority: parts.priority,
            scheduled_at: parts.scheduled_at,
        })
    }

    /// Who it is from.
    #[must_use]
    pub const fn from(&self) -> &Mailbox {
        &self.from
    }

    /// All recipients, each address once.
    #[must_use]
    pub const fn recipients(&self) -> &Recipients {
        &self.recipients
    }

    /// Where answers go.
    #[must_use]
    pub fn reply_to(&self) -> &[Mailbox] {
        &self.reply_to
    }

    /// The subject.
    #[must_use]
    pub const fn subject(&self) -> &Subject {
        &self.subject
    }

    /// The body.
    #[must_use]
    pub const fn body(&self) -> &Body {
        &self.body
    }

    /// Headers of the caller's own.
    #[must_use]
    pub fn headers(&self) -> &[CustomHeader] {
        &self.headers
    }

    /// Files.
    #[must_use]
    pub fn attachments(&self) -> &[Attachment] {
        &self.attachments
    }

    /// Tags.
    #[must_use]
    pub fn tags(&self) -> &[Tag] {
        &self.tags
    }

    /// Metadata.
    #[must_use]
    pub const fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The order in the queue.
    #[must_use]
    pub const fn priority(&self) -> Priority {
        self.priority
    }

    /// When it is to be sent; `None`: at once. Whether that is a time to come, and not too far ahead, is for the store's clock to say.
    #[must_use]
    pub const fn scheduled_at(&self) -> Option<OffsetDateTime> {
        self.scheduled_at
    }

    /// Whether a header of the message holds an address that only SMTPUTF8 can carry (RFC 6531).
    #[must_use]
    pub fn needs_smtputf8(&self) -> bool {
        let visible = self.recipients.iter().filter(|(kind, _)| *kind != RecipientKind::Bcc).map(|(_, mailbox)| mailbox);
        visible.chain([&self.from]).chain(&self.reply_to).any(|mailbox| mailbox.address().needs_smtputf8())
    }
}

fn bounded(count: usize, limit: usize, unit: &'static str, field: &'static str) -> Result<(), FieldError> {
    if count > limit {
        return Err(Problem::TooMany { limit, unit }.at(field));
    }
    Ok(())
}

fn check_headers(headers: &[CustomHeader], limits: &Limits) -> Result<(), FieldError> {
    bounded(headers.len(), limits.headers, "headers", "headers")?;
    let mut seen = HashSet::new();
    match headers.iter().find(|header| !seen.insert(header.name.as_str().to_ascii_lowercase())) {
        Some(header) => Err(Problem::RepeatedHeader.at(format!("headers.{}", header.name))),
        None => Ok(()),
    }
}

fn check_attachments(attachments: &[Attachment], limits: &Limits) -> Result<(), FieldError> {
    bounded(attachments.len(), limits.attachments, "files", "attachments")?;
    let octets: usize = attachments.iter().map(|attachment| attachment.content.len()).sum();
    if octets > limits.attachment_octets {
        return Err(Problem::TooLong { limit: limits.attachment_octets, unit: "octets" }.at("attachments"));
    }
    let mut seen = HashSet::new();
    for (index, attachment) in attachments.iter().enumerate() {
        if attachment.content_id.as_ref().is_some_and(|id| !seen.insert(id)) {
            return Err(Problem::RepeatedContentId.at(format!("attachments[{index}].content_id")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts() -> DraftParts {
        let parts = DraftParts::new("a@x.example".parse().unwrap(), vec!["b@x.example".parse().unwrap()], "s".parse().unwrap());
        DraftParts { text: Some("t".to_owned()), ..parts }
    }

    fn file(content_id: &str, octets: usize) -> Attachment {
        Attachment { file_name: "f".parse().unwrap(), content_type: None, content_id: content_id.parse().ok(), content: vec![0; octets] }
    }

    fn refused(change: impl FnOnce(&mut DraftParts)) -> FieldError {
        let mut parts = parts();
        change(&mut parts);
        Draft::new(parts, &Limits { attachment_octets: 100, ..Limits::default() }).unwrap_err()
    }

    #[test]
    fn what_is_missing_or_too_much_is_named() {
        assert!(Draft::new(parts(), &Limits::default()).is_ok());
        assert_eq!(refused(|parts| parts.from = None), Problem::Missing.at("from"));
        assert_eq!(refused(|parts| parts.to.clear()).field, "to");
        assert_eq!(refused(|parts| parts.text = None), Problem::NoBody.at("text"));
        assert_eq!(refused(|parts| parts.html = Some("a\0".to_owned())).field, "html");
        assert_eq!(refused(|parts| parts.attachments = vec![file("", 101)]).field, "attachments");
        assert_eq!(refused(|parts| parts.attachments = vec![file("", 1); 11]).field, "attachments");
        assert_eq!(refused(|parts| parts.attachments = vec![file("c", 1), file("c", 1)]).field, "attachments[1].content_id");
        let header = |name: &str| CustomHeader { name: name.parse().unwrap(), value: "v".parse().unwrap() };
        assert_eq!(refused(|parts| parts.headers = vec![header("References"), header("references")]).field, "headers.references");
        assert_eq!(refused(|parts| parts.tags = vec!["t".parse().unwrap(); 11]).field, "tags");
    }

    #[test]
    fn only_addresses_that_a_header_shows_ask_for_smtputf8() {
        let needs = |change: fn(&mut DraftParts)| {
            let mut parts = parts();
            change(&mut parts);
            Draft::new(parts, &Limits::default()).unwrap().needs_smtputf8()
        };
        assert!(needs(|parts| parts.to.push("é@x.example".parse().unwrap())));
        assert!(needs(|parts| parts.reply_to.push("é@x.example".parse().unwrap())));
        assert!(!needs(|parts| parts.bcc.push("é@x.example".parse().unwrap())));
        assert!(!needs(|_| {}));
    }
}
