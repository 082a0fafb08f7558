//! Where a link of an email leads, once it is followed through the server.

use std::fmt;

/// An absolute `http` or `https` URL that a redirect can lead to: visible ASCII alone, with all else as `%XX`.
///
/// ```
/// use selfmx_domain::LinkTarget;
///
/// let target = LinkTarget::read(" https://shop.example/größe?a=1&b=2#top ");
/// assert_eq!(target.unwrap().as_str(), "https://shop.example/gr%C3%B6%C3%9Fe?a=1&b=2#top");
/// assert_eq!(LinkTarget::read("javascript:alert(1)"), None);
/// assert_eq!(LinkTarget::read("/relative"), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LinkTarget(String);

impl LinkTarget {
    /// The longest, in octets: what holds it has to fit in a request line, wherever it is followed.
    pub const MAX_OCTETS: usize = 2048;

    /// Reads a link as browsers do (URL Standard), as far as that is clear: blanks around it do not count, and octets beyond visible ASCII stand for
    /// their `%XX`. `None`: it is relative, of another scheme, longer than [`MAX_OCTETS`](Self::MAX_OCTETS), holds control characters, or its host is
    /// not in ASCII.
    #[must_use]
    pub fn read(link: &str) -> Option<Self> {
        let link = link.trim_matches(|c: char| c <= ' ');
        if link.len() > Self::MAX_OCTETS || link.chars().any(char::is_control) {
            return None;
        }
        let (scheme, rest) = link.split_once("://")?;
        if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
            return None;
        }
        let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
        if authority.is_empty() || !authority.bytes().all(|octet| octet.is_ascii_graphic()) {
            return None;
        }
        Some(Self(escaped(link))).filter(|target| target.0.len() <= Self::MAX_OCTETS)
    }

    /// The URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LinkTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text with all but visible ASCII as `%XX` (RFC 3986 section 2.1).
fn escaped(text: &str) -> String {
    use std::fmt::Write as _;
    let mut escaped = String::with_capacity(text.len());
    for octet in text.bytes() {
        if octet.is_ascii_graphic() {
            escaped.push(char::from(octet));
        } else {
            // Writing to a string does not fail.
            let _ = write!(escaped, "%{octet:02X}");
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(link: &str) -> Option<String> {
        LinkTarget::read(link).map(|target| target.to_string())
    }

    #[test]
    fn absolute_links_are_read_as_browsers_do_and_no_others_are() {
        for (link, target) in [
            ("http://a.example", "http://a.example"),
            ("HTTPS://A.example/B?c=d#e", "HTTPS://A.example/B?c=d#e"),
            ("\n https://a.example/x y\t", "https://a.example/x%20y"),
            ("https://u:p@a.example:8443/", "https://u:p@a.example:8443/"),
            ("https://a.example/?q=é", "https://a.example/?q=%C3%A9"),
            ("https://[2001:db8::1]/%41", "https://[2001:db8::1]/%41"),
        ] {
            assert_eq!(read(link).as_deref(), Some(target), "{link:?}");
        }
        let (fits, long) = (format!("https://a.example/{}", "x".repeat(2030)), format!("https://a.example/{}", "x".repeat(2031)));
        assert!(read(&fits).is_some() && read(&long).is_none() && read(&format!("https://a.example/{}", "é".repeat(700))).is_none());
        for link in [
            "",
            "/a",
            "a.example",
            "#top",
            "//a.example/",
            "mailto:a@b.example",
            "tel:+1",
            "cid:x",
            "ftp://a.example/",
            "javascript://a.example/%0Aalert(1)",
            "https:/a.example",
            "https:///a",
            "https://?a",
            "https://bücher.example/",
            "https://a b/",
            "https://a.example/\r\nSet-Cookie: a=b",
            "https://a.example/\u{0}x",
            "https://a.example/\u{85}",
        ] {
            assert_eq!(read(link), None, "{link:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_fits_in_a_header_and_reads_the_same_again(link in "https?://[a-z.é]{0,8}[\\PC\n\t ]{0,40}") {
            if let Some(target) = LinkTarget::read(&link) {
                prop_assert!(target.as_str().bytes().all(|octet| octet.is_ascii_graphic()));
                prop_assert_eq!(LinkTarget::read(target.as_str()), Some(target));
            }
        }
    }
}
