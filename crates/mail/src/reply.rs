//! Reads SMTP replies (RFC 5321 section 4.2), bounded in the length and number of their lines.
//!
//! mail-send has a parser of its own, which neither bounds the lines nor keeps enhanced codes above 255 (`5.7.509`) whole.

use selfmx_domain::{EnhancedCode, Reply};

/// The longest line of a reply, in octets: four times what RFC 5321 section 4.5.3.1.5 asks for.
const MAX_LINE_OCTETS: usize = 2048;

/// The most lines of one reply.
const MAX_LINES: usize = 128;

/// The most octets of one reply: what has come in is looked through again with each packet.
const MAX_OCTETS: usize = 32 * 1024;

/// What keeps a relay's words from being a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplyFlaw {
    /// A line is longer than 2,048 octets.
    #[error("a line of its reply is longer than 2,048 octets")]
    LongLine,
    /// There are more than 128 lines, or more than 32 KiB.
    #[error("its reply has more than 128 lines or 32 KiB")]
    TooLong,
    /// There is no three-digit code, or the lines have different ones.
    #[error("its reply has no code, or more than one")]
    Unreadable,
    /// It is a reply, and not one that the step allows.
    #[error("its reply does not fit the command")]
    OutOfPlace,
}

/// How many octets of `incoming` are its first reply, once all of it is there.
pub(crate) fn length_of_first(incoming: &[u8]) -> Result<Option<usize>, ReplyFlaw> {
    let mut length = 0;
    for (number, line) in incoming.split_inclusive(|octet| *octet == b'\n').enumerate() {
        if number == MAX_LINES || length + line.len() > MAX_OCTETS {
            return Err(ReplyFlaw::TooLong);
        }
        if line.len() > MAX_LINE_OCTETS {
            return Err(ReplyFlaw::LongLine);
        }
        if !line.ends_with(b"\n") {
            return Ok(None);
        }
        length += line.len();
        if split(line).ok_or(ReplyFlaw::Unreadable)?.last {
            return Ok(Some(length));
        }
    }
    Ok(None)
}

/// Reads one whole reply.
pub(crate) fn parse(octets: &[u8]) -> Result<Reply, ReplyFlaw> {
    let lines: Option<Vec<Line<'_>>> = octets.split_inclusive(|octet| *octet == b'\n').map(split).collect();
    let lines = lines.ok_or(ReplyFlaw::Unreadable)?;
    let first = lines.first().ok_or(ReplyFlaw::Unreadable)?;
    if lines.iter().any(|line| line.code != first.code) {
        return Err(ReplyFlaw::Unreadable);
    }
    let (enhanced, _) = enhanced(first);
    let text: Vec<_> = lines.iter().map(|line| self::enhanced(line).1).collect();
    Ok(Reply::new(first.code, enhanced, &String::from_utf8_lossy(&text.join(&b' '))))
}

/// One line of a reply.
struct Line<'a> {
    code: u16,
    last: bool,
    text: &'a [u8],
}

fn split(line: &[u8]) -> Option<Line<'_>> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let (code, rest) = line.split_at_checked(3)?;
    if !matches!(code.first(), Some(b'2'..=b'5')) || !code.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let code = code.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
    match rest.split_first() {
        None => Some(Line { code, last: true, text: b"" }),
        Some((b' ', text)) => Some(Line { code, last: true, text }),
        Some((b'-', text)) => Some(Line { code, last: false, text }),
        Some(_) => None,
    }
}

/// A line's enhanced code (RFC 2034), where it has one of the code's own class, and what follows it.
fn enhanced<'a>(line: &Line<'a>) -> (Option<EnhancedCode>, &'a [u8]) {
    let mut words = line.text.splitn(2, |octet| *octet == b' ');
    let code = words.next().and_then(enhanced_code).filter(|code| code.class == line.code / 100);
    match code {
        Some(code) => (Some(code), words.next().unwrap_or_default()),
        None => (None, line.text),
    }
}

fn enhanced_code(word: &[u8]) -> Option<EnhancedCode> {
    let mut numbers = word.split(|octet| *octet == b'.').map(number);
    let code = EnhancedCode { class: numbers.next()??, subject: numbers.next()??, detail: numbers.next()?? };
    numbers.next().is_none().then_some(code)
}

