//! A header and the body below it: the message itself, one of its parts, a group of fields.

use std::borrow::Cow;

use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use mail_parser::{HeaderName, HeaderValue, Message, MessageParser, MimeHeaders as _};
use selfmx_domain::EmailId;
use time::OffsetDateTime;

use super::email_of;

/// What is longer than this at the head of something is read no further.
const MAX_HEAD: usize = 256 * 1024;

/// A report has three parts.
const MAX_PARTS: usize = 16;

/// A header and the body below it.
pub(super) struct Entity<'x> {
    head: Option<Message<'static>>,
    body: &'x [u8],
}

impl<'x> Entity<'x> {
    /// Reads the header; the body stays as it is.
    pub(super) fn read(octets: &'x [u8]) -> Self {
        let (head, body) = split(octets);
        // A field without its line's end would not count.
        let head = [head.get(..MAX_HEAD).unwrap_or(head), b"\r\n\r\n"].concat();
        let parser = MessageParser::new().with_mime_headers().with_date_headers().with_message_ids();
        let parser = parser.header_date("Arrival-Date").header_date("Received-Date").default_header_raw();
        Self { head: parser.parse_headers(&head).map(Message::into_owned), body }
    }

    /// What is below the header.
    pub(super) const fn body(&self) -> &'x [u8] {
        self.body
    }

    /// The first field of this name, as text.
    pub(super) fn field(&self, name: &'static str) -> Option<&str> {
        self.fields(name).next()
    }

    /// Every field of this name, as text.
    pub(super) fn fields(&self, name: &'static str) -> impl Iterator<Item = &str> {
        self.values(name).filter_map(HeaderValue::as_text)
    }

    /// The time in the field of this name.
    pub(super) fn date(&self, name: &'static str) -> Option<OffsetDateTime> {
        let date = self.values(name).find_map(HeaderValue::as_datetime).filter(|date| date.is_valid())?;
        OffsetDateTime::from_unix_timestamp(date.to_timestamp()).ok()
    }

    /// The email of ours that this is.
    pub(super) fn email(&self) -> Option<EmailId> {
        self.fields("Message-ID").find_map(email_of)
    }

    /// The email of ours that this answers.
    pub(super) fn answered(&self) -> Option<EmailId> {
        let ids = ["In-Reply-To", "References"].into_iter().flat_map(|name| self.values(name));
        ids.flat_map(texts).find_map(email_of)
    }

    /// The media type, in lower case; RFC 2045 section 5.2 says which where none is given.
    pub(super) fn media_type(&self) -> String {
        let given = self.head.as_ref().and_then(|head| head.content_type());
        given.map_or_else(
            || "text/plain".to_owned(),
            |given| format!("{}/{}", given.ctype(), given.subtype().unwrap_or_default()).to_ascii_lowercase(),
        )
    }

    /// The parts of a multipart body, the first few of them; of any other none.
    pub(super) fn children(&self) -> Vec<Entity<'x>> {
        let given = self.head.as_ref().and_then(|head| head.content_type());
        let multipart = given.filter(|given| given.ctype().eq_ignore_ascii_case("multipart"));
        let Some(boundary) = multipart.and_then(|given| given.attribute("boundary")).filter(|boundary| !boundary.is_empty()) else {
            return Vec::new();
        };
        parts(self.body, boundary.as_bytes()).into_iter().map(Entity::read).collect()
    }

    /// The body without its transfer encoding; as it is where it has none, or another than it says.
    pub(super) fn decoded(&self) -> Cow<'x, [u8]> {
        let encoding = self.field("Content-Transfer-Encoding").unwrap_or_default().trim().to_ascii_lowercase();
        let decoded = match encoding.as_str() {
            "base64" => base64_decode(self.body),
            "quoted-printable" => quoted_printable_decode(self.body),
            _ => None,
        };
        decoded.map_or(Cow::Borrowed(self.body), Cow::Owned)
    }

    fn values(&self, name: &'static str) -> impl Iterator<Item = &HeaderValue<'static>> {
        let wanted = HeaderName::parse(name);
        let all = self.head.as_ref().map(Message::headers).unwrap_or_default().iter();
        all.filter(move |header| Some(&header.name) == wanted.as_ref()).map(|header| &header.value)
    }
}

fn texts<'a>(value: &'a HeaderValue<'static>) -> Vec<&'a str> {
    match value {
        HeaderValue::Text(text) => vec![text],
        HeaderValue::TextList(list) => list.iter().map(Cow::as_ref).collect(),
        _ => Vec::new(),
    }
}

/// Lines, each with where it begins and without its end.
fn lines(octets: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut begin = 0;
    octets.split_inclusive(|octet| *octet == b'\n').map(move |line| {
        let at = begin;
        begin += line.len();
        (at, line)
    })
}

/// The header and the body, without the empty line between them.
fn split(octets: &[u8]) -> (&[u8], &[u8]) {
    let empty = lines(octets).find(|(_, line)| line.trim_ascii().is_empty() && line.len() <= 2);
    let Some((at, line)) = empty else { return (octets, &[]) };
    (octets.get(..at).unwrap_or_default(), octets.get(at + line.len()..).unwrap_or_default())
}

/// What stands between the lines with the boundary (RFC 2046 section 5.1). A last part that has no end goes on to the end of all.
fn parts<'x>(body: &'x [u8], boundary: &[u8]) -> Vec<&'x [u8]> {
    let (mut found, mut begin) = (Vec::new(), None);
    for (at, line) in lines(body) {
        let Some(rest) = line.strip_prefix(b"--").and_then(|line| line.strip_prefix(boundary)) else { continue };
        let is_last = rest.starts_with(b"--");
        if !is_last && !rest.trim_ascii().is_empty() {
            continue;
        }
        if let Some(begin) = begin {
            found.push(body.get(begin..at).unwrap_or_default());
        }
        begin = Some(at + line.len());
        if is_last || found.len() == MAX_PARTS {
            return found;
        }
    }
    found.extend(begin.and_then(|begin| body.get(begin..)));
    found
}
