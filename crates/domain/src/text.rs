//! Texts that may stand in a header: no control characters, bounded length.

use std::str::FromStr;

use crate::Problem;

/// Whether `c` may not stand in anything that reaches a header: the C0 and C1 controls, DEL, and the Unicode line and paragraph separators.
#[must_use]
pub fn is_control(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Checks a text that will stand in a header.
pub(crate) fn header_safe(text: &str, limit: usize) -> Result<(), Problem> {
    if text.is_empty() {
        return Err(Problem::Empty);
    }
    if text.chars().any(is_control) {
        return Err(Problem::ControlCharacter);
    }
    if text.chars().count() > limit {
        return Err(Problem::TooLong { limit, unit: "characters" });
    }
    Ok(())
}

/// The subject of an email: 1..998 characters, none of them a control character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject(String);

impl Subject {
    /// The longest subject, in characters (RFC 5322 section 2.1.1's line).
    pub const MAX_CHARACTERS: usize = 998;

    /// The subject as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Subject {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        header_safe(text, Self::MAX_CHARACTERS)?;
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_holds_any_printable_text() {
        assert_eq!("Grüße 🎉".parse::<Subject>().unwrap().as_str(), "Grüße 🎉");
        assert!("é".repeat(998).parse::<Subject>().is_ok());
    }

    #[test]
    fn a_subject_that_could_add_a_header_is_refused() {
        for text in ["a\r\nBcc: x@y.example", "a\nb", "a\rb", "a\0b", "a\tb", "a\u{85}b", "a\u{2028}b", "\u{7f}"] {
            assert_eq!(text.parse::<Subject>(), Err(Problem::ControlCharacter), "{text:?}");
        }
        assert_eq!("".parse::<Subject>(), Err(Problem::Empty));
        assert!("a".repeat(999).parse::<Subject>().is_err());
    }
}
