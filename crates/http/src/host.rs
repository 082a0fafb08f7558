//! Exactly one valid `Host` (RFC 9112 section 3.2), or `:authority` in HTTP/2 (RFC 9113 section 8.3.1).

use hyper::header::HOST;
use hyper::http::request::Parts;
use hyper::http::uri::Authority;

use crate::HeadFault;

/// Checks the host that a request names.
///
/// HTTP/1 has to send one `Host`, in the absolute form beside the same host in the target; HTTP/2 sends `:authority`, or `Host`, or both alike.
pub(crate) fn check(head: &Parts) -> Result<(), HeadFault> {
    let mut given = head.headers.get_all(HOST).iter();
    let (first, second) = (given.next(), given.next());
    if second.is_some() {
        return Err(HeadFault::Host);
    }
    let header = first.map(|value| authority(value.as_bytes()).ok_or(HeadFault::Host)).transpose()?;
    let target = head.uri.authority().map(|target| authority(target.as_str().as_bytes()).ok_or(HeadFault::Host)).transpose()?;
    let is_http2 = head.version == hyper::Version::HTTP_2;
    match (header, target) {
        (Some(header), Some(target)) if header != target => Err(HeadFault::Host),
        (Some(_), _) => Ok(()),
        (None, Some(_)) if is_http2 => Ok(()),
        (None, _) => Err(HeadFault::Host),
    }
}

/// A host with or without a port, and nothing else.
fn authority(text: &[u8]) -> Option<Authority> {
    let authority = Authority::try_from(text).ok()?;
    let host = authority.host();
    let named = if host.starts_with('[') { is_ip_literal(host) } else { is_name(host) };
    let (_, port) = authority.as_str().split_at_checked(host.len())?;
    let port_fits = port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok() && !port.starts_with('+'));
    (named && port_fits).then_some(authority)
}

fn is_ip_literal(host: &str) -> bool {
    let inner = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inner.is_some_and(|inner| inner.parse::<std::net::Ipv6Addr>().is_ok())
}

fn is_name(host: &str) -> bool {
    !host.is_empty() && host.len() <= 255 && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use hyper::{Request, Version};

    use super::*;

    fn checked(target: &str, hosts: &[&str], version: Version) -> Result<(), HeadFault> {
        let mut request = Request::builder().uri(target).version(version);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        check(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn one_valid_host_passes() {
        for host in ["x.example", "X.example:8080", "localhost", "127.0.0.1:80", "[::1]", "[::1]:8080", "my_host"] {
            assert_eq!(checked("/", &[host], Version::HTTP_11), Ok(()), "{host}");
        }
        assert_eq!(checked("http://x.example/", &["X.EXAMPLE"], Version::HTTP_11), Ok(()));
    }

    #[test]
    fn none_two_or_a_malformed_one_do_not() {
        let fault = Err(HeadFault::Host);
        assert_eq!(checked("/", &[], Version::HTTP_11), fault);
        assert_eq!(checked("/", &[], Version::HTTP_10), fault);
        assert_eq!(checked("/", &["x.example", "x.example"], Version::HTTP_11), fault);
        assert_eq!(checked("http://x.example/", &[], Version::HTTP_11), fault);
        assert_eq!(checked("http://x.example/", &["y.example"], Version::HTTP_11), fault);
        for host in [
            "",
            "a b",
            "user@x.example",
            "x.example:",
            "x.example:99999",
            "x.example:+1",
            "x.example/path",
            "[::1",
            "[x]",
            "a,b",
            "x:y",
            "ü.example",
        ] {
            assert_eq!(checked("/", &[host], Version::HTTP_11), fault, "{host}");
        }
    }

    #[test]
    fn http_2_sends_an_authority() {
        assert_eq!(checked("http://x.example/", &[], Version::HTTP_2), Ok(()));
        assert_eq!(checked("http://x.example/", &["x.example"], Version::HTTP_2), Ok(()));
        assert_eq!(checked("/", &["x.example"], Version::HTTP_2), Ok(()));
        assert_eq!(checked("http://x.example/", &["y.example"], Version::HTTP_2), Err(HeadFault::Host));
        assert_eq!(checked("/", &[], Version::HTTP_2), Err(HeadFault::Host));
        assert_eq!(checked("http://u:p@x.example/", &[], Version::HTTP_2), Err(HeadFault::Host));
    }
}
