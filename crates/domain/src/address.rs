//! Addresses: RFC 5321 section 4.1.2, with UTF-8 local parts (RFC 6531) and IDN domains (UTS #46).

use std::fmt;
use std::str::FromStr;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

use crate::Problem;
use crate::text::is_control;

const MAX_LOCAL_OCTETS: usize = 64;
const MAX_ADDRESS_OCTETS: usize = 254;
/// The longest text that is looked at as a domain, as it is written: many times the 253 octets that its A-labels may have.
const MAX_DOMAIN_OCTETS: usize = 4096;

/// A domain name in its A-label form: lower case, ASCII.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Domain(String);

impl Domain {
    /// `localhost`: what a machine without a name of its own calls itself.
    #[must_use]
    pub fn localhost() -> Self {
        Self("localhost".to_owned())
    }

    /// The name, as A-labels.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Domain {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        if text.starts_with('[') {
            return Err(Problem::AddressLiteral);
        }
        // Before the conversion, which takes time and memory by the length of what it is given.
        if text.len() > MAX_DOMAIN_OCTETS {
            return Err(Problem::NotADomain);
        }
        let ascii = Uts46::new()
            .to_ascii(text.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast, DnsLength::Verify)
            .or(Err(Problem::NotADomain))?;
        // An all-digit last label reads as an IPv4 address to some resolvers (RFC 3696 section 2).
        let last = ascii.rsplit('.').next().unwrap_or_default();
        if last.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Problem::NotADomain);
        }
        Ok(Self(ascii.into_owned()))
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An email address: `local@domain`, ready for an SMTP command.
///
/// The local part keeps its case, as RFC 5321 section 2.4 asks; quotes that are not needed are taken off, so that one mailbox has one
/// spelling.
///
/// ```
/// use selfmx_domain::Address;
///
/// let address: Address = "\"jane\"@BÜCHER.example".parse()?;
/// assert_eq!(address.to_string(), "jane@xn--bcher-kva.example");
/// # Ok::<(), selfmx_domain::Problem>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    local: String,
    domain: Domain,
}

impl Address {
    /// The part before the `@`, quoted where it has to be.
    #[must_use]
    pub fn local(&self) -> &str {
        &self.local
    }

    /// The part after the `@`.
    #[must_use]
    pub const fn domain(&self) -> &Domain {
        &self.domain
    }

    /// Whether the address can be handed only to a relay that offers SMTPUTF8 (RFC 6531).
    #[must_use]
    pub fn needs_smtputf8(&self) -> bool {
        !self.local.is_ascii()
    }
}

impl FromStr for Address {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        if text.is_empty() {
            return Err(Problem::Empty);
        }
        if text.chars().any(is_control) {
            return Err(Problem::ControlCharacter);
        }
        let (local, domain) = text.rsplit_once('@').ok_or(Problem::NotAnAddress)?;
        let local = local_part(local)?;
        let domain: Domain = domain.parse()?;
        if local.len() + 1 + domain.0.len() > MAX_ADDRESS_OCTETS {
            return Err(Problem::TooLong { limit: MAX_ADDRESS_OCTETS, unit: "octets" });
        }
        Ok(Self { local, domain })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local, self.domain)
    }
}

/// RFC 5321's `Local-part`: a dot-string or a quoted string, the latter unquoted where it need not be one.
fn local_part(text: &str) -> Result<String, Problem> {
    if text.len() > MAX_LOCAL_OCTETS {
        return Err(Problem::TooLong { limit: MAX_LOCAL_OCTETS, unit: "octets before the `@`" });
    }
    if is_dot_string(text) {
        return Ok(text.to_owned());
    }
    let content = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).ok_or(Problem::NotAnAddress)?;
    let content = unescape(content).ok_or(Problem::NotAnAddress)?;
    if content.is_empty() || content.chars().any(is_invisible) {
        return Err(Problem::NotAnAddress);
    }
    if is_dot_string(&content) {
        return Ok(content);
    }
    Ok(quote(&content))
}

fn is_dot_string(text: &str) -> bool {
    text.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atext))
}

/// RFC 5322's `atext`, widened by RFC 6531 to what is beyond ASCII and neither a space nor invisible.
fn is_atext(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
    }
    !c.is_whitespace() && !is_control(c) && !is_invisible(c)
}

