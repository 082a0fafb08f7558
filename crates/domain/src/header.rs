//! Header fields that a caller adds: names by RFC 5322's grammar and our own deny list, values without controls.

use std::fmt;
use std::str::FromStr;

use crate::Problem;
use crate::text::is_control;

const MAX_NAME_OCTETS: usize = 76;
const MAX_VALUE_OCTETS: usize = 4096;

/// Headers that the server writes, that have a field of their own in a request, or that claim what only a mail system may.
const RESERVED: &[&str] = &[
    "arc-authentication-results",
    "arc-message-signature",
    "arc-seal",
    "authentication-results",
    "bcc",
    "cc",
    "date",
    "from",
    "message-id",
    "mime-version",
    "received",
    "received-spf",
    "reply-to",
    "return-path",
    "sender",
    "subject",
    "to",
];
const RESERVED_PREFIXES: &[&str] = &["content-", "dkim-", "resent-"];

/// A header field's name: `[!-9;-~]+` (RFC 5322 section 2.2), at most 76 octets, none of the reserved ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderName(String);

impl HeaderName {
    /// The name as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for HeaderName {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        if text.is_empty() || !text.bytes().all(|byte| matches!(byte, b'!'..=b'9' | b';'..=b'~')) {
            return Err(Problem::NotAHeaderName);
        }
        if text.len() > MAX_NAME_OCTETS {
            return Err(Problem::TooLong { limit: MAX_NAME_OCTETS, unit: "octets" });
        }
        let lower = text.to_ascii_lowercase();
        if RESERVED.contains(&lower.as_str()) || RESERVED_PREFIXES.iter().any(|prefix| lower.starts_with(prefix)) {
            return Err(Problem::ReservedHeader(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A header field's value: at most 4,096 octets, no control characters. It may be empty and may go beyond ASCII (it is encoded when written).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderValue(String);

impl HeaderValue {
    /// The value as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for HeaderValue {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        if text.chars().any(is_control) {
            return Err(Problem::ControlCharacter);
        }
        if text.len() > MAX_VALUE_OCTETS {
            return Err(Problem::TooLong { limit: MAX_VALUE_OCTETS, unit: "octets" });
        }
        Ok(Self(text.to_owned()))
    }
}

/// A header field that the caller adds to the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomHeader {
    /// The field's name.
    pub name: HeaderName,
    /// The field's value, not yet encoded.
    pub value: HeaderValue,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_one_s_own_is_accepted() {
        for name in ["X-Campaign", "List-Unsubscribe", "In-Reply-To", "References", "Precedence", "x!y", "Contents"] {
            assert_eq!(name.parse::<HeaderName>().unwrap().as_str(), name);
        }
    }

    #[test]
    fn our_own_headers_are_refused_in_any_case() {
        for name in [
            "From",
            "to",
            "CC",
            "bCc",
            "Date",
            "Message-ID",
            "MIME-Version",
            "Content-Type",
            "content-anything",
            "DKIM-Signature",
            "Received",
            "Return-Path",
            "Subject",
            "Reply-To",
            "Sender",
            "Resent-To",
            "ARC-Seal",
            "Authentication-Results",
        ] {
            assert!(matches!(name.parse::<HeaderName>(), Err(Problem::ReservedHeader(_))), "{name}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for name in ["", "X A", "X:A", "X\r\nBcc", "X\nA", "X\0", "Ü", "X\u{7f}", "\t"] {
            assert_eq!(name.parse::<HeaderName>(), Err(Problem::NotAHeaderName), "{name:?}");
        }
        assert!("x".repeat(77).parse::<HeaderName>().is_err());
    }

    #[test]
    fn a_value_has_no_controls() {
        assert!("".parse::<HeaderValue>().is_ok());
        assert!("<https://x.example/u?a=1>, <mailto:u@x.example>".parse::<HeaderValue>().is_ok());
        for value in ["a\r\nBcc: x@y.example", "a\n b", "a\rb", "a\0", "a\u{2029}b", "a\u{9b}b"] {
            assert_eq!(value.parse::<HeaderValue>(), Err(Problem::ControlCharacter), "{value:?}");
        }
        assert!("v".repeat(4097).parse::<HeaderValue>().is_err());
    }
}
