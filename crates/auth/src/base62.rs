//! Numbers in base 62, digits `0-9A-Za-z`, most significant first, at a fixed width.

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Writes the big-endian number in `bytes` into `digits`, which is taken to be wide enough, and leaves zeros in `bytes`.
pub(crate) fn write(bytes: &mut [u8], digits: &mut [u8]) {
    for digit in digits.iter_mut().rev() {
        let mut remainder = 0_u16;
        for byte in bytes.iter_mut() {
            let value = (remainder << 8) + u16::from(*byte);
            // A remainder below 62 keeps the quotient below 256.
            *byte = u8::try_from(value / 62).unwrap_or(u8::MAX);
            remainder = value % 62;
        }
        *digit = ALPHABET.get(usize::from(remainder)).copied().unwrap_or(b'0');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(mut bytes: Vec<u8>, width: usize) -> String {
        let mut digits = vec![0; width];
        write(&mut bytes, &mut digits);
        assert!(bytes.iter().all(|byte| *byte == 0), "the width holds the number");
        String::from_utf8(digits).unwrap()
    }

    #[test]
    fn numbers_are_written_at_their_width() {
        assert_eq!(text(vec![0], 3), "000");
        assert_eq!(text(vec![61], 1), "z");
        assert_eq!(text(vec![62], 2), "10");
        assert_eq!(text(vec![0xff; 4], 6), "4gfFC3");
        assert_eq!(text(vec![0xff; 32], 43).len(), 43);
    }
}
