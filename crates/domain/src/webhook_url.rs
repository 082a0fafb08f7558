//! Where a webhook's events are posted: a URL in one reading only, whoever reads it.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::{Problem, RelayHost};

/// An `http` or `https` URL (RFC 3986) without a user, a password and a fragment, whose host is a name or an address in its usual spelling.
///
/// What some readers take for another host than others is refused: backslashes, spaces and control characters, addresses as one number, with leading
/// zeros or hexadecimal digits, percent signs within the host. Whether its host may be connected to is not known before it is looked up.
///
/// ```
/// use selfmx_domain::WebhookUrl;
///
/// let url: WebhookUrl = "https://Hooks.Bücher.example/in?from=mail".parse()?;
/// assert_eq!((url.host(), url.port(), url.target()), ("hooks.xn--bcher-kva.example", 443, "/in?from=mail"));
/// assert!("https://2130706433/".parse::<WebhookUrl>().is_err());
/// # Ok::<(), selfmx_domain::Problem>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookUrl {
    text: String,
    https: bool,
    host: RelayHost,
    port: u16,
    target: String,
}

impl WebhookUrl {
    /// The longest URL, in octets.
    pub const MAX_OCTETS: usize = 2048;

    /// The URL as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is reached by TLS.
    #[must_use]
    pub const fn is_https(&self) -> bool {
        self.https
    }

    /// The host: a name as A-labels, or an address without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        self.host.as_str()
    }

    /// The host's address, where it is one.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.host.address()
    }

    /// The TCP port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Host and port as the `Host` field has them (RFC 9110 section 7.2): an IPv6 address in brackets, the scheme's own port left out.
    #[must_use]
    pub fn authority(&self) -> String {
        let host = match self.address() {
            Some(IpAddr::V6(address)) => format!("[{address}]"),
            _ => self.host.to_string(),
        };
        if self.port == usual_port(self.https) { host } else { format!("{host}:{}", self.port) }
    }

    /// Path and query (RFC 9112 section 3.2.1).
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }
}

impl FromStr for WebhookUrl {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        if text.len() > Self::MAX_OCTETS {
            return Err(Problem::TooLong { limit: Self::MAX_OCTETS, unit: "octets" });
        }
        let (scheme, rest) = text.split_once("://").ok_or(Problem::NotAUrl)?;
        let https = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err(Problem::NotAUrl),
        };
        let (authority, target) = rest.split_at(rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(Problem::UserInUrl);
        }
        let (host, port) = host_and_port(authority)?;
        let port = port.unwrap_or(usual_port(https));
        let host = host.ok_or(Problem::NotAUrl)?;
        Ok(Self { text: text.to_owned(), https, host, port, target: checked_target(target)? })
    }
}

impl fmt::Debug for WebhookUrl {
    /// The host alone: people put tokens into paths and queries.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebhookUrl({})", self.authority())
    }
}

const fn usual_port(https: bool) -> u16 {
    if https { 443 } else { 80 }
}

/// `host`, `host:port`, `[v6]` or `[v6]:port`.
fn host_and_port(authority: &str) -> Result<(Option<RelayHost>, Option<u16>), Problem> {
    if let Some(bracketed) = authority.strip_prefix('[') {
        let (inner, rest) = bracketed.split_once(']').ok_or(Problem::NotAUrl)?;
        let host: RelayHost = inner.parse().or(Err(Problem::NotAUrl))?;
        let is_v6 = matches!(host.address(), Some(IpAddr::V6(_)));
        let port = if rest.is_empty() { None } else { Some(rest.strip_prefix(':').and_then(port_of).ok_or(Problem::NotAUrl)?) };
        return Ok((is_v6.then_some(host), port));
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port_of(port).ok_or(Problem::NotAUrl)?)),
        None => (authority, None),
    };
    Ok((host.parse().ok(), port))
}

/// 1..65535, in digits alone.
fn port_of(text: &str) -> Option<u16> {
    let digits = (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port > 0)
}

