//! Each mail of the corpus, read back by Python's `email` package: the same headers, people, parts, names and octets.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use selfmx_domain::{Attachment, Draft, Mailbox, RecipientKind};
use selfmx_mail::Message;
use selfmx_testing::python;
use serde::Deserialize;

use crate::drafts;
use crate::support::{draft, message};

/// A message as Python's `email` package sees it.
#[derive(Debug, Deserialize)]
struct Seen {
    headers: Vec<(String, String)>,
    addresses: BTreeMap<String, Vec<(String, String)>>,
    parts: Vec<SeenPart>,
    defects: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct SeenPart {
    #[serde(rename = "type")]
    media_type: String,
    disposition: Option<String>,
    filename: Option<String>,
    content_id: Option<String>,
    content: Option<String>,
}

#[test]
fn sixty_mails_read_back_as_they_were_written() {
    let cases: Vec<(&str, Draft, Message)> = drafts::all()
        .into_iter()
        .map(|(name, parts)| {
            let draft = draft(parts);
            let message = message(&draft);
            (name, draft, message)
        })
        .collect();
    assert!(cases.len() >= 60, "{}", cases.len());
    let octets: Vec<&[u8]> = cases.iter().map(|(_, _, message)| message.octets()).collect();
    let seen = python::read_mail(&octets);
    for ((name, draft, message), seen) in cases.iter().zip(seen) {
        let seen: Seen = serde_json::from_value(seen).unwrap();
        // The package calls UTF-8 in a header a defect, whatever RFC 6532 says.
        assert!(seen.defects.is_empty() || message.needs_smtputf8(), "{name}: {:?}", seen.defects);
        check_headers(name, draft, &seen);
        check_people(name, draft, message, &seen);
        check_parts(name, draft, &seen);
    }
}

fn check_headers(name: &str, draft: &Draft, seen: &Seen) {
    let value = |header: &str| seen.headers.iter().find(|(name, _)| name == header).map(|(_, value)| value.as_str());
    let mut expected = vec!["From", "To"];
    expected.extend((draft.recipients().of(RecipientKind::Cc).count() > 0).then_some("Cc"));
    expected.extend((!draft.reply_to().is_empty()).then_some("Reply-To"));
    expected.extend(["Subject", "Date", "Message-ID"]);
    expected.extend(draft.headers().iter().map(|header| header.name.as_str()));
    expected.extend(["MIME-Version", "Content-Type"]);
    expected.extend((seen.parts.len() == 1).then_some("Content-Transfer-Encoding"));
    assert_eq!(seen.headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), expected, "{name}");
    assert_eq!(value("Subject"), Some(draft.subject().as_str()), "{name}");
    assert_eq!(value("Date"), Some("Fri, 02 Jan 2026 03:04:05 +0000"), "{name}");
    let domain = draft.from().address().domain();
    assert_eq!(value("Message-ID"), Some(format!("<msg_01h455vb4pex5vsknk084sn02q@{domain}>").as_str()), "{name}");
    for header in draft.headers() {
        assert_eq!(value(header.name.as_str()), Some(header.value.as_str()), "{name}");
    }
}

fn check_people(name: &str, draft: &Draft, message: &Message, seen: &Seen) {
    let of = |kind| draft.recipients().of(kind).collect::<Vec<_>>();
    let lists: [(&str, Vec<&Mailbox>); 4] = [
        ("From", vec![draft.from()]),
        ("To", of(RecipientKind::To)),
        ("Cc", of(RecipientKind::Cc)),
        ("Reply-To", draft.reply_to().iter().collect()),
    ];
    for (header, expected) in lists {
        let expected: Vec<_> =
            expected.iter().map(|mailbox| (mailbox.name().unwrap_or_default().to_owned(), mailbox.address().to_string())).collect();
        assert_eq!(seen.addresses.get(header).cloned().unwrap_or_default(), expected, "{name}: {header}");
    }
    let written = String::from_utf8_lossy(message.octets());
    for hidden in of(RecipientKind::Bcc) {
        assert!(!written.contains(hidden.address().local()) && !written.contains(&hidden.address().to_string()), "{name}: {hidden}");
    }
}

fn check_parts(name: &str, draft: &Draft, seen: &Seen) {
    let mut leaves: Vec<&SeenPart> = seen.parts.iter().filter(|part| part.content.is_some()).collect();
    let bodies = usize::from(draft.body().html().is_some()) + 1;
    let files = leaves.split_off(bodies);
    assert_eq!(leaves[0].media_type, "text/plain", "{name}");
    if let Some(text) = draft.body().text() {
        assert_text(name, leaves[0], text);
    }
    if let Some(html) = draft.body().html() {
        assert_eq!(leaves[1].media_type, "text/html", "{name}");
        assert_text(name, leaves[1], html);
    }
    let (inline, attached): (Vec<_>, Vec<_>) =
        draft.attachments().iter().partition(|file| file.content_id.is_some() && draft.body().html().is_some());
    let kinds: Vec<&str> = seen.parts.iter().filter_map(|part| part.media_type.strip_prefix("multipart/")).collect();
    let expected: Vec<&str> = [("mixed", !attached.is_empty()), ("alternative", bodies == 2), ("related", !inline.is_empty())]
        .into_iter()
        .filter_map(|(kind, there)| there.then_some(kind))
        .collect();
    assert_eq!(kinds, expected, "{name}");
    let expected: Vec<&Attachment> = inline.into_iter().chain(attached).collect();
    assert_eq!(files.len(), expected.len(), "{name}");
    for (file, expected) in files.iter().zip(expected) {
        assert_file(name, file, expected);
    }
}

/// A text is the same but for the kind of its line ends, and for one line end more where the message needs it.
fn assert_text(name: &str, part: &SeenPart, expected: &str) {
    let unix = |text: &str| text.replace("\r\n", "\n").replace('\r', "\n");
    let seen = String::from_utf8(content(part)).unwrap();
    assert!(!seen.replace("\r\n", "").contains(['\r', '\n']), "{name}: text has CRLF line ends before it is encoded");
    let (seen, expected) = (unix(&seen), unix(expected));
    assert!(seen == expected || seen == format!("{expected}\n"), "{name}: {seen:?} for {expected:?}");
}

fn assert_file(name: &str, part: &SeenPart, expected: &Attachment) {
    assert_eq!(part.filename.as_deref(), Some(expected.file_name.as_str()), "{name}");
    assert_eq!(content(part), expected.content, "{name}");
    assert_eq!(part.content_id, expected.content_id.as_ref().map(|id| format!("<{}>", id.as_str())), "{name}");
    let disposition = if expected.content_id.is_some() { "inline" } else { "attachment" };
    assert_eq!(part.disposition.as_deref(), Some(disposition), "{name}");
    if let Some(given) = &expected.content_type {
        assert_eq!(Some(part.media_type.as_str()), given.as_str().split(';').next(), "{name}");
    }
}

fn content(part: &SeenPart) -> Vec<u8> {
    BASE64_STANDARD.decode(part.content.as_ref().unwrap()).unwrap()
}
