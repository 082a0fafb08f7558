//! Secrets that are looked for, in the forms in which one could have got somewhere.

use std::collections::{BTreeMap, HashMap};

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};

/// How much of a secret is already too much, in characters.
const PIECE: usize = 16;
const STEP: usize = 4;
/// The end of a key that everybody may see.
const HINT: usize = 4;
/// The digits after a made key's prefix.
const DIGITS: usize = 49;

/// Secrets, by how each of their forms begins: one pass over a text finds them all.
#[derive(Default)]
pub(super) struct Needles {
    secrets: usize,
    forms: HashMap<Vec<u8>, Vec<(String, String)>>,
}

impl Needles {
    /// From now on this is looked for.
    pub(super) fn add(&mut self, what: &str, secret: &str) {
        self.secrets += 1;
        for form in forms(secret) {
            self.forms.entry(form.as_bytes()[..PIECE].to_vec()).or_default().push((what.to_owned(), form));
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.secrets
    }

    /// What of all that is in `text`, in whatever form, and what else looks like a key there; with what stands before it.
    pub(super) fn found_in(&self, place: &str, text: &str) -> Vec<String> {
        let before = |at: usize| {
            let line = String::from_utf8_lossy(&text.as_bytes()[at.saturating_sub(160)..at]).into_owned();
            line.rsplit('\n').next().unwrap_or_default().to_owned()
        };
        let mut found = BTreeMap::new();
        for (at, window) in text.as_bytes().windows(PIECE).enumerate() {
            for (what, form) in self.forms.get(window).into_iter().flatten() {
                if text.as_bytes()[at..].starts_with(form.as_bytes()) {
                    found.entry(what.clone()).or_insert_with(|| format!("{place} has {what}, after: {}", before(at)));
                }
            }
        }
        let others = made_keys(text).map(|at| format!("{place} has what looks like a key, after: {}", before(at)));
        others.chain(found.into_values()).collect()
    }
}

/// Where something in `text` looks like a made key: `sk_(live|test)_[0-9A-Za-z]{49}`.
fn made_keys(text: &str) -> impl Iterator<Item = usize> {
    let begins = text.match_indices("sk_live_").chain(text.match_indices("sk_test_"));
    let is_key = |rest: &str| rest.bytes().take_while(u8::is_ascii_alphanumeric).count() >= DIGITS;
    begins.filter(move |(at, prefix)| is_key(&text[at + prefix.len()..])).map(|(at, _)| at)
}

/// Pieces of a secret as they are and in hexadecimal, the whole in base 64, wherever it begins there.
fn forms(secret: &str) -> Vec<String> {
    let body = secret.strip_prefix("sk_live_").or_else(|| secret.strip_prefix("sk_test_")).unwrap_or(secret);
    let body = &body[..body.len() - HINT];
    assert!(body.len() >= PIECE, "too short to be told from chance");
    let begins = (0..=body.len() - PIECE).step_by(STEP);
    let mut forms: Vec<String> = begins.map(|begin| body[begin..begin + PIECE].to_owned()).collect();
    let hex: Vec<String> = forms.iter().map(|piece| piece.bytes().map(|octet| format!("{octet:02x}")).collect()).collect();
    forms.extend(hex.iter().map(|piece| piece.to_uppercase()).chain(hex.iter().cloned()));
    for shift in 0..3 {
        let octets = [&vec![0; shift][..], body.as_bytes()].concat();
        for text in [BASE64_STANDARD.encode(&octets), BASE64_URL_SAFE.encode(&octets)] {
            // The characters at both ends also depend on what stands around.
            let inner = text.trim_end_matches('=');
            forms.push(inner[(shift * 8).div_ceil(6)..inner.len() - 2].to_owned());
        }
    }
    forms
}

#[test]
fn a_secret_is_found_in_each_form_and_anywhere() {
    let secret = format!("sk_live_{}", "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMN".get(..DIGITS).unwrap());
    let mut needles = Needles::default();
    needles.add("one", &secret);
    let hex = |text: &str| text.bytes().map(|octet| format!("{octet:02x}")).collect::<String>();
    for shift in 0..4 {
        let around = format!("{}{secret}\"}}", "x".repeat(shift));
        for text in
            [around.clone(), hex(&around), hex(&around).to_uppercase(), BASE64_STANDARD.encode(&around), BASE64_URL_SAFE.encode(&around)]
        {
            assert!(!needles.found_in("here", &format!("a\n{text}\nb")).is_empty(), "{text}");
        }
    }
    assert!(!needles.found_in("here", "…efghijklmnopqrstuvwxyz…").is_empty(), "a piece of it");
    assert!(needles.found_in("here", "sk_live_ and KLMN, and sk_test_0123456789").is_empty());
    assert!(!Needles::default().found_in("here", &secret).is_empty(), "one that nobody knows");
}
