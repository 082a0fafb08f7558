//! The message as it goes over the wire: a dot more where a line begins with one, and the dot that ends it (RFC 5321 section 4.5.2).

/// About how much is sent at once. A message below it goes out in one write with its final dot.
const PIECE_OCTETS: usize = 64 * 1024;

/// Gives out the message piece by piece.
pub(crate) struct Stuffed<'a> {
    rest: Option<&'a [u8]>,
    piece: Vec<u8>,
}

/// The pieces of `message`, which has whole lines only.
pub(crate) fn stuffed(message: &[u8]) -> Stuffed<'_> {
    Stuffed { rest: Some(message), piece: Vec::with_capacity(message.len().min(PIECE_OCTETS) + 1024) }
}

impl Stuffed<'_> {
    /// The next piece, and whether it is the last.
    pub(crate) fn next(&mut self) -> Option<(&[u8], bool)> {
        let mut rest = self.rest?;
        self.piece.clear();
        while self.piece.len() < PIECE_OCTETS && !rest.is_empty() {
            let end = rest.iter().position(|octet| *octet == b'\n').map_or(rest.len(), |at| at + 1);
            let (line, after) = rest.split_at(end);
            if line.starts_with(b".") {
                self.piece.push(b'.');
            }
            self.piece.extend_from_slice(line);
            rest = after;
        }
        let is_last = rest.is_empty();
        if is_last {
            self.piece.extend_from_slice(b".\r\n");
        }
        self.rest = (!is_last).then_some(rest);
        Some((&self.piece, is_last))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(message: &[u8]) -> (Vec<u8>, usize) {
        let mut pieces = stuffed(message);
        let (mut octets, mut count, mut ended) = (Vec::new(), 0, false);
        while let Some((piece, is_last)) = pieces.next() {
            assert!(!ended);
            octets.extend_from_slice(piece);
            (count, ended) = (count + 1, is_last);
        }
        assert!(ended);
        (octets, count)
    }

    #[test]
    fn a_line_of_dots_gets_one_more() {
        assert_eq!(written(b"a\r\n.\r\n..b\r\nc.\r\n"), (b"a\r\n..\r\n...b\r\nc.\r\n.\r\n".to_vec(), 1));
        assert_eq!(written(b""), (b".\r\n".to_vec(), 1));
    }

    #[test]
    fn a_small_message_and_its_dot_are_one_piece_and_a_large_one_is_several() {
        assert_eq!(written(&b"0123456789\r\n".repeat(5000)).1, 1);
        assert_eq!(written(&b"0123456789\r\n".repeat(20_000)).1, 4);
    }

    proptest! {
        #[test]
        fn only_the_last_line_is_a_lone_dot(lines in prop::collection::vec("[.a]{0,3}", 0..20)) {
            let message: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
            let (octets, _) = written(message.as_bytes());
            let text = String::from_utf8(octets).unwrap();
            prop_assert_eq!(text.split("\r\n").filter(|line| *line == ".").count(), 1);
            let back: String = text.strip_suffix(".\r\n").unwrap().split_inclusive("\r\n").map(|line| line.strip_prefix('.').unwrap_or(line)).collect();
            prop_assert_eq!(back, message);
        }
    }
}
