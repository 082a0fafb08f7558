//! The relaxed canonical forms of header fields and bodies (RFC 6376 sections 3.4.2 and 3.4.4): what signatures are made of.

use aws_lc_rs::digest::{Context, Digest, SHA256};

/// So much of a body is gathered before it is hashed.
const GATHERED: usize = 16 * 1024;

/// A field of a header section.
#[derive(Clone, Copy)]
pub(super) struct Field<'a> {
    pub(super) name: &'a [u8],
    value: &'a [u8],
}

/// The fields of a header section, each line of which ends with CRLF, in order.
pub(super) fn fields(header: &[u8]) -> impl DoubleEndedIterator<Item = Field<'_>> + Clone {
    let mut fields = Vec::new();
    let mut rest = header;
    while !rest.is_empty() {
        let (whole, after) = rest.split_at(end_of_first(rest));
        let colon = whole.iter().position(|octet| *octet == b':').unwrap_or(whole.len());
        let (name, value) = whole.split_at(colon);
        fields.push(Field { name: name.trim_ascii_end(), value: value.get(1..).unwrap_or_default() });
        rest = after;
    }
    fields.into_iter()
}

/// Where the first field ends: at the first line end that no folded line follows.
fn end_of_first(header: &[u8]) -> usize {
    let ends = header.windows(2).enumerate().filter(|(_, window)| *window == b"\r\n").map(|(at, _)| at + 2);
    let mut last = ends.filter(|end| !matches!(header.get(*end), Some(b' ' | b'\t')));
    last.next().unwrap_or(header.len())
}

impl Field<'_> {
    /// Writes the field in its relaxed form with its CRLF: the name in lower case, the value unfolded, and white space made one space or none.
    pub(super) fn write_relaxed(&self, out: &mut Vec<u8>) {
        out.extend(self.name.to_ascii_lowercase());
        out.push(b':');
        write_words(self.value.split(|octet| is_space(*octet) || matches!(octet, b'\r' | b'\n')), out);
        out.extend_from_slice(b"\r\n");
    }
}

/// The SHA-256 of a body, each line of which ends with CRLF, in its relaxed form: white space within lines made one space, at their ends none, and no
/// empty lines at the end.
pub(super) fn body_hash(body: &[u8]) -> Digest {
    let mut hash = Context::new(&SHA256);
    let (mut gathered, mut empty_lines) = (Vec::with_capacity(GATHERED * 2), 0_usize);
    for line in body.split_inclusive(|octet| *octet == b'\n') {
        let line = line.strip_suffix(b"\r\n").unwrap_or(line);
        if line.iter().all(|octet| is_space(*octet)) {
            empty_lines += 1;
            continue;
        }
        for _ in 0..std::mem::take(&mut empty_lines) {
            gathered.extend_from_slice(b"\r\n");
            flush(&mut gathered, &mut hash);
        }
        write_line(line, &mut gathered);
        gathered.extend_from_slice(b"\r\n");
        flush(&mut gathered, &mut hash);
    }
    hash.update(&gathered);
    hash.finish()
}

fn flush(gathered: &mut Vec<u8>, hash: &mut Context) {
    if gathered.len() >= GATHERED {
        hash.update(gathered);
        gathered.clear();
    }
}

fn write_line(line: &[u8], out: &mut Vec<u8>) {
    // White space at the beginning stays, as one space.
    if line.first().is_some_and(|octet| is_space(*octet)) {
        out.push(b' ');
    }
    write_words(line.split(|octet| is_space(*octet)), out);
}

/// Writes words with one space between two.
fn write_words<'a>(words: impl Iterator<Item = &'a [u8]>, out: &mut Vec<u8>) {
    for (index, word) in words.filter(|word| !word.is_empty()).enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(word);
    }
}

/// `WSP` of RFC 5234: no other character is white space here.
const fn is_space(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t')
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::digest::digest;

    use super::*;

    fn relaxed(header: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        fields(header).for_each(|field| field.write_relaxed(&mut out));
        out
    }

    fn same_body(body: &[u8], canonical: &[u8]) -> bool {
        body_hash(body).as_ref() == digest(&SHA256, canonical).as_ref()
    }

    #[test]
    fn the_example_of_the_standard_holds() {
        // RFC 6376 section 3.4.5.
        assert_eq!(relaxed(b"A: X\r\nB : Y\t\r\n\tZ  \r\n"), b"a:X\r\nb:Y Z\r\n");
        assert!(same_body(b" C \r\nD \t E\r\n\r\n\r\n", b" C\r\nD E\r\n"));
    }

    #[test]
    fn fields_are_unfolded_and_keep_everything_else() {
        assert_eq!(relaxed(b"Subject:\r\n a\r\n\t b:c \xc3\xa9\xc2\xa0\r\n"), b"subject:a b:c \xc3\xa9\xc2\xa0\r\n");
        assert_eq!(relaxed(b"X-Empty: \r\nX-None:\r\n"), b"x-empty:\r\nx-none:\r\n");
        assert_eq!(relaxed(b""), b"");
    }

    #[test]
    fn bodies_lose_white_space_where_the_standard_says_so() {
        for (body, canonical) in [
            (&b""[..], &b""[..]),
            (b"\r\n", b""),
            (b" \t\r\n\r\n", b""),
            (b"a\r\n \r\n\t\r\n", b"a\r\n"),
            (b"\r\n\r\na\r\n", b"\r\n\r\na\r\n"),
            (b"a \t b\t\r\n \t\r\n  c\r\n", b"a b\r\n\r\n c\r\n"),
            (b".\r\n..\r\n", b".\r\n..\r\n"),
        ] {
            assert!(same_body(body, canonical), "{body:?}");
        }
        let long = b"a  b \r\n\r\n".repeat(20_000);
        assert!(same_body(&long, b"a b\r\n\r\n".repeat(20_000).strip_suffix(b"\r\n").unwrap()));
    }
}
