//! How a request that is repeated is told from a new one.

use std::fmt;
use std::str::FromStr;

use crate::Problem;

/// What a caller calls a request, so that it can be repeated without being carried out twice: 1..256 visible ASCII characters, within its tenant.
///
/// It may be anything, also something that should not have been sent: there is no `Display`, and `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// The longest key, in characters.
    pub const MAX_CHARACTERS: usize = 256;

    /// The key, to make a digest of it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl FromStr for IdempotencyKey {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        if text.is_empty() {
            return Err(Problem::Empty);
        }
        if text.len() > Self::MAX_CHARACTERS {
            return Err(Problem::TooLong { limit: Self::MAX_CHARACTERS, unit: "characters" });
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Problem::NotOneOf("visible ASCII without spaces"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdempotencyKey")
    }
}

/// What a request asked for, in 32 octets: two requests that ask for the same have the same, and no two others are found that have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

/// By what a repetition of a request is recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// What its caller calls it.
    pub key: IdempotencyKey,
    /// What it asks for.
    pub fingerprint: Fingerprint,
    /// Which of the request's emails it is of, from 1; [`WHOLE`](Self::WHOLE): of the request as a whole, as where it asks for one email.
    pub part: u16,
}

impl Idempotency {
    /// The part that is the request as a whole.
    pub const WHOLE: u16 = 0;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_visible_ascii_and_bounded() {
        for text in ["a", "7b1e-order:7", "!~", "\"quoted\"", &"x".repeat(256)] {
            assert_eq!(text.parse::<IdempotencyKey>().unwrap().reveal(), text);
        }
        for text in ["", " ", "two words", "a\t", "a\n", "é", "a\u{7f}", &"x".repeat(257)] {
            assert!(text.parse::<IdempotencyKey>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_key_is_shown_nowhere() {
        assert!(!format!("{:?}", "sk_live_by_mistake".parse::<IdempotencyKey>().unwrap()).contains("mistake"));
    }
}
