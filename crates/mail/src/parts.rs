//! The message's body: alternatives, inline and attached files (RFC 2046).

use std::borrow::Cow;

use mail_send::mail_builder::headers::HeaderType;
use mail_send::mail_builder::headers::content_type::ContentType;
use mail_send::mail_builder::headers::message_id::MessageId;
use mail_send::mail_builder::headers::raw::Raw;
use mail_send::mail_builder::mime::{BodyPart, MimePart};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use selfmx_domain::{Attachment, Body, Draft, EmailId};

use crate::{canonical, plain_text};

const UNKNOWN: &str = "application/octet-stream";

/// So many octets of a name, percent-encoded, fit in a line of 78.
const OCTETS_PER_SECTION: usize = 18;

/// The body of a draft as one part, its HTML as `shown` where that is another than was given.
pub(crate) fn of<'x>(draft: &'x Draft, shown: Option<&str>, id: &EmailId) -> MimePart<'x> {
    let (inline, attached): (Vec<_>, Vec<_>) =
        draft.attachments().iter().partition(|file| file.content_id.is_some() && draft.body().html().is_some());
    let mut parts = vec![readable(draft.body(), shown, &inline, id)];
    parts.extend(attached.into_iter().map(file));
    container("mixed", parts, id)
}

/// The names of the fields that the library writes for a part, in order.
pub(crate) fn field_names(part: &MimePart<'_>) -> impl Iterator<Item = &'static str> {
    let encoding = (!matches!(part.contents, BodyPart::Multipart(_))).then_some("Content-Transfer-Encoding");
    ["Content-Type"].into_iter().chain(encoding)
}

/// What a person reads: the text, the HTML, or both with the better one last.
fn readable<'x>(body: &'x Body, shown: Option<&str>, inline: &[&'x Attachment], id: &EmailId) -> MimePart<'x> {
    let (text, html) = match body {
        Body::Text(text) => return text_part("text/plain", text),
        Body::Html(html) => (Cow::Owned(plain_text::of(html)), html),
        Body::Both { text, html } => (Cow::Borrowed(text.as_str()), html),
    };
    let mut related = vec![text_part("text/html", shown.unwrap_or(html))];
    related.extend(inline.iter().map(|attachment| file(attachment)));
    container("alternative", vec![text_part("text/plain", &text), container("related", related, id)], id)
}

/// A multipart of its parts, or the part itself where there is one only.
fn container<'x>(kind: &str, mut parts: Vec<MimePart<'x>>, id: &EmailId) -> MimePart<'x> {
    if parts.len() == 1
        && let Some(only) = parts.pop()
    {
        return only;
    }
    // `=_` stands in neither quoted-printable nor base64, and the id is drawn after the content was written.
    let boundary = format!("=_{kind}_{id}");
    MimePart::new(ContentType::new(format!("multipart/{kind}")).attribute("boundary", boundary), parts)
}

fn text_part<'x>(media_type: &'static str, text: &str) -> MimePart<'x> {
    MimePart::new(media_type, with_crlf(text))
}

/// Line ends of any kind as CRLF, which is the canonical form of text before it is encoded (RFC 2046 section 4.1.1).
fn with_crlf(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\r\n")
}

/// A file, in base64 so that each of its octets arrives.
fn file(attachment: &Attachment) -> MimePart<'_> {
    let (media_type, seven_bit) = media_type(attachment);
    let mut part =
        MimePart { headers: vec![("Content-Type".into(), Raw::new(media_type).into())], contents: attachment.content.as_slice().into() };
    if seven_bit {
        part = part.transfer_encoding("7bit");
    }
    let shown = if attachment.content_id.is_some() { "inline" } else { "attachment" };
    part = part.header("Content-Disposition", disposition(shown, attachment.file_name.as_str()));
    if let Some(id) = &attachment.content_id {
        part = part.header("Content-ID", MessageId::new(id.as_str()));
    }
    part
}

fn disposition<'x>(shown: &'static str, name: &'x str) -> HeaderType<'x> {
    if !name.contains("=?") {
        return ContentType::new(shown).attribute("filename", name).into();
    }
    // The library would quote such a name, and readers would decode it into something else: it goes percent-encoded, in sections (RFC 2231).
    let (mut rest, mut value, mut charset) = (name, shown.to_owned(), "UTF-8''");
    for section in 0.. {
        let (piece, after) = rest.split_at(rest.floor_char_boundary(OCTETS_PER_SECTION));
        value.push_str(&format!("; filename*{section}*={charset}{}", utf8_percent_encode(piece, NON_ALPHANUMERIC)));
        (rest, charset) = (after, "");
        if rest.is_empty() {
            break;
        }
    }
    Raw::new(value).into()
}

/// The file's media type, and whether it must go without an encoding.
///
/// A message within a message may not be encoded (RFC 2046 section 5.2.1): it goes as it is where it can, and as unknown octets where not.
fn media_type(attachment: &Attachment) -> (Cow<'_, str>, bool) {
    let media_type = attachment.content_type.as_ref().map_or_else(|| guessed(attachment), |given| given.as_str().into());
    if !media_type.get(..8).is_some_and(|kind| kind.eq_ignore_ascii_case("message/")) {
        return (media_type, false);
    }
    if attachment.content.is_ascii() && canonical::check(&attachment.content).is_ok() {
        return (media_type, true);
    }
    (UNKNOWN.into(), false)
}

fn guessed(attachment: &Attachment) -> Cow<'static, str> {
    let guess = mime_guess::from_path(attachment.file_name.as_str()).first_raw().unwrap_or(UNKNOWN);
    // A container without its boundary is none.
    if guess.starts_with("multipart/") { UNKNOWN.into() } else { guess.into() }
}
