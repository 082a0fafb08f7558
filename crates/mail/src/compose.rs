//! From a draft to the message: a pure function.

use mail_send::mail_builder::MessageBuilder;
use selfmx_domain::{Draft, EmailId};
use time::OffsetDateTime;

use crate::canonical::{self, Flaw, Message};
use crate::{Tracks, fields, parts};

/// What makes a message this one and no other: it becomes the `Message-ID` and the `Date`, and the parts' boundaries derive from it.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// The email's id.
    pub id: EmailId,
    /// When the email was accepted.
    pub date: OffsetDateTime,
}

/// Why a draft did not become a message. Neither can follow from what a caller wrote: both would be a mistake of ours or of the MIME library,
/// found before anything was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ComposeError {
    /// The composed octets break a rule that every message keeps.
    #[error("the composed message cannot be sent: {0}")]
    NotCanonical(#[from] Flaw),
    /// The header section holds other fields than were put into it.
    #[error("the composed message has other header fields than were asked for")]
    Fields,
}

/// Writes the message of a draft (RFC 5322, RFC 2045..2049): no clock and no chance of its own, so the same input gives the same octets.
///
/// `Bcc` recipients are in no field. An HTML body alone gets a text part derived from it. Files with a content id are shown inline
/// (`multipart/related`) where there is HTML to show them, and are attached otherwise.
///
/// # Errors
///
/// [`ComposeError`] where the composed octets break a rule; no draft is known that leads there.
pub fn compose(draft: &Draft, identity: &Identity) -> Result<Message, ComposeError> {
    composed(draft, identity, None)
}

/// The same with what tracks its HTML, where it has any. A text part is as it would be without.
///
/// # Errors
///
/// As [`compose`] has it.
pub fn compose_tracked(draft: &Draft, identity: &Identity, tracks: &Tracks) -> Result<Message, ComposeError> {
    let html = draft.body().html().map(|html| tracks.rewritten(html));
    composed(draft, identity, html.as_deref())
}

/// The message of a draft whose HTML is sent as `shown`, where that is another than was given.
fn composed(draft: &Draft, identity: &Identity, shown: Option<&str>) -> Result<Message, ComposeError> {
    let mut builder = MessageBuilder::new();
    builder.headers = fields::of(draft, identity);
    let mut names: Vec<String> = builder.headers.iter().map(|(name, _)| name.clone().into_owned()).collect();
    let body = parts::of(draft, shown, &identity.id);
    names.extend(parts::field_names(&body).map(str::to_owned));
    let mut octets = Vec::new();
    builder.body(body).serialize(&mut octets);
    let message = Message::canonical(octets)?;
    if has_fields(message.octets(), &names) { Ok(message) } else { Err(ComposeError::Fields) }
}

/// Whether the header section has these fields, in this order, and no others: a line end that slipped in would have made one.
fn has_fields(octets: &[u8], names: &[String]) -> bool {
    field_names(octets).eq(names.iter().map(String::as_bytes))
}

/// The names of the header section's fields, in order.
fn field_names(octets: &[u8]) -> impl Iterator<Item = &[u8]> {
    canonical::header(octets)
        .split(|octet| *octet == b'\n')
        .filter(|line| !line.is_empty() && !line.starts_with(b" ") && !line.starts_with(b"\t"))
        .map(|line| line.split(|octet| *octet == b':').next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_slipped_in_is_seen() {
        let names = ["From", "Subject"].map(str::to_owned);
        assert!(has_fields(b"From: a@x.example\r\nSubject: a\r\n b: c\r\n\r\nBcc: in the body\r\n", &names));
        assert!(!has_fields(b"From: a@x.example\r\nSubject: a\r\nBcc: b@x.example\r\n\r\n", &names));
        assert!(!has_fields(b"From: a@x.example\r\n\r\nSubject: a\r\n", &names));
        assert!(!has_fields(b"From: a@x.example\r\nSubject: a\r\nno colon\r\n\r\n", &names));
    }
}
