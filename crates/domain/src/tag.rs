//! What a caller hangs on an email to find it again: tags and metadata. Neither reaches the message.

use std::collections::BTreeMap;
use std::str::FromStr;

use crate::{FieldError, Problem};

const MAX_TAG_CHARACTERS: usize = 256;

/// A tag: a name, or a name with a value, each of 1..256 characters of `[A-Za-z0-9_-]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    name: String,
    value: Option<String>,
}

impl Tag {
    /// A tag with a value.
    ///
    /// # Errors
    ///
    /// [`Problem::NotATag`] where the name or the value holds other characters or is too long.
    pub fn with_value(name: &str, value: &str) -> Result<Self, Problem> {
        let tag: Self = name.parse()?;
        let value: Self = value.parse()?;
        Ok(Self { value: Some(value.name), ..tag })
    }

    /// The tag's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The tag's value, where it has one.
    #[must_use]
    pub fn value(&self) -> Option<&str> {
        self.value.as_deref()
    }
}

impl FromStr for Tag {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let allowed = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        if text.is_empty() || text.len() > MAX_TAG_CHARACTERS || !allowed {
            return Err(Problem::NotATag);
        }
        Ok(Self { name: text.to_owned(), value: None })
    }
}

/// Keys and values of the caller's own: at most 50 keys, 8 KiB together, no NUL (which PostgreSQL cannot keep).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata(BTreeMap<String, String>);

impl Metadata {
    /// The most keys.
    pub const MAX_KEYS: usize = 50;
    /// The most octets, keys and values together.
    pub const MAX_OCTETS: usize = 8 * 1024;

    /// Checks and keeps `entries`.
    ///
    /// # Errors
    ///
    /// A [`FieldError`] that names `metadata`, or `metadata.<key>`.
    pub fn new(entries: BTreeMap<String, String>) -> Result<Self, FieldError> {
        if entries.len() > Self::MAX_KEYS {
            return Err(Problem::TooMany { limit: Self::MAX_KEYS, unit: "keys" }.at("metadata"));
        }
        if entries.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>() > Self::MAX_OCTETS {
            return Err(Problem::TooLong { limit: Self::MAX_OCTETS, unit: "octets" }.at("metadata"));
        }
        for (key, value) in &entries {
            if key.is_empty() {
                return Err(Problem::Empty.at("metadata"));
            }
            if key.contains('\0') || value.contains('\0') {
                return Err(Problem::ControlCharacter.at("metadata"));
            }
        }
        Ok(Self(entries))
    }

    /// The entries, by key.
    #[must_use]
    pub const fn entries(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_hold_only_their_alphabet() {
        assert_eq!("welcome_mail-2".parse::<Tag>().unwrap().name(), "welcome_mail-2");
        assert_eq!(Tag::with_value("kind", "welcome").unwrap().value(), Some("welcome"));
        for text in ["", "a b", "é", "a\n", "a=b"] {
            assert_eq!(text.parse::<Tag>(), Err(Problem::NotATag), "{text:?}");
        }
        assert!("a".repeat(257).parse::<Tag>().is_err());
    }

    #[test]
    fn metadata_is_bounded() {
        let many = (0..51).map(|n| (n.to_string(), String::new())).collect();
        assert!(Metadata::new(many).is_err());
        let large = BTreeMap::from([("k".to_owned(), "v".repeat(8192))]);
        assert!(Metadata::new(large).is_err());
        assert!(Metadata::new(BTreeMap::from([("k".to_owned(), "a\0b".to_owned())])).is_err());
        assert!(Metadata::new(BTreeMap::from([("order".to_owned(), "line 1\nline 2".to_owned())])).is_ok());
    }
}
