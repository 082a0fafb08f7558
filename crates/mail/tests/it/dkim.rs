//! Signatures, verified by dkimpy, which is not ours.

use std::sync::LazyLock;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use selfmx_domain::{CustomHeader, Dkim, DkimAlgorithm, DkimKey, DraftParts, Problem};
use selfmx_mail::{Message, Signer, read_dkim_key};
use selfmx_testing::{openssl, python};
use time::Duration;

use crate::mime::{breaks_a_rule, whatever};
use crate::support::{draft, identity, message, parts};
use crate::{drafts, support};

static RSA: LazyLock<DkimKey> = LazyLock::new(|| read_dkim_key(&openssl("genrsa 2048")).unwrap());
static ED25519: LazyLock<DkimKey> = LazyLock::new(|| read_dkim_key(&openssl("genpkey -algorithm ed25519")).unwrap());

fn signer_as(domain: &str, selector: &str, key: &DkimKey) -> Signer {
    let dkim = Dkim { domain: domain.parse().unwrap(), selector: selector.parse().unwrap(), public_key: key.public().clone() };
    Signer::new(dkim, key).unwrap()
}

fn signers() -> [Signer; 2] {
    [("rsa", &*RSA), ("ed", &*ED25519)].map(|(selector, key)| signer_as("from.example", selector, key))
}

fn records(signers: &[Signer]) -> Vec<(String, String)> {
    signers.iter().map(|signer| (signer.dkim().record_name(), signer.dkim().record_value())).collect()
}

fn signed(signer: &Signer, message: &Message) -> Vec<u8> {
    signer.sign(message.clone(), identity().date).unwrap().into_octets()
}

/// Whether each message is valid, and what is said of it.
fn verdicts(messages: &[Vec<u8>], signers: &[Signer]) -> Vec<(bool, String)> {
    let messages: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
    let verdicts = python::verify_dkim(&messages, &records(signers));
    assert_eq!(verdicts.len(), messages.len());
    verdicts.iter().map(|verdict| (verdict["valid"].as_bool().unwrap(), verdict["error"].to_string())).collect()
}

#[test]
fn each_mail_of_the_corpus_verifies_under_both_algorithms() {
    let signers = signers();
    let (mut names, mut messages) = (Vec::new(), Vec::new());
    for (name, parts) in drafts::all() {
        let message = message(&draft(parts));
        for signer in &signers {
            let octets = signed(signer, &message);
            assert_eq!(breaks_a_rule(&octets), None, "{name}");
            let field = octets.strip_suffix(message.octets()).unwrap();
            assert!(field.starts_with(b"DKIM-Signature: v=1; a="), "{name}");
            assert!(field.split(|octet| *octet == b'\n').all(|line| line.len() <= 79), "{name}: {}", String::from_utf8_lossy(field));
            names.push(name);
            messages.push(octets);
        }
    }
    assert!(messages.len() >= 120);
    for ((name, octets), (valid, error)) in names.iter().zip(&messages).zip(verdicts(&messages, &signers)) {
        assert!(valid, "{name}: {error}\n{}", String::from_utf8_lossy(octets));
    }
}

#[test]
fn whatever_the_draft_the_signed_message_verifies() {
    let signers = signers();
    let mut runner = TestRunner::deterministic();
    let messages: Vec<Vec<u8>> = (0..300)
        .map(|n| {
            let parts = whatever().new_tree(&mut runner).unwrap().current();
            signed(&signers[n % 2], &message(&draft(parts)))
        })
        .collect();
    for (octets, (valid, error)) in messages.iter().zip(verdicts(&messages, &signers)) {
        assert!(valid, "{error}\n{}", String::from_utf8_lossy(octets));
    }
}

