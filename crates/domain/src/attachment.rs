//! Files that travel with an email.

use std::fmt;
use std::str::FromStr;

use crate::Problem;
use crate::text::{header_safe, is_control};

/// A file's name: 1..255 characters, no control characters, no path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileName(String);

impl FileName {
    /// The longest name, in characters.
    pub const MAX_CHARACTERS: usize = 255;

    /// The name as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for FileName {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        header_safe(text, Self::MAX_CHARACTERS)?;
        if text.contains(['/', '\\']) {
            return Err(Problem::PathInFileName);
        }
        Ok(Self(text.to_owned()))
    }
}

/// A media type: `type/subtype` of RFC 2045 tokens, with parameters `; name=value` whose values are tokens or quoted strings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentType(String);

impl ContentType {
    const MAX_OCTETS: usize = 255;

    /// The media type as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ContentType {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        if text.chars().any(is_control) {
            return Err(Problem::ControlCharacter);
        }
        if text.len() > Self::MAX_OCTETS {
            return Err(Problem::TooLong { limit: Self::MAX_OCTETS, unit: "octets" });
        }
        let mut parts = text.split(';');
        let (kind, subtype) = parts.next().and_then(|essence| essence.trim_matches(' ').split_once('/')).ok_or(Problem::NotAMediaType)?;
        // A container needs a boundary and parts of its own, which an attachment's bytes do not have in a way that we could vouch for.
        let container = kind.eq_ignore_ascii_case("multipart");
        if !is_token(kind) || !is_token(subtype) || container || !parts.all(is_parameter) {
            return Err(Problem::NotAMediaType);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for ContentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The id by which an HTML body shows an inline file: `cid:` and this (RFC 2392), without angle brackets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ContentId(String);

impl ContentId {
    const MAX_OCTETS: usize = 250;

    /// The id, without angle brackets.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ContentId {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>'));
        if text.is_empty() || !visible {
            return Err(Problem::NotAContentId);
        }
        if text.len() > Self::MAX_OCTETS {
            return Err(Problem::TooLong { limit: Self::MAX_OCTETS, unit: "octets" });
        }
        Ok(Self(text.to_owned()))
    }
}

/// A file that is attached, or shown inline where it has a content id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// The name that the reader sees.
    pub file_name: FileName,
    /// The media type; guessed from the name where absent.
    pub content_type: Option<ContentType>,
    /// Makes the file inline.
    pub content_id: Option<ContentId>,
    /// The file's bytes, decoded.
    pub content: Vec<u8>,
}

/// RFC 2045 section 5.1's `token`.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&byte))
}

fn is_parameter(text: &str) -> bool {
    let Some((name, value)) = text.trim_matches(' ').split_once('=') else {
        return false;
    };
    let quoted = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let plain = |content: &str| content.bytes().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\'));
    is_token(name) && quoted.map_or_else(|| is_token(value), plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_is_no_path_and_has_no_controls() {
        assert!("Rechnung März 2026.pdf".parse::<FileName>().is_ok());
        assert_eq!("../x".parse::<FileName>(), Err(Problem::PathInFileName));
        assert_eq!("a\\b".parse::<FileName>(), Err(Problem::PathInFileName));
        assert_eq!("a\r\nb".parse::<FileName>(), Err(Problem::ControlCharacter));
        assert!("".parse::<FileName>().is_err());
    }

    #[test]
    fn media_types_follow_the_grammar() {
        for text in ["text/plain", "text/plain; charset=utf-8", "application/vnd.x+json", "text/calendar; method=REQUEST; name=\"a b.ics\""]
        {
            assert!(text.parse::<ContentType>().is_ok(), "{text}");
        }
        for text in [
            "",
            "text",
            "text/",
            "/plain",
            "text/pl ain",
            "text/plain;",
            "text/plain; charset",
            "text/plain\r\nBcc: x@y.example",
            "te\"xt/plain",
            "text/plain; a=\"b\"c\"",
            "text/plä",
            "multipart/mixed",
            "text/plain; a=b c",
        ] {
            assert!(text.parse::<ContentType>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_content_id_is_one_visible_word() {
        assert!("logo@x.example".parse::<ContentId>().is_ok());
        for text in ["", "a b", "<a>", "a\r\nb", "é"] {
            assert!(text.parse::<ContentId>().is_err(), "{text:?}");
        }
    }
}
