//! The name that people give to a key or a tenant.

use std::fmt;
use std::str::FromStr;

use crate::Problem;
use crate::text::header_safe;

/// A name for people to read: 1..100 characters, none of them a control character, no white space at either end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// The longest name, in characters.
    pub const MAX_CHARACTERS: usize = 100;

    /// The name of the key that the environment sets.
    #[must_use]
    pub fn default_key() -> Self {
        Self("Default".to_owned())
    }

    /// The name, trimmed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let text = text.trim();
        header_safe(text, Self::MAX_CHARACTERS)?;
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_trimmed_and_never_empty() {
        assert_eq!(" Production App ".parse::<Name>().unwrap().as_str(), "Production App");
        assert_eq!("  ".parse::<Name>(), Err(Problem::Empty));
        assert_eq!("a\nb".parse::<Name>(), Err(Problem::ControlCharacter));
        assert!("n".repeat(101).parse::<Name>().is_err());
    }
}
