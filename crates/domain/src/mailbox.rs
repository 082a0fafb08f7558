//! An address with the name of whom it belongs to: RFC 5322 section 3.4's `mailbox`.

use std::fmt;
use std::str::FromStr;

use crate::address::unescape;
use crate::text::header_safe;
use crate::{Address, Problem};

/// The name before an address: 1..256 characters, none of them a control character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisplayName(String);

impl DisplayName {
    /// The longest name, in characters.
    pub const MAX_CHARACTERS: usize = 256;

    /// The name, without quotes.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DisplayName {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        header_safe(text, Self::MAX_CHARACTERS)?;
        Ok(Self(text.to_owned()))
    }
}

/// One mailbox: `local@domain` or `Name <local@domain>`.
///
/// A name may be written without quotes whatever it holds, except for `<`, `>` and `"`: each text is one mailbox, so a comma ends nothing.
///
/// ```
/// use selfmx_domain::Mailbox;
///
/// let mailbox: Mailbox = "\"Doe, Jane\" <jane@x.example>".parse()?;
/// assert_eq!(mailbox.name(), Some("Doe, Jane"));
/// # Ok::<(), selfmx_domain::Problem>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    name: Option<DisplayName>,
    address: Address,
}

impl Mailbox {
    /// A mailbox of its parts.
    #[must_use]
    pub const fn new(name: Option<DisplayName>, address: Address) -> Self {
        Self { name, address }
    }

    /// The name, without quotes.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_ref().map(DisplayName::as_str)
    }

    /// The address.
    #[must_use]
    pub const fn address(&self) -> &Address {
        &self.address
    }
}

impl FromStr for Mailbox {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        // Before the trimming, which would take a line break at either end for white space.
        if text.chars().any(crate::text::is_control) {
            return Err(Problem::ControlCharacter);
        }
        let text = text.trim_matches(' ');
        let Some(inner) = text.strip_suffix('>') else {
            return Ok(Self::new(None, text.parse()?));
        };
        let (name, address) = split_at_bracket(inner).ok_or(Problem::NotAnAddress)?;
        Ok(Self::new(display_name(name.trim_matches(' '))?, address.parse()?))
    }
}

impl fmt::Display for Mailbox {
    /// Writes `local@domain`, or the name in quotes before it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(name) = self.name() else {
            return self.address.fmt(f);
        };
        if name.contains(['"', '\\', '<', '>', '(', ')', '[', ']', ':', ';', '@', ',', '.']) || name.trim_matches(' ') != name {
            let name = name.replace('\\', "\\\\").replace('"', "\\\"");
            return write!(f, "\"{name}\" <{}>", self.address);
        }
        write!(f, "{name} <{}>", self.address)
    }
}

/// Splits at the first `<` outside a quoted string.
fn split_at_bracket(text: &str) -> Option<(&str, &str)> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '<' if !quoted => return Some((text.get(..at)?, text.get(at + 1..)?)),
            _ => {}
        }
    }
    None
}

fn display_name(text: &str) -> Result<Option<DisplayName>, Problem> {
    if text.is_empty() {
        return Ok(None);
    }
    if let Some(content) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        let content = unescape(content).ok_or(Problem::NotAnAddress)?;
        if content.is_empty() {
            return Ok(None);
        }
        return content.parse().map(Some);
    }
    if text.contains(['"', '<', '>']) {
        return Err(Problem::NotAnAddress);
    }
    text.parse().map(Some)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts(text: &str) -> Option<(Option<String>, String)> {
        let mailbox: Mailbox = text.parse().ok()?;
        Some((mailbox.name().map(str::to_owned), mailbox.address().to_string()))
    }

    #[test]
    fn each_usual_spelling_is_read() {
        for (text, name, address) in [
            ("a@b.example", None, "a@b.example"),
            (" a@b.example ", None, "a@b.example"),
            ("<a@b.example>", None, "a@b.example"),
            ("Jane Doe <a@b.example>", Some("Jane Doe"), "a@b.example"),
            ("Jane Doe<a@b.example>", Some("Jane Doe"), "a@b.example"),
            ("Doe, Jane <a@b.example>", Some("Doe, Jane"), "a@b.example"),
            ("\"Doe, <Jane>\" <a@b.example>", Some("Doe, <Jane>"), "a@b.example"),
            ("\"\" <a@b.example>", None, "a@b.example"),
            ("Jane <\"a<b\"@c.example>", Some("Jane"), "\"a<b\"@c.example"),
            ("\"a>\"@b.example", None, "\"a>\"@b.example"),
            ("Ünï Cødé 🎉 <a@b.example>", Some("Ünï Cødé 🎉"), "a@b.example"),
        ] {
            assert_eq!(parts(text), Some((name.map(str::to_owned), address.to_owned())), "{text}");
        }
    }

    #[test]
    fn what_could_add_a_header_or_hide_an_address_is_refused() {
        for text in [
            "Jane\r\nBcc: x@y.example <a@b.example>",
            "Jane\n <a@b.example>",
            "a@b.example\r\n",
            "\ta@b.example",
            "Jane \"x <a@b.example>",
            "Jane <x> <a@b.example>",
            "a@b.example>",
            "Jane <a@b.example",
            "Jane <a@b.example> x",
            "Jane <>",
            "",
            "<>",
            "\"a\\\" <a@b.example>",
            "a@b.example, c@d.example",
        ] {
            assert_eq!(parts(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn each_mailbox_reads_back_as_it_is_written(text in any::<String>(), name in "[ -~é🎉]{0,20}") {
            for candidate in [text.clone(), format!("{text} <a@b.example>"), format!("{name} <a@b.example>"), format!("\"{name}\" <a@b.example>")] {
                let Ok(mailbox) = candidate.parse::<Mailbox>() else { continue };
                let written = mailbox.to_string();
                prop_assert!(!written.contains(['\r', '\n', '\0']));
                prop_assert_eq!(written.parse::<Mailbox>(), Ok(mailbox), "{}", written);
            }
        }
    }
}
