//! The token of a tracked link: what it tells, signed with HMAC-SHA256 (RFC 2104), in base64 for URLs.
//!
//! Its octets are the first 16 of the signature, the kind, the recipient, the email's id, and of a click where it leads.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac::{Key, sign};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use selfmx_domain::{EmailId, LinkTarget, Tracked, TrackedAct};
use uuid::Uuid;

/// Half of the signature, which is as much as the key's strength allows for (RFC 2104 section 5): a link is to stay short.
const SIGNATURE: usize = 16;
/// Kind, recipient and id.
const HEAD: usize = 18;
/// What is longer is none of ours, and is not even looked at.
const LONGEST: usize = (SIGNATURE + HEAD + LinkTarget::MAX_OCTETS) * 4 / 3 + 4;

const OPENED: u8 = 1;
const CLICKED: u8 = 2;

/// The token.
pub(super) fn write(key: &Key, tracked: &Tracked) -> String {
    let (kind, target) = match &tracked.act {
        TrackedAct::Opened => (OPENED, ""),
        TrackedAct::Clicked(target) => (CLICKED, target.as_str()),
    };
    // 0: there are several recipients.
    let recipient = tracked.ordinal.map_or(0, |ordinal| ordinal.saturating_add(1));
    let told = [&[kind, recipient], tracked.email.as_uuid().as_bytes().as_slice(), target.as_bytes()].concat();
    let signature = sign(key, &told);
    let signature = signature.as_ref().get(..SIGNATURE).unwrap_or_default();
    URL_SAFE_NO_PAD.encode([signature, &told].concat())
}

/// What a token tells that one of these keys has signed.
pub(super) fn read(keys: &[Key], token: &str) -> Option<Tracked> {
    if token.len() > LONGEST {
        return None;
    }
    let octets = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (signature, told) = octets.split_at_checked(SIGNATURE)?;
    let is_signed_by =
        |key: &Key| sign(key, told).as_ref().get(..SIGNATURE).is_some_and(|own| verify_slices_are_equal(own, signature).is_ok());
    if !keys.iter().any(is_signed_by) {
        return None;
    }
    let ([kind, recipient], rest) = told.split_first_chunk()?;
    let (email, target) = rest.split_first_chunk::<16>()?;
    let act = match (*kind, target) {
        (OPENED, []) => TrackedAct::Opened,
        (CLICKED, target) => TrackedAct::Clicked(target_of(target)?),
        _ => return None,
    };
    Some(Tracked { email: EmailId::from_uuid(Uuid::from_bytes(*email)), ordinal: recipient.checked_sub(1), act })
}

/// A target as it was written: one that reads as another was none.
fn target_of(octets: &[u8]) -> Option<LinkTarget> {
    let text = str::from_utf8(octets).ok()?;
    LinkTarget::read(text).filter(|target| target.as_str() == text)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::hmac::HMAC_SHA256;
    use proptest::prelude::*;

    use super::*;

    fn key(seed: u8) -> Key {
        Key::new(HMAC_SHA256, &[seed; 32])
    }

    fn tracked() -> impl Strategy<Value = Tracked> {
        let target = "https?://[a-z.]{1,12}[ -~é]{0,60}".prop_filter_map("a target", |text| LinkTarget::read(&text));
        let act = prop_oneof![Just(TrackedAct::Opened), target.prop_map(TrackedAct::Clicked)];
        let email = any::<u128>().prop_map(|id| EmailId::from_uuid(Uuid::from_u128(id)));
        (email, proptest::option::of(0..50_u8), act).prop_map(|(email, ordinal, act)| Tracked { email, ordinal, act })
    }

    proptest! {
        #[test]
        fn a_token_is_read_with_any_of_the_keys_and_with_no_other(tracked in tracked()) {
            let token = write(&key(1), &tracked);
            prop_assert!(token.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_'), "{}", token);
            prop_assert_eq!(read(&[key(1)], &token), Some(tracked.clone()));
            prop_assert_eq!(read(&[key(2), key(1)], &token), Some(tracked));
            prop_assert_eq!(read(&[key(2)], &token), None);
            prop_assert_eq!(read(&[], &token), None);
        }

        #[test]
        fn no_other_character_will_do_and_none_may_be_missing(tracked in tracked(), at: prop::sample::Index, other in "[A-Za-z0-9_=é-]") {
            let token = write(&key(1), &tracked);
            let at = at.index(token.len());
            let altered = format!("{}{other}{}", &token[..at], &token[at + 1..]);
            prop_assert_eq!(read(&[key(1)], &altered).is_some(), altered == token);
            prop_assert_eq!(read(&[key(1)], &token[..at]), None);
            prop_assert_eq!(read(&[key(1)], &format!("{token}{other}")), None);
        }

        #[test]
        fn nothing_else_is_a_token(text in "[A-Za-z0-9_-]{0,120}") {
            prop_assert_eq!(read(&[key(1)], &text), None);
        }
    }

    #[test]
    fn a_signature_alone_makes_no_token() {
        let signed = |told: &[u8]| URL_SAFE_NO_PAD.encode([&sign(&key(1), told).as_ref()[..SIGNATURE], told].concat());
        let told = |kind: u8, target: &str| [&[kind, 1], [7; 16].as_slice(), target.as_bytes()].concat();
        assert!(read(&[key(1)], &signed(&told(CLICKED, "https://a.example/"))).is_some());
        for wrong in [
            told(3, ""),
            told(OPENED, "x"),
            told(CLICKED, ""),
            told(CLICKED, "javascript:alert(1)"),
            told(CLICKED, "https://a\r\n"),
            vec![],
            vec![1],
        ] {
            assert_eq!(read(&[key(1)], &signed(&wrong)), None, "{wrong:?}");
        }
        assert_eq!(read(&[key(1)], &"A".repeat(1_000_000)), None);
        let longest = LinkTarget::read(&format!("https://a.example/{}", "x".repeat(2030))).unwrap();
        let tracked = Tracked { email: EmailId::from_uuid(Uuid::nil()), ordinal: Some(49), act: TrackedAct::Clicked(longest) };
        assert_eq!(read(&[key(1)], &write(&key(1), &tracked)), Some(tracked));
    }
}
