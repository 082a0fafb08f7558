//! The form in which every message leaves: CRLF line ends, no NUL, short lines, seven bits below the header.

use std::fmt;

/// The longest line without its CRLF, in octets (RFC 5322 section 2.1.1).
pub(crate) const MAX_LINE_OCTETS: usize = 998;

const END_OF_HEADER: &[u8] = b"\r\n\r\n";

/// A message as it goes to the relay and into the raw view (RFC 5322).
///
/// Whoever holds one knows: every line ends with CRLF and there is no other CR or LF, no NUL, no line above 998 octets, and no octet
/// above 127 except in header fields that show a UTF-8 address (RFC 6532).
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    octets: Vec<u8>,
}

impl Message {
    /// The message's octets, header and body.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// The message's octets, given away.
    #[must_use]
    pub fn into_octets(self) -> Vec<u8> {
        self.octets
    }

    /// Whether only a relay with SMTPUTF8 can carry the message (RFC 6531): its header holds UTF-8.
    #[must_use]
    pub fn needs_smtputf8(&self) -> bool {
        !self.octets.is_ascii()
    }

    /// The message with a field before all others, which has to keep the same promise.
    pub(crate) fn with_first_field(self, field: &[u8]) -> Result<Self, Flaw> {
        check(field)?;
        Ok(Self { octets: [field, &self.octets].concat() })
    }

    /// Repairs line ends, then checks everything else.
    pub(crate) fn canonical(octets: Vec<u8>) -> Result<Self, Flaw> {
        let octets = with_line_ends_repaired(octets);
        check(&octets)?;
        Ok(Self { octets })
    }
}

impl fmt::Debug for Message {
    /// Says how long the message is and nothing of what is in it: a body has no place in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message({} octets)", self.octets.len())
    }
}

/// What keeps octets from being a message that may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// A CR or an LF that is not part of a CRLF, or no CRLF at the end.
    #[error("a line does not end with CRLF")]
    LineEnd,
    /// A NUL.
    #[error("it holds a NUL")]
    Nul,
    /// A line above 998 octets.
    #[error("a line is longer than 998 octets")]
    LongLine,
    /// An octet above 127 outside the header.
    #[error("its body is not encoded in seven bits")]
    EightBit,
}

/// Checks that `octets` keep what [`Message`] promises.
pub(crate) fn check(octets: &[u8]) -> Result<(), Flaw> {
    if !octets.ends_with(b"\r\n") {
        return Err(Flaw::LineEnd);
    }
    let header_length = header(octets).len();
    if octets.get(header_length..).is_some_and(|body| !body.is_ascii()) {
        return Err(Flaw::EightBit);
    }
    octets.split_inclusive(|octet| *octet == b'\n').try_for_each(check_line)
}

/// The header section, with the CRLF of its last field and without the empty line after it.
pub(crate) fn header(octets: &[u8]) -> &[u8] {
    let end = octets.windows(END_OF_HEADER.len()).position(|window| window == END_OF_HEADER);
    end.and_then(|at| octets.get(..at + 2)).unwrap_or(octets)
}

fn check_line(line: &[u8]) -> Result<(), Flaw> {
    let content = line.strip_suffix(b"\r\n").ok_or(Flaw::LineEnd)?;
    if content.contains(&b'\r') {
        return Err(Flaw::LineEnd);
    }
    if content.contains(&0) {
        return Err(Flaw::Nul);
    }
    if content.len() > MAX_LINE_OCTETS {
        return Err(Flaw::LongLine);
    }
    Ok(())
}

/// Turns each bare CR and bare LF into CRLF, and ends the last line.
fn with_line_ends_repaired(octets: Vec<u8>) -> Vec<u8> {
    if line_ends_are_whole(&octets) {
        return octets;
    }
    let mut repaired = Vec::with_capacity(octets.len() + octets.len() / 32 + 2);
    let mut after_cr = false;
    for octet in octets {
        match octet {
            b'\n' if after_cr => {}
            b'\r' | b'\n' => repaired.extend_from_slice(b"\r\n"),
            _ => repaired.push(octet),
        }
        after_cr = octet == b'\r';
    }
    if !repaired.ends_with(b"\r\n") {
        repaired.extend_from_slice(b"\r\n");
    }
    repaired
}

fn line_ends_are_whole(octets: &[u8]) -> bool {
    octets.ends_with(b"\r\n")
        && octets.split_inclusive(|octet| *octet == b'\n').all(|line| {
            let content = line.strip_suffix(b"\r\n");
            content.is_some_and(|content| !content.contains(&b'\r'))
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn repaired(octets: &[u8]) -> Vec<u8> {
        with_line_ends_repaired(octets.to_vec())
    }

    #[test]
    fn each_kind_of_line_end_becomes_crlf() {
        assert_eq!(repaired(b"a\nb\rc\r\nd"), b"a\r\nb\r\nc\r\nd\r\n");
        assert_eq!(repaired(b"a\r\r\n\n"), b"a\r\n\r\n\r\n");
        assert_eq!(repaired(b""), b"\r\n");
        assert_eq!(repaired(b"a\r\n"), b"a\r\n");
    }

    #[test]
    fn each_flaw_is_named() {
        for (octets, flaw) in [
            (&b"A: b\r\n\r\nx"[..], Flaw::LineEnd),
            (b"A: b\n\r\n", Flaw::LineEnd),
            (b"A: b\rC: d\r\n", Flaw::LineEnd),
            (b"A: b\r\n\r\nx\0y\r\n", Flaw::Nul),
            (b"A: b\r\n\r\n\xc3\xa9\r\n", Flaw::EightBit),
            (b"", Flaw::LineEnd),
        ] {
            assert_eq!(check(octets), Err(flaw), "{octets:?}");
        }
        let line = |length: usize| [b"A: b\r\n\r\n".as_slice(), &vec![b'x'; length], b"\r\n"].concat();
        assert_eq!(check(&line(998)), Ok(()));
        assert_eq!(check(&line(999)), Err(Flaw::LongLine));
    }

    #[test]
    fn a_header_may_hold_utf_8() {
        assert_eq!(check("To: <é@x.example>\r\n\r\nx\r\n".as_bytes()), Ok(()));
        assert_eq!(check("To: <é@x.example>\r\n".as_bytes()), Ok(()));
    }

    proptest! {
        #[test]
        fn whatever_is_repaired_has_whole_line_ends(octets in prop::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'a')], 0..40)) {
            let once = repaired(&octets);
            prop_assert!(line_ends_are_whole(&once));
            prop_assert_eq!(check(&once), Ok(()));
            prop_assert_eq!(repaired(&once), once);
        }
    }
}
