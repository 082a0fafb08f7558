//! The strict reading of an HTTP/1 head: which one may pass, and how its body is framed.

use hyper::Uri;

use crate::HeadFault;

/// The largest head, request line included.
pub(crate) const MAX_OCTETS: usize = 16 * 1024;
const MAX_HEADERS: usize = 100;
/// The longest body that can be declared: hyper keeps the two numbers at the end of the range for itself.
const MAX_LENGTH: u64 = u64::MAX >> 1;

/// Where a request's body ends (RFC 9112 section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// After so many octets; none where the head does not tell.
    Length(u64),
    /// After the last chunk.
    Chunked,
}

/// The length of the head that begins `raw`, once it is complete; its first `seen` octets were looked at before.
pub(crate) fn end(raw: &[u8], seen: usize) -> Result<Option<usize>, HeadFault> {
    let fresh = raw.iter().enumerate().skip(seen).filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at);
    for at in fresh {
        let line = raw.get(..at).unwrap_or_default();
        if !line.ends_with(b"\r") {
            return Err(HeadFault::LineEnd);
        }
        if at > MAX_OCTETS {
            return Err(HeadFault::TooLarge);
        }
        if line.ends_with(b"\r\n\r") {
            return Ok(Some(at + 1));
        }
    }
    if raw.len() > MAX_OCTETS {
        return Err(HeadFault::TooLarge);
    }
    Ok(None)
}

/// Checks a complete head, its final empty line included.
pub(crate) fn check(head: &[u8]) -> Result<Framing, HeadFault> {
    let text = head.strip_suffix(b"\r\n\r\n").ok_or(HeadFault::LineEnd)?;
    let mut lines = lines(text);
    let version = request_line(lines.next().unwrap_or_default())?;
    let mut lengths = Lengths::default();
    for (index, line) in lines.enumerate() {
        if index == MAX_HEADERS {
            return Err(HeadFault::TooLarge);
        }
        let (name, value) = header(line)?;
        lengths.note(name, value)?;
    }
    lengths.framing(version)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    Http10,
    Http11,
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

fn request_line(line: &[u8]) -> Result<Version, HeadFault> {
    let mut parts = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Err(HeadFault::RequestLine);
    };
    // What follows a `#` is no part of a target (RFC 9112 section 3.2): one server would cut it off, another not.
    let readable = target.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'#') && Uri::try_from(target).is_ok();
    if !is_token(method) || !readable {
        return Err(HeadFault::RequestLine);
    }
    match version {
        b"HTTP/1.1" => Ok(Version::Http11),
        b"HTTP/1.0" => Ok(Version::Http10),
        _ => Err(HeadFault::RequestLine),
    }
}

fn header(line: &[u8]) -> Result<(&[u8], &[u8]), HeadFault> {
    let colon = line.iter().position(|byte| *byte == b':').ok_or(HeadFault::HeaderLine)?;
    let (name, value) = line.split_at_checked(colon).ok_or(HeadFault::HeaderLine)?;
    let value = value.strip_prefix(b":").unwrap_or(value);
    // A bare CR is among the controls.
    let clean = value.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~' | 0x80..));
    if !is_token(name) || !clean {
        return Err(HeadFault::HeaderLine);
    }
    Ok((name, value.trim_ascii()))
}

/// RFC 9110 section 5.6.2's `token`.
fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

/// What the headers say about the body's end.
#[derive(Default)]
struct Lengths {
    length: Option<u64>,
    chunked: bool,
}

impl Lengths {
    fn note(&mut self, name: &[u8], value: &[u8]) -> Result<(), HeadFault> {
        if name.eq_ignore_ascii_case(b"content-length") {
            if self.length.is_some() {
                return Err(HeadFault::Length);
            }
            self.length = Some(digits(value).ok_or(HeadFault::Length)?);
        }
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(HeadFault::Length);
            }
            self.chunked = true;
        }
        Ok(())
    }

    fn framing(self, version: Version) -> Result<Framing, HeadFault> {
        match (self.length, self.chunked) {
            (None, true) if version == Version::Http11 => Ok(Framing::Chunked),
            (_, true) => Err(HeadFault::Length),
            (length, false) => Ok(Framing::Length(length.unwrap_or(0))),
        }
    }
}