/// Path and query, with the `/` that an empty path stands for.
fn checked_target(text: &str) -> Result<String, Problem> {
    let octets = text.as_bytes();
    let is_escape = |at: usize| octets.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
    let is_good = |(at, byte): (usize, &u8)| match byte {
        b'%' => is_escape(at),
        b'"' | b'#' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' => false,
        byte => byte.is_ascii_graphic(),
    };
    if !octets.iter().enumerate().all(is_good) {
        return Err(Problem::NotAUrl);
    }
    Ok(if text.starts_with('/') { text.to_owned() } else { format!("/{text}") })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        for (text, https, authority, port, target) in [
            ("https://a.example", true, "a.example", 443, "/"),
            ("HTTPS://A.Example:443/x/../y", true, "a.example", 443, "/x/../y"),
            ("http://a.example?x=1&y[]=%20", false, "a.example", 80, "/?x=1&y[]=%20"),
            ("http://a.example:8080/", false, "a.example:8080", 8080, "/"),
            ("http://192.0.2.1:443/x", false, "192.0.2.1:443", 443, "/x"),
            ("https://[2001:DB8:0::1]/x", true, "[2001:db8::1]", 443, "/x"),
            ("https://[::ffff:127.0.0.1]:8443", true, "[::ffff:127.0.0.1]:8443", 8443, "/"),
            ("http://localhost:1/a@b:c//d", false, "localhost:1", 1, "/a@b:c//d"),
        ] {
            let url: WebhookUrl = text.parse().unwrap();
            assert_eq!((url.is_https(), url.authority().as_str(), url.port(), url.target()), (https, authority, port, target), "{text}");
            assert_eq!(url.as_str(), text);
        }
    }

    #[test]
    fn what_two_readers_read_differently_is_refused() {
        for text in [
            "",
            "a.example",
            "//a.example/",
            "https:/a.example/",
            "https:a.example",
            "https:///a.example",
            "https://",
            "https://:443/",
            "ftp://a.example/",
            "file:///etc/passwd",
            "gopher://a.example/",
            " https://a.example/",
            "https://a.example/ ",
            "https://a.example\\@127.0.0.1/",
            "https://a.example\\.b.example/",
            "https://a.example#@127.0.0.1/",
            "https://a.example/#x",
            "https://a.exam\tple/",
            "https://a.example/\r\nX-Evil: 1",
            "https://a.example/\0",
            "https://a.example/é",
            "https://a.example/%",
            "https://a.example/%0",
            "https://a.example/%zz",
            "https://a.example/{x}",
            "https://a%2eexample/",
            "https://127.0.0.1%00.a.example/",
            "https://2130706433/",
            "https://0x7f000001/",
            "https://0x7f.1/",
            "https://0177.0.0.1/",
            "https://127.1/",
            "https://127.0.0.01/",
            "https://0/",
            "https://1.2.3.4.5/",
            "https://127.0.0.1./",
            "https://::1/",
            "https://[::1/",
            "https://[127.0.0.1]/",
            "https://[a.example]/",
            "https://[::1%25lo]/",
            "https://[fe80::1%lo]/",
            "https://[::1]x/",
            "https://[::1]:/",
            "https://a.example:/",
            "https://a.example:0/",
            "https://a.example:65536/",
            "https://a.example:+80/",
            "https://a.example:80:80/",
            "https://a.example:０/",
            "https://a..example/",
        ] {
            assert_eq!(text.parse::<WebhookUrl>(), Err(Problem::NotAUrl), "{text:?}");
        }
        for text in
            ["https://u@a.example/", "https://u:p@a.example/", "https://@a.example/", "https://a.example@127.0.0.1/", "https://a:80@[::1]/"]
        {
            assert_eq!(text.parse::<WebhookUrl>(), Err(Problem::UserInUrl), "{text:?}");
        }
        let long = format!("https://a.example/{}", "x".repeat(2031));
        assert!(matches!(long.parse::<WebhookUrl>(), Err(Problem::TooLong { .. })) && long[..2048].parse::<WebhookUrl>().is_ok());
    }

    #[test]
    fn what_may_be_a_token_is_not_shown() {
        let url: WebhookUrl = "https://a.example:444/hook/canary?token=canary".parse().unwrap();
        assert_eq!(format!("{url:?}"), "WebhookUrl(a.example:444)");
    }

    proptest! {
        #[test]
        fn whatever_is_taken_can_be_written_into_a_request(text in "https?://(\\PC{0,12}|[a-z0-9.:%@\\[\\]]{1,20})(/\\PC{0,12})?") {
            if let Ok(url) = text.parse::<WebhookUrl>() {
                prop_assert!(url.target().starts_with('/') && url.target().bytes().all(|byte| byte.is_ascii_graphic()));
                prop_assert!(url.authority().bytes().all(|byte| byte.is_ascii_graphic() && !b"/?#@\\".contains(&byte)));
                prop_assert!(url.port() > 0);
            }
        }
    }
}