#[test]
fn wherever_the_field_is_folded_it_verifies() {
    let label = "d".repeat(55);
    let domains = ["from.example".to_owned(), format!("{label}.{label}.{label}.example")];
    let names = domains.iter().flat_map(|domain| (1..=60).map(move |length| (domain, "s".repeat(length))));
    let signers: Vec<Signer> = names.map(|(domain, selector)| signer_as(domain, &selector, &ED25519)).collect();
    let message = message(&draft(parts()));
    let messages: Vec<_> = signers.iter().map(|signer| signed(signer, &message)).collect();
    for (signer, (valid, error)) in signers.iter().zip(verdicts(&messages, &signers)) {
        assert!(valid, "{signer:?}: {error}");
    }
}

/// A mail with each field that is signed, none that is not, and a body with all that a canonical form changes.
fn whole() -> DraftParts {
    let values = [
        ("In-Reply-To", "<a@x.example>"),
        ("References", "<a@x.example>  <b@x.example>"),
        ("List-Unsubscribe", "<https://x.example/u>"),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        ("Feedback-ID", "a:b:c"),
    ];
    let headers = values.map(|(name, value)| CustomHeader { name: name.parse().unwrap(), value: value.parse().unwrap() });
    DraftParts {
        subject: Some("Grüße an alle".parse().unwrap()),
        cc: vec!["copy@to.example".parse().unwrap()],
        reply_to: vec!["Answer <answer@from.example>".parse().unwrap()],
        headers: headers.into(),
        text: Some(" two  words \n\n.dot\nend\n".to_owned()),
        ..parts()
    }
}

#[test]
fn no_octet_can_be_changed() {
    for signer in signers() {
        let octets = signed(&signer, &message(&draft(whole())));
        // The last octets of the signature itself hold bits that no base64 reader looks at.
        let signature = octets.windows(3).position(|window| window == b" b=").unwrap();
        let signature_end = octets.windows(7).position(|window| window == b"\r\nFrom:").unwrap();
        let places: Vec<usize> = (0..octets.len()).filter(|at| !(signature + 3..signature_end + 2).contains(at)).collect();
        let changed = |at: usize| {
            let mut octets = octets.clone();
            // A form feed at the end of a line is white space to dkimpy, which is not ours to mend.
            octets[at] ^= if octets[at] == b'\r' { 0x40 } else { 1 };
            octets
        };
        let mut messages: Vec<_> = places.iter().map(|at| changed(*at)).collect();
        messages.push(changed(signature + 10));
        messages.push(octets.clone());
        let told = verdicts(&messages, &[signer]);
        let (intact, broken) = told.split_last().unwrap();
        assert!(intact.0, "{}", intact.1);
        let passed = broken.iter().zip(&messages).filter(|((valid, _), _)| *valid);
        // What stands around the octet that was changed.
        let around = passed.map(|(_, changed)| {
            let at = octets.iter().zip(changed).position(|(one, other)| one != other).unwrap();
            String::from_utf8_lossy(&changed[at.saturating_sub(20)..(at + 20).min(changed.len())]).into_owned()
        });
        assert_eq!(around.collect::<Vec<_>>(), [""; 0]);
    }
}

