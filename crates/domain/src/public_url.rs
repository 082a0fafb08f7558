//! Under which URL the world reaches the server.

use std::fmt;
use std::str::FromStr;

use crate::WebhookUrl;

/// The beginning of all links that lead to the server: `http` or `https`, a host, and a path where a proxy needs one; no `/` at its end.
///
/// It holds nothing that would mean something in an HTML attribute, with or without quotes.
///
/// ```
/// use selfmx_domain::PublicUrl;
///
/// let url: PublicUrl = "https://Mail.yourdomain.example:8443/selfmx/".parse().unwrap();
/// assert_eq!(url.as_str(), "https://mail.yourdomain.example:8443/selfmx");
/// assert!("https://yourdomain.example/?a=b".parse::<PublicUrl>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(String);

/// The text is no [`PublicUrl`]. It says what would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", PublicUrl::ALLOWED)]
pub struct NotAPublicUrl;

impl PublicUrl {
    /// What is allowed.
    pub const ALLOWED: &str = "an http or https URL such as https://mail.yourdomain.example, with a path if need be, of 200 characters at most, without user, query and fragment";

    /// The longest, in octets: it stands in each link.
    const MAX_OCTETS: usize = 200;

    /// The URL, without a `/` at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PublicUrl {
    type Err = NotAPublicUrl;

    fn from_str(text: &str) -> Result<Self, NotAPublicUrl> {
        let url: WebhookUrl = text.parse().or(Err(NotAPublicUrl))?;
        let is_plain = |octet: u8| octet.is_ascii_alphanumeric() || b"/-._~".contains(&octet);
        if text.len() > Self::MAX_OCTETS || !url.target().bytes().all(is_plain) {
            return Err(NotAPublicUrl);
        }
        let scheme = if url.is_https() { "https" } else { "http" };
        Ok(Self(format!("{scheme}://{}{}", url.authority(), url.target().trim_end_matches('/'))))
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_in_one_form_and_what_is_none_is_refused() {
        for (text, read) in [
            ("https://mail.example", "https://mail.example"),
            ("https://mail.example/", "https://mail.example"),
            ("HTTP://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("https://[2001:db8::1]:8443/a/b_c~//", "https://[2001:db8::1]:8443/a/b_c~"),
            ("https://bücher.example:443/x", "https://xn--bcher-kva.example/x"),
        ] {
            assert_eq!(text.parse::<PublicUrl>().unwrap().as_str(), read);
        }
        let long = format!("https://mail.example/{}", "x".repeat(200));
        for text in [
            "",
            "mail.example",
            "ftp://mail.example",
            "https://",
            "https://u@mail.example",
            "https://mail.example?",
            "https://mail.example/?a=b",
            "https://mail.example/#a",
            "https://mail.example/a&b",
            "https://mail.example/a'b",
            "https://mail.example/a b",
            "https://mail.example/%41",
            "https://mail.example:0",
            &long,
        ] {
            assert_eq!(text.parse::<PublicUrl>(), Err(NotAPublicUrl), "{text}");
        }
    }
}
