//! The strict reading of chunked framing (RFC 9112 section 7.1): sizes in hexadecimal, CRLF, no extensions, no trailers.

/// Where in the chunks a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chunks {
    /// In the size, of which so many digits were read.
    Size { digits: u8, size: u64 },
    /// After the CR that follows the size.
    SizeEnd { size: u64 },
    /// Before so many octets of data.
    Data { left: u64 },
    /// After the data.
    DataEnd,
    /// After the CR that follows the data.
    DataEndLine,
    /// After the last chunk's size line.
    Last,
    /// After the CR that follows it.
    LastLine,
    /// After the body.
    Done,
}

/// The framing is not what the grammar says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the chunks of the body are malformed")]
pub(crate) struct ChunkFault;

const MAX_DIGITS: u8 = 15;

impl Chunks {
    /// Before the first chunk.
    pub(crate) const START: Self = Self::Size { digits: 0, size: 0 };

    /// Goes over `bytes` and says how many belong to the body.
    pub(crate) fn advance(&mut self, bytes: &[u8]) -> Result<usize, ChunkFault> {
        let mut rest = bytes;
        while let (Some((first, after)), true) = (rest.split_first(), *self != Self::Done) {
            if let Self::Data { left } = *self {
                let take = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
                rest = rest.get(take..).unwrap_or_default();
                let left = left.saturating_sub(u64::try_from(take).unwrap_or(u64::MAX));
                *self = if left == 0 { Self::DataEnd } else { Self::Data { left } };
                continue;
            }
            *self = self.after(*first)?;
            rest = after;
        }
        Ok(bytes.len() - rest.len())
    }

    /// The state after one octet of framing.
    fn after(self, byte: u8) -> Result<Self, ChunkFault> {
        match (self, byte) {
            (Self::Size { digits: 1.., size }, b'\r') => Ok(Self::SizeEnd { size }),
            (Self::Size { digits, size }, _) if digits < MAX_DIGITS => {
                let digit = char::from(byte).to_digit(16).ok_or(ChunkFault)?;
                Ok(Self::Size { digits: digits + 1, size: size << 4 | u64::from(digit) })
            }
            (Self::SizeEnd { size: 0 }, b'\n') => Ok(Self::Last),
            (Self::SizeEnd { size }, b'\n') => Ok(Self::Data { left: size }),
            (Self::DataEnd, b'\r') => Ok(Self::DataEndLine),
            (Self::DataEndLine, b'\n') => Ok(Self::START),
            (Self::Last, b'\r') => Ok(Self::LastLine),
            (Self::LastLine, b'\n') => Ok(Self::Done),
            _ => Err(ChunkFault),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<(usize, bool), ChunkFault> {
        let mut chunks = Chunks::START;
        let length = chunks.advance(text.as_bytes())?;
        Ok((length, chunks == Chunks::Done))
    }

    #[test]
    fn the_body_ends_after_the_last_chunk_and_not_before() {
        assert_eq!(read("3\r\nabc\r\n0\r\n\r\nGET /"), Ok((13, true)));
        assert_eq!(read("0\r\n\r\n"), Ok((5, true)));
        assert_eq!(read("00a\r\n0123456789\r\n0\r\n\r\n"), Ok((22, true)));
        assert_eq!(read("3\r\nab"), Ok((5, false)));
        // Data that looks like the last chunk.
        assert_eq!(read("5\r\n0\r\n\r\n\r\n"), Ok((10, false)));
    }

    #[test]
    fn what_two_servers_could_read_differently_is_refused() {
        for text in [
            "3\nabc\r\n",
            "3\r\nabc\n",
            "3;a=b\r\nabc",
            "3 \r\nabc",
            " 3\r\nabc",
            "0x3\r\nabc",
            "+3\r\nabc",
            "\r\nabc",
            "3\r\nabcd\r\n",
            "g\r\n",
            "0\r\nX: a\r\n\r\n",
            "0\r\n\n",
            "0\n\n",
            "1000000000000000\r\n",
            "3\r\rabc",
        ] {
            assert_eq!(read(text), Err(ChunkFault), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn where_it_was_cut_makes_no_difference(text in "([0-3]\r?\n[ab]{0,3}\r\n){0,3}0\r\n\r\n(GET)?", cut in 0_usize..40) {
            let bytes = text.as_bytes();
            let cut = cut.min(bytes.len());
            let mut chunks = Chunks::START;
            let in_parts = chunks.advance(&bytes[..cut]).and_then(|first| {
                if first < cut { return Ok(first) }
                chunks.advance(&bytes[cut..]).map(|second| first + second)
            });
            let mut whole = Chunks::START;
            prop_assert_eq!(in_parts, whole.advance(bytes));
        }

        #[test]
        fn no_octets_whatever_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = Chunks::START.clone().advance(&bytes);
        }
    }
}
