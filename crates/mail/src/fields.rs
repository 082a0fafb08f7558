//! The message's own header fields: who, what, when, and the caller's additions.

use std::borrow::Cow;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use mail_send::mail_builder::headers::HeaderType;
use mail_send::mail_builder::headers::address::Address;
use mail_send::mail_builder::headers::date::Date;
use mail_send::mail_builder::headers::message_id::MessageId;
use mail_send::mail_builder::headers::raw::Raw;
use mail_send::mail_builder::headers::text::Text;
use selfmx_domain::{Draft, Mailbox, RecipientKind};

use crate::compose::Identity;

/// How a field's name and value go to the MIME library.
pub(crate) type Field<'x> = (Cow<'x, str>, HeaderType<'x>);

/// A piece above this leaves no room for the field's name within a line of 998 octets: it is encoded, so that it can be folded.
const MAX_PIECE_OCTETS: usize = 900;

/// The shortest text that the library encodes for its length alone.
const LIBRARY_ENCODES_ABOVE: usize = 77;

/// So many octets make an encoded word below RFC 2047's 75 characters.
const OCTETS_PER_ENCODED_WORD: usize = 45;

/// All fields but `MIME-Version` and `Content-*`, which the library writes with the body.
pub(crate) fn of<'x>(draft: &'x Draft, identity: &Identity) -> Vec<Field<'x>> {
    let mut fields: Vec<Field<'x>> = vec![("From".into(), mailboxes(&[draft.from()]))];
    for (name, kind) in [("To", RecipientKind::To), ("Cc", RecipientKind::Cc)] {
        push_mailboxes(&mut fields, name, &draft.recipients().of(kind).collect::<Vec<_>>());
    }
    push_mailboxes(&mut fields, "Reply-To", &draft.reply_to().iter().collect::<Vec<_>>());
    fields.push(("Subject".into(), unstructured(draft.subject().as_str())));
    fields.push(("Date".into(), Date::new(identity.date.unix_timestamp()).into()));
    fields.push(("Message-ID".into(), message_id(draft, identity).into()));
    fields.extend(draft.headers().iter().map(|header| (header.name.as_str().into(), unstructured(header.value.as_str()))));
    // Set here, so that the library sets none of its own in another place.
    fields.push(("MIME-Version".into(), Raw::new("1.0").into()));
    fields
}

fn message_id<'x>(draft: &Draft, identity: &Identity) -> MessageId<'x> {
    MessageId::new(format!("{}@{}", identity.id, draft.from().address().domain()))
}

fn push_mailboxes<'x>(fields: &mut Vec<Field<'x>>, name: &'static str, list: &[&'x Mailbox]) {
    if !list.is_empty() {
        fields.push((name.into(), mailboxes(list)));
    }
}

/// A list of mailboxes (RFC 5322 section 3.4), names beyond ASCII as encoded words.
fn mailboxes<'x>(list: &[&'x Mailbox]) -> HeaderType<'x> {
    // The library would leave such a name as it is, and readers would decode it into something else.
    if list.iter().any(|mailbox| mailbox.name().is_some_and(looks_encoded)) {
        return Raw::new(list.iter().map(|mailbox| encoded_mailbox(mailbox)).collect::<Vec<_>>().join(", ")).into();
    }
    Address::new_list(list.iter().map(|mailbox| Address::new_address(mailbox.name(), mailbox.address().to_string())).collect()).into()
}

fn encoded_mailbox(mailbox: &Mailbox) -> String {
    mailbox.name().map_or_else(|| format!("<{}>", mailbox.address()), |name| format!("{} <{}>", encoded_words(name), mailbox.address()))
}

/// A value that reads back as it was given: as it is where it may stand so, folded between words; else as encoded words (RFC 2047).
fn unstructured(value: &str) -> HeaderType<'_> {
    if reads_back_as_it_is(value) {
        return Raw::new(value).into();
    }
    if value.is_ascii() && value.len() <= LIBRARY_ENCODES_ABOVE {
        return Raw::new(encoded_words(value)).into();
    }
    Text::new(value).into()
}

/// Encoding is avoided where it can be: a structured field such as `List-Unsubscribe` means nothing once it is encoded.
fn reads_back_as_it_is(value: &str) -> bool {
    value.is_ascii()
        && !looks_encoded(value)
        && !value.starts_with(' ')
        && !value.ends_with(' ')
        && longest_piece(value) <= MAX_PIECE_OCTETS
}

/// The longest piece that cannot be folded: a word with the spaces before it.
fn longest_piece(value: &str) -> usize {
    let (mut longest, mut length, mut in_word) = (0, 0, false);
    for octet in value.bytes() {
        if octet == b' ' && in_word {
            length = 0;
        }
        in_word = octet != b' ';
        length += 1;
        longest = longest.max(length);
    }
    longest
}

fn looks_encoded(value: &str) -> bool {
    value.contains("=?")
}

/// `text` as encoded words of RFC 2047's "B" kind, whatever is in it.
fn encoded_words(text: &str) -> String {
    let mut words = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (word, after) = rest.split_at(rest.floor_char_boundary(OCTETS_PER_ENCODED_WORD));
        words.push(format!("=?utf-8?B?{}?=", BASE64_STANDARD.encode(word)));
        rest = after;
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stays_as_it_is_where_it_can_be_folded_and_read_back() {
        for value in ["", "a", "a  b", "<https://x.example/?a=b>, <mailto:a@b.example>", "word ".repeat(500).trim_end(), &"x".repeat(900)] {
            assert!(reads_back_as_it_is(value), "{value}");
        }
        let (spaced, word) = (format!("a{}b", " ".repeat(900)), "x".repeat(901));
        for value in [" a", "a ", "é", "=?utf-8?Q?x?=", "   ", &spaced, &word, &format!("a {}{}", " ".repeat(500), "b".repeat(500))] {
            assert!(!reads_back_as_it_is(value), "{value}");
        }
    }

    #[test]
    fn encoded_words_are_short_and_whole() {
        let words = encoded_words(&"é=?".repeat(100));
        assert!(words.split(' ').all(|word| word.len() <= 75 && word.starts_with("=?utf-8?B?") && word.ends_with("?=")));
    }
}
