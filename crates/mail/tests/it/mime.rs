//! What the octets of a message promise, whatever the draft.

use std::collections::HashSet;

use proptest::prelude::*;
use selfmx_domain::{Attachment, CustomHeader, DraftParts, Mailbox};

use crate::support::{draft, identity, message, parts};
use selfmx_mail::compose;

/// Texts that tend to break things, among any others.
fn text() -> impl Strategy<Value = String> {
    let nasty = "(\r\n|\n|\r|\\.|=|\\?|<|>|\"|\\\\|:|,|--|=\\?|\\?=| |\t|é|🎉|\u{2028}|a|Bcc: x@y\\.example){0,60}";
    prop_oneof![nasty, any::<String>(), "[ -~]{0,2000}", "x{900,1100}", Just(String::new())]
}

/// What the domain lets through of such texts.
fn parsed<T: std::str::FromStr + std::fmt::Debug>(or: &'static str) -> impl Strategy<Value = T>
where
    T::Err: std::fmt::Debug,
{
    text().prop_map(move |text| text.parse().unwrap_or_else(|_| or.parse().unwrap()))
}

fn mailbox() -> impl Strategy<Value = Mailbox> {
    let local = prop_oneof!["[a-zé.]{1,20}", "\"[ -~]{1,20}\""];
    (text(), local, "[a-zé]{1,20}").prop_map(|(name, local, domain)| {
        let quoted = format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""));
        let of = |name: &str| format!("{name} <{local}@{domain}.example>").parse().ok();
        of(&quoted).or_else(|| of("")).unwrap_or_else(|| "a@x.example".parse().unwrap())
    })
}

fn mailboxes(most: usize) -> impl Strategy<Value = Vec<Mailbox>> {
    prop::collection::vec(mailbox(), 0..=most)
}

fn header() -> impl Strategy<Value = CustomHeader> {
    (parsed("X-Usual"), parsed("usual")).prop_map(|(name, value)| CustomHeader { name, value })
}

fn file() -> impl Strategy<Value = Attachment> {
    let content_type = prop::option::of(prop_oneof![Just("text/plain; charset=utf-8"), Just("message/rfc822"), Just("image/png")]);
    let content_id = prop::option::of("[a-z@.]{1,200}");
    let content = prop_oneof![prop::collection::vec(any::<u8>(), 0..300), text().prop_map(String::into_bytes)];
    (parsed("usual.txt"), content_type, content_id, content).prop_map(|(file_name, content_type, content_id, content)| Attachment {
        file_name,
        content_type: content_type.map(|text| text.parse().unwrap()),
        content_id: content_id.map(|text| text.parse().unwrap()),
        content,
    })
}

pub(crate) fn whatever() -> impl Strategy<Value = DraftParts> {
    let hidden = prop::collection::vec("[a-z]{1,9}".prop_map(|local| format!("{local}@hidden.example").parse().unwrap()), 0..4);
    let people = (mailbox(), mailbox(), mailboxes(5), hidden, mailboxes(3));
    let files = prop::collection::vec(file(), 0..3).prop_map(|mut files| {
        files.dedup_by(|a, b| a.content_id == b.content_id);
        files
    });
    let headers = prop::collection::vec(header(), 0..4).prop_map(|mut headers| {
        let mut seen = HashSet::new();
        headers.retain(|header| seen.insert(header.name.as_str().to_ascii_lowercase()));
        headers
    });
    let content = (parsed("usual"), text(), prop::option::of(text()), any::<bool>(), headers, files);
    (people, content).prop_map(|((from, first, more, bcc, reply_to), (subject, body, html, html_alone, headers, attachments))| {
        let body = body.replace('\0', "");
        let html = html.map(|html| html.replace('\0', ""));
        let to = [vec![first], more].concat();
        let text = (html.is_none() || !html_alone).then_some(body);
        DraftParts { from: Some(from), to, bcc, reply_to, subject: Some(subject), text, html, headers, attachments, ..parts() }
    })
}

/// The message's rules, written down anew.
pub(crate) fn breaks_a_rule(octets: &[u8]) -> Option<String> {
    let mut line = 0;
    for (at, octet) in octets.iter().enumerate() {
        let (before, after) = (at.checked_sub(1).map(|before| octets[before]), octets.get(at + 1));
        match octet {
            b'\r' if after != Some(&b'\n') => return Some(format!("a bare CR at {at}")),
            b'\n' if before != Some(b'\r') => return Some(format!("a bare LF at {at}")),
            b'\n' => line = 0,
            0 => return Some(format!("a NUL at {at}")),
            b'\r' => {}
            _ => line += 1,
        }
        if line > 998 {
            return Some(format!("a long line at {at}"));
        }
    }
    (!octets.ends_with(b"\r\n")).then(|| "no end of the last line".to_owned())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_draft_the_message_keeps_the_rules(parts in whatever()) {
        let draft = draft(parts);
        let message = message(&draft);
        let octets = message.octets();
        prop_assert_eq!(breaks_a_rule(octets), None);
        prop_assert!(message.needs_smtputf8() == draft.needs_smtputf8());
        prop_assert_eq!(compose(&draft, &identity()).unwrap(), message.clone(), "the same input gave other octets");

        let end = octets.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        prop_assert!(octets[end..].is_ascii());
        let header = String::from_utf8(octets[..end].to_vec()).unwrap();
        let names: Vec<&str> = header.split("\r\n").filter(|line| !line.starts_with([' ', '\t'])).map(|line| line.split(':').next().unwrap()).collect();
        for name in ["From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type"] {
            prop_assert_eq!(names.iter().filter(|found| found.eq_ignore_ascii_case(name)).count(), 1, "{}", name);
        }
        let known = ["Cc", "Reply-To", "From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"];
        for name in &names {
            let asked = draft.headers().iter().any(|header| header.name.as_str() == *name);
            prop_assert!(asked || known.contains(name), "{}", name);
        }
        prop_assert!(!header.contains("hidden"), "a Bcc recipient is shown");
    }
}

#[test]
fn a_field_in_ascii_is_folded_and_not_encoded() {
    let links = format!("<https://x.example/{}>, <mailto:unsubscribe@x.example?subject={}>", "t".repeat(300), "u".repeat(100));
    let references = "<a.long.message.id@x.example> ".repeat(40).trim_end().to_owned();
    for (name, value) in [("List-Unsubscribe", links), ("References", references), ("X-Short", "a  b".to_owned())] {
        let header = CustomHeader { name: name.parse().unwrap(), value: value.parse().unwrap() };
        let message = message(&draft(DraftParts { headers: vec![header], ..parts() }));
        let unfolded = String::from_utf8(message.into_octets()).unwrap().replace("\r\n ", " ");
        assert!(unfolded.contains(&format!("\r\n{name}: {value}\r\n")), "{unfolded}");
    }
}