/// One to three digits.
fn number(digits: &[u8]) -> Option<u16> {
    if digits.is_empty() || digits.len() > 3 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0, |number, digit| number * 10 + u16::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(octets: &[u8]) -> String {
        assert_eq!(length_of_first(octets), Ok(Some(octets.len())));
        parse(octets).unwrap().to_string()
    }

    #[test]
    fn replies_are_read_with_their_enhanced_codes() {
        assert_eq!(read(b"250 2.0.0 Ok: queued as 4F\r\n"), "250 2.0.0 Ok: queued as 4F");
        assert_eq!(read(b"550-5.7.509 Access denied,\r\n550 5.7.509 see the policy\r\n"), "550 5.7.509 Access denied, see the policy");
        assert_eq!(parse(b"550 5.7.509 x\r\n").unwrap().enhanced(), Some(EnhancedCode { class: 5, subject: 7, detail: 509 }));
        assert_eq!(read(b"250\r\n"), "250");
        assert_eq!(read(b"250-\r\n250 \r\n"), "250");
        assert_eq!(read(b"220 mail.example ESMTP\n"), "220 mail.example ESMTP");
    }

    #[test]
    fn what_only_looks_like_an_enhanced_code_is_text() {
        for text in ["5.1.1", "2.0", "2.0.0.0", "2.0.1000", "2..0", "127.0.0.1"] {
            let reply = parse(format!("250 {text} x\r\n").as_bytes()).unwrap();
            assert_eq!((reply.enhanced(), reply.text()), (None, format!("{text} x").as_str()));
        }
    }

    #[test]
    fn what_is_no_reply_is_refused() {
        for octets in [&b"abc\r\n"[..], b"\r\n", b"25 x\r\n", b"250x\r\n", b"150 x\r\n", b"650 x\r\n", b"HTTP/1.1 400 Bad\r\n"] {
            assert_eq!(length_of_first(octets), Err(ReplyFlaw::Unreadable), "{octets:?}");
        }
        assert_eq!(parse(b"250-a\r\n550 b\r\n"), Err(ReplyFlaw::Unreadable));
    }

    #[test]
    fn lines_and_their_number_are_bounded() {
        assert_eq!(length_of_first(&b"2".repeat(2049)), Err(ReplyFlaw::LongLine));
        assert_eq!(length_of_first(format!("250 {}\r\n", "x".repeat(2042)).as_bytes()), Ok(Some(2048)));
        assert_eq!(length_of_first(format!("250 {}\r\n", "x".repeat(2043)).as_bytes()), Err(ReplyFlaw::LongLine));
        assert_eq!(length_of_first(format!("{}250 x\r\n", "250-x\r\n".repeat(127)).as_bytes()), Ok(Some(128 * 7)));
        assert_eq!(length_of_first(format!("250-{}\r\n", "x".repeat(2000)).repeat(17).as_bytes()), Err(ReplyFlaw::TooLong));
        assert_eq!(length_of_first("250-x\r\n".repeat(129).as_bytes()), Err(ReplyFlaw::TooLong));
    }

    proptest! {
        #[test]
        fn a_reply_in_any_pieces_is_the_same_reply(lines in prop::collection::vec("[ -~]{0,20}", 1..5), cut in 0_usize..200) {
            let (last, others) = lines.split_last().unwrap();
            let text: String = others.iter().map(|line| format!("354-{line}\r\n")).chain([format!("354 {last}\r\n")]).collect();
            let cut = cut.min(text.len() - 1);
            prop_assert_eq!(length_of_first(&text.as_bytes()[..cut]), Ok(None));
            prop_assert_eq!(length_of_first(format!("{text}220 next\r\n").as_bytes()), Ok(Some(text.len())));
            prop_assert_eq!(parse(text.as_bytes()).unwrap().code(), 354);
        }

        #[test]
        fn nothing_whatever_panics(octets in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(Some(length)) = length_of_first(&octets) {
                let _ = parse(&octets[..length]);
            }
        }
    }
}