/// Zero-width and direction-changing characters, which make two addresses look like one.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The content of a quoted string, its backslashes resolved.
pub(crate) fn unescape(text: &str) -> Option<String> {
    let mut content = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => content.push(chars.next()?),
            '"' => return None,
            _ => content.push(c),
        }
    }
    Some(content)
}

fn quote(content: &str) -> String {
    let mut quoted = String::with_capacity(content.len() + 2);
    quoted.push('"');
    for c in content.chars() {
        if matches!(c, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_the_rfc_allows_is_accepted() {
        for (given, kept) in [
            ("a@b.example", "a@b.example"),
            ("A.b+c@Example.COM", "A.b+c@example.com"),
            ("!#$%&'*+-/=?^_`{|}~@x.example", "!#$%&'*+-/=?^_`{|}~@x.example"),
            ("\"john doe\"@x.example", "\"john doe\"@x.example"),
            ("\"a\\\"b\"@x.example", "\"a\\\"b\"@x.example"),
            ("\"a\\b\"@x.example", "ab@x.example"),
            ("\"john\"@x.example", "john@x.example"),
            ("\"a@b\"@x.example", "\"a@b\"@x.example"),
            ("用户@例子.example", "用户@xn--fsqu00a.example"),
            ("a@localhost", "a@localhost"),
            ("a@r3---sn.example", "a@r3---sn.example"),
        ] {
            assert_eq!(given.parse::<Address>().map(|address| address.to_string()), Ok(kept.to_owned()), "{given}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "a",
            "@",
            "a@",
            "@b.example",
            "a b@c.example",
            ".a@b.example",
            "a.@b.example",
            "a..b@c.example",
            "a@b..example",
            "a@.b.example",
            "a@-b.example",
            "a@b-.example",
            "a@b_c.example",
            "a@[127.0.0.1]",
            "a@[IPv6:::1]",
            "a@127.0.0.1",
            "a@b.example.",
            "\"\"@b.example",
            "\"a@b.example",
            "a\"b@c.example",
            "a@b@c.example",
            "<a@b.example>",
            "a@b.example ",
            " a@b.example",
            "a@b c.example",
            "a,b@c.example",
            "a@b.example\r\nRCPT TO:<x@y>",
            "a\0@b.example",
            "a\u{200b}b@c.example",
            "\"a\u{202e}b\"@c.example",
            "a\u{a0}b@c.example",
            "a@b\u{3002}\u{3002}example",
            "a>b@c.example",
            "a@b>.example",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text:?}");
        }
        assert!(format!("{}@x.example", "a".repeat(65)).parse::<Address>().is_err());
        assert!(format!("{}@x.example", "a".repeat(64)).parse::<Address>().is_ok());
        assert!(format!("a@{}.example", "b".repeat(64)).parse::<Address>().is_err());
        assert!(format!("a@{}example", "b.".repeat(125)).parse::<Address>().is_err());
    }

    #[test]
    fn a_domain_is_bounded_before_it_is_converted() {
        // Soft hyphens mean nothing in a domain: however many there are, what remains is a short one.
        let written = |hyphens: usize| format!("a@x{}.example", "\u{ad}".repeat(hyphens)).parse::<Address>();
        assert_eq!(written(100).unwrap().to_string(), "a@x.example");
        assert_eq!(written(100_000), Err(Problem::NotADomain));
    }

    #[test]
    fn only_a_local_part_beyond_ascii_needs_smtputf8() {
        assert!(!"a@bücher.example".parse::<Address>().unwrap().needs_smtputf8());
        assert!("é@b.example".parse::<Address>().unwrap().needs_smtputf8());
    }

    proptest! {
        #[test]
        fn no_text_whatever_gives_an_address_that_could_end_a_command(text in any::<String>(), domain in "[a-z]{1,8}\\.example") {
            for candidate in [text.clone(), format!("{text}@{domain}"), format!("\"{text}\"@{domain}"), format!("a@{text}")] {
                let Ok(address) = candidate.parse::<Address>() else { continue };
                let written = address.to_string();
                prop_assert!(!written.chars().any(char::is_control));
                prop_assert!(written.len() <= 254);
                prop_assert_eq!(written.parse::<Address>(), Ok(address));
            }
        }

        #[test]
        fn a_space_or_bracket_stands_only_within_quotes(local in "[ -~]{1,20}") {
            if let Ok(address) = format!("{local}@x.example").parse::<Address>() {
                let quoted = address.local().starts_with('"');
                prop_assert!(quoted || !address.local().contains([' ', '<', '>', ',', ';', ':', '"']));
            }
        }
    }
}
