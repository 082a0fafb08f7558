//! Addresses as reports write them: `rfc822;a@b`, `utf-8;ä@b` (RFC 6533 section 3), `<a@b>`, with or without their encodings.

use selfmx_domain::Address;

/// Longer than any address in whatever encoding.
const MAX_TEXT: usize = 2048;

/// What the text may mean, as it stands before decoded: a `+` may be encoding (RFC 3461 section 4), or part of the name.
pub(super) fn addresses(text: &str) -> Vec<Address> {
    if text.len() > MAX_TEXT {
        return Vec::new();
    }
    let (kind, text) = text.split_once(';').map_or(("rfc822", text), |(kind, text)| (kind.trim(), text));
    let text = text.trim();
    let text = text.strip_prefix('<').and_then(|text| text.strip_suffix('>')).unwrap_or(text);
    let decoded = if kind.eq_ignore_ascii_case("utf-8") { utf8_decoded(text) } else { xtext_decoded(text) };
    let mut read: Vec<Address> = [Some(text.to_owned()), decoded].into_iter().flatten().filter_map(|text| text.parse().ok()).collect();
    read.dedup();
    read
}

/// `xtext`: `+` and two hexadecimal digits stand for an octet.
fn xtext_decoded(text: &str) -> Option<String> {
    let mut pieces = text.split('+');
    let mut decoded = pieces.next()?.to_owned().into_bytes();
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(2)?;
        decoded.push(u8::from_str_radix(digits, 16).ok()?);
        decoded.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(decoded).ok()
}

/// `utf-8-addr-xtext` and `utf-8-addr-unitext`: `\x{...}` stands for a character.
fn utf8_decoded(text: &str) -> Option<String> {
    let mut pieces = text.split(r"\x{");
    let mut decoded = pieces.next()?.to_owned();
    for piece in pieces {
        let (digits, rest) = piece.split_once('}')?;
        decoded.push(char::from_u32(u32::from_str_radix(digits, 16).ok()?)?);
        decoded.push_str(rest);
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_in_each_of_its_spellings() {
        for (text, expected) in [
            ("rfc822;a@x.example", &["a@x.example"][..]),
            ("RFC822 ; <a@x.example>", &["a@x.example"]),
            ("a@x.example", &["a@x.example"]),
            ("rfc822; joe+3Dnews@x.example", &["joe+3Dnews@x.example", "joe=news@x.example"]),
            ("rfc822; joe+news@x.example", &["joe+news@x.example"]),
            ("utf-8; J\\x{F6}rg@x.example", &["Jörg@x.example"]),
            ("utf-8; jörg@bücher.example", &["jörg@xn--bcher-kva.example"]),
            ("rfc822; joe+0Dnews@x.example", &["joe+0Dnews@x.example"]),
            ("rfc822;redacted", &[]),
            ("utf-8; a\\x{110000}b@x.example", &[]),
            ("", &[]),
        ] {
            let read = addresses(text);
            let read: Vec<_> = read.iter().map(ToString::to_string).filter(|text| !text.contains("\\x")).collect();
            assert_eq!(read, expected, "{text}");
        }
    }
}