/// Digits alone: no sign, no list, no white space; nor a number that hyper takes for no length.
fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    str::from_utf8(text).ok()?.parse().ok().filter(|length| *length <= MAX_LENGTH)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn checked(head: &str) -> Result<Framing, HeadFault> {
        let raw = head.as_bytes();
        let length = end(raw, 0)?.expect("a complete head");
        assert_eq!(length, raw.len());
        check(raw)
    }

    fn with(line: &str) -> Result<Framing, HeadFault> {
        checked(&format!("POST /v1/send HTTP/1.1\r\nHost: x.example\r\n{line}\r\n\r\n"))
    }

    #[test]
    fn well_formed_heads_pass() {
        assert_eq!(checked("GET / HTTP/1.1\r\n\r\n"), Ok(Framing::Length(0)));
        assert_eq!(checked("GET http://x.example/a?b=%20 HTTP/1.0\r\nHost: x.example\r\n\r\n"), Ok(Framing::Length(0)));
        assert_eq!(with("Content-Length: 12"), Ok(Framing::Length(12)));
        assert_eq!(with("content-length:12 "), Ok(Framing::Length(12)));
        assert_eq!(with("Transfer-Encoding: Chunked"), Ok(Framing::Chunked));
        assert_eq!(with("X-Name: Grüße \t:;"), Ok(Framing::Length(0)));
    }

    #[test]
    fn a_line_ends_by_crlf_and_nothing_else() {
        for head in [
            "GET / HTTP/1.1\nHost: x\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\nX: y\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\r\n\n",
            "\nGET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\n\n",
        ] {
            assert_eq!(end(head.as_bytes(), 0), Err(HeadFault::LineEnd), "{head:?}");
        }
        assert_eq!(with("X: a\rb"), Err(HeadFault::HeaderLine));
        assert_eq!(with("X: a\r\r"), Err(HeadFault::HeaderLine));
        assert_eq!(checked("GET / HTTP/1.1\r\r\nHost: x\r\n\r\n"), Err(HeadFault::RequestLine));
    }

    #[test]
    fn a_length_that_two_servers_could_read_differently_is_refused() {
        for lines in [
            "Content-Length: 5\r\nContent-Length: 5",
            "Content-Length: 5\r\nContent-Length: 6",
            "Content-Length: 5, 5",
            "Content-Length: +5",
            "Content-Length: -5",
            "Content-Length: 5 6",
            "Content-Length: 0x5",
            "Content-Length:",
            "Content-Length: 99999999999999999999",
            "Content-Length: 18446744073709551615",
            "Content-Length: 9223372036854775808",
            "Content-Length: 5\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked\r\nContent-Length: 5",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: gzip, chunked",
            "Transfer-Encoding: chunked, identity",
            "Transfer-Encoding: identity",
            "Transfer-Encoding: xchunked",
            "Transfer-Encoding: \"chunked\"",
            "Transfer-Encoding:",
        ] {
            assert_eq!(with(lines), Err(HeadFault::Length), "{lines}");
        }
        assert_eq!(checked("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), Err(HeadFault::Length));
    }

    #[test]
    fn a_malformed_line_is_refused() {
        for line in
            ["Content-Length : 5", " folded", "\tfolded", "no colon", ": no name", "X\0: a", "X: a\0", "X: \u{7f}", "Ü: a", "(X): a"]
        {
            assert_eq!(with(line), Err(HeadFault::HeaderLine), "{line:?}");
        }
        for line in [
            "GET /",
            "GET  / HTTP/1.1",
            "GET / HTTP/1.1 ",
            " GET / HTTP/1.1",
            "GET\t/\tHTTP/1.1",
            "GET / http/1.1",
            "GET / HTTP/1.2",
            "GET / HTTP/2.0",
            "G(T / HTTP/1.1",
            "GET /é HTTP/1.1",
            "GET /\u{7f} HTTP/1.1",
            "GET http:// HTTP/1.1",
            "GET /health#/v1/emails HTTP/1.1",
            "",
        ] {
            let head = format!("{line}\r\nHost: x\r\n\r\n");
            assert_eq!(check(head.as_bytes()), Err(HeadFault::RequestLine), "{line:?}");
        }
    }

    #[test]
    fn a_head_is_bounded() {
        let value = "v".repeat(MAX_OCTETS);
        assert_eq!(end(format!("GET / HTTP/1.1\r\nX: {value}").as_bytes(), 0), Err(HeadFault::TooLarge));
        assert_eq!(end(format!("GET / HTTP/1.1\r\nX: {value}\r\n\r\n").as_bytes(), 0), Err(HeadFault::TooLarge));
        assert_eq!(with(&vec!["X: a"; 99].join("\r\n")), Ok(Framing::Length(0)));
        assert_eq!(with(&vec!["X: a"; 100].join("\r\n")), Err(HeadFault::TooLarge));
    }

    proptest! {
        #[test]
        fn no_octets_whatever_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), seen in 0_usize..300) {
            let _ = (end(&bytes, seen), check(&bytes));
        }

        #[test]
        fn where_it_was_cut_makes_no_difference(head in "GET / HTTP/1.1\r\n(X: a\r?\n){0,3}\r?\n(rest)?", cut in 0_usize..40) {
            let raw = head.as_bytes();
            let cut = cut.min(raw.len());
            let at_once = end(raw, 0);
            match end(&raw[..cut], 0) {
                Ok(None) => prop_assert_eq!(end(raw, cut), at_once),
                decided => prop_assert_eq!(decided, at_once),
            }
        }
    }
}