#[test]
fn no_field_can_be_added_or_taken_away_but_those_that_relays_add() {
    let signers = signers();
    let octets = signed(&signers[0], &message(&draft(whole())));
    let text = String::from_utf8(octets).unwrap();
    let added = |field: &str| format!("{field}\r\n{text}").into_bytes();
    let body = |body: &str| text.replace("\r\n\r\n", &format!("\r\n\r\n{body}")).into_bytes();
    let without = |name: &str| {
        let begin = text.find(&format!("\r\n{name}:")).unwrap();
        format!("{}{}", &text[..begin], &text[begin + 2 + text[begin + 2..].find("\r\n").unwrap()..]).into_bytes()
    };
    let mut cases = vec![
        ("as it is", text.clone().into_bytes(), true),
        ("trace", added("Received: from a by b; Fri, 2 Jan 2026 03:04:05 +0000"), true),
        ("a field of a relay's", added("X-Relay: 1\r\nPrecedence: bulk"), true),
        ("lines at the end", format!("{text}\r\n \r\n").into_bytes(), true),
        ("a space in a field", text.replace("\r\nTo: ", "\r\nTO:  \t").into_bytes(), true),
        ("text at the end", format!("{text}more\r\n").into_bytes(), false),
        ("text at the beginning", body("more\r\n"), false),
    ];
    for name in ["From", "To", "Cc", "Reply-To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type"] {
        cases.push((name, added(&format!("{name}: other@x.example")), false));
        cases.push((name, without(name), false));
    }
    cases.push(("List-Unsubscribe", without("List-Unsubscribe"), false));
    cases.push(("Content-Transfer-Encoding", added("Content-Transfer-Encoding: base64"), false));
    let messages: Vec<_> = cases.iter().map(|(_, octets, _)| octets.clone()).collect();
    for ((what, octets, expected), (valid, error)) in cases.iter().zip(verdicts(&messages, &signers)) {
        assert_eq!(valid, *expected, "{what}: {error}\n{}", String::from_utf8_lossy(octets));
    }
}

#[test]
fn the_same_message_at_the_same_second_gets_the_same_signature() {
    let message = support::message(&draft(whole()));
    for signer in signers() {
        let again = signed(&signer, &message);
        assert_eq!(signed(&signer, &message), again);
        let later = signer.sign(message.clone(), identity().date + Duration::SECOND).unwrap();
        assert_ne!(later.octets(), again);
        let text = String::from_utf8(again).unwrap();
        let field = text.split("\r\nFrom:").next().unwrap().replace("\r\n", "");
        let algorithm = signer.dkim().public_key.algorithm().as_str();
        assert!(field.starts_with(&format!("DKIM-Signature: v=1; a={algorithm}; c=relaxed/relaxed; d=from.example; s=")), "{field}");
        assert!(field.contains("; t=1767323045; h=From:From:To:To:Cc:Cc:Reply-To:") && !field.contains("l="), "{field}");
    }
}

#[test]
fn keys_are_read_as_openssl_writes_them_and_weak_ones_are_refused() {
    for (arguments, algorithm) in [
        ("genrsa 2048", DkimAlgorithm::RsaSha256),
        ("genrsa -traditional 2048", DkimAlgorithm::RsaSha256),
        ("genrsa 4096", DkimAlgorithm::RsaSha256),
        ("genpkey -algorithm ed25519", DkimAlgorithm::Ed25519Sha256),
    ] {
        let pem = openssl(arguments);
        for text in [pem.clone(), pem.replace('\n', "\r\n"), pem.trim_end().to_owned()] {
            let key = read_dkim_key(&text).unwrap();
            assert_eq!((key.public().algorithm(), key.reveal()), (algorithm, text.as_str()), "{arguments}");
        }
    }
    for arguments in [
        "genrsa 1024",
        "genrsa -traditional 1024",
        "genrsa 5120",
        "genpkey -algorithm x25519",
        "genpkey -algorithm ec -pkeyopt ec_paramgen_curve:P-256",
        "genrsa -aes256 -passout pass:secret 2048",
    ] {
        assert_eq!(read_dkim_key(&openssl(arguments)).unwrap_err(), Problem::NotASigningKey, "{arguments}");
    }
    let pem = RSA.reveal();
    let broken = pem.replacen(&pem[400..404], "AAAA", 1);
    for text in ["", "key", &pem[..pem.len() / 2], &broken, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
        assert_eq!(read_dkim_key(text).unwrap_err(), Problem::NotASigningKey, "{text}");
    }
    assert!(matches!(read_dkim_key(&"x".repeat(16 * 1024 + 1)).unwrap_err(), Problem::TooLong { .. }));
    let other = Dkim { domain: "x.example".parse().unwrap(), selector: "s".parse().unwrap(), public_key: ED25519.public().clone() };
    assert_eq!(Signer::new(other, &RSA).unwrap_err(), Problem::NotASigningKey, "the public half of another");
}
