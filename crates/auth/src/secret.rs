//! The secret of an API key: made once, shown once, never kept.

use std::fmt;

use selfmx_domain::{Entropy, Mode};
use zeroize::Zeroizing;

use crate::{Digest, base62};

const RANDOM_DIGITS: usize = 43;
const CHECKSUM_DIGITS: usize = 6;
const HINT_CHARACTERS: usize = 4;
const SHORTEST: usize = 16;
const LONGEST: usize = 256;

/// The secret of an API key.
///
/// A made one is `sk_live_` or `sk_test_`, 43 base62 characters (256 bits from the operating system) and 6 base62 characters of the CRC-32 of all that
/// precedes, so that a mistyped key is told from an unknown one without asking a store. `sk_(live|test)_[0-9A-Za-z]{49}` finds it in a text.
///
/// It is wiped from memory when dropped. There is neither `Display` nor `Serialize`; [`reveal`](Self::reveal) is for the one answer that shows it.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

/// Why a text cannot be the operator's own key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Too short or too long.
    #[error("must have 16..256 characters, and has {0}")]
    Length(usize),
    /// A space, a control character, or something beyond ASCII.
    #[error("may hold visible ASCII characters only, no spaces")]
    Character,
}

impl Secret {
    /// What finds a made secret in any text, as a regular expression.
    pub const PATTERN: &'static str = "sk_(live|test)_[0-9A-Za-z]{49}";

    /// A new secret of 256 random bits.
    #[must_use]
    pub fn generate(mode: Mode, entropy: &dyn Entropy) -> Self {
        let mut random = Zeroizing::new([0; 32]);
        entropy.fill(random.as_mut_slice());
        let mut digits = Zeroizing::new([0; RANDOM_DIGITS]);
        base62::write(random.as_mut_slice(), digits.as_mut_slice());
        // As long as it gets, so that no part of it is left behind where it was.
        let mut text = Zeroizing::new(String::with_capacity(prefix(mode).len() + RANDOM_DIGITS + CHECKSUM_DIGITS));
        text.push_str(prefix(mode));
        text.extend(digits.iter().map(|digit| char::from(*digit)));
        let checksum = checksum(&text);
        text.push_str(&checksum);
        Self(text)
    }

    /// The operator's own key, from the environment: 16..256 visible ASCII characters.
    ///
    /// # Errors
    ///
    /// [`SecretError`] says which rule it breaks, never the key.
    pub fn chosen(text: &str) -> Result<Self, SecretError> {
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(SecretError::Character);
        }
        if !(SHORTEST..=LONGEST).contains(&text.len()) {
            return Err(SecretError::Length(text.len()));
        }
        Ok(Self(Zeroizing::new(text.to_owned())))
    }

    /// What a caller presents; `None` where it can be nobody's key.
    #[must_use]
    pub fn presented(text: &str) -> Option<Self> {
        Self::chosen(text).ok()
    }

    /// Whether it has the form and the checksum of a made secret. One that has not is in no store.
    #[must_use]
    pub fn is_made(&self) -> bool {
        let Some((body, tail)) = self.0.split_at_checked(self.0.len().saturating_sub(CHECKSUM_DIGITS)) else {
            return false;
        };
        let digits = [Mode::Live, Mode::Test].into_iter().find_map(|mode| body.strip_prefix(prefix(mode)));
        digits.is_some_and(|digits| digits.len() == RANDOM_DIGITS && digits.bytes().all(|byte| byte.is_ascii_alphanumeric()))
            && checksum(body) == tail
    }

    /// Whether a made secret, or what looks like one to [`PATTERN`](Self::PATTERN), stands anywhere in `text`: somebody has put it where it does not
    /// belong, and nothing is to keep it.
    ///
    /// ```
    /// use selfmx_auth::Secret;
    ///
    /// let key = format!("sk_live_{}", "0".repeat(49));
    /// assert!(Secret::is_in(&format!("shop/1 ({key})")) && !Secret::is_in("sk_live_0123"));
    /// ```
    #[must_use]
    pub fn is_in(text: &str) -> bool {
        let follows = |prefix: &'static str| text.match_indices(prefix).filter_map(move |(at, _)| text.get(at + prefix.len()..));
        let mut rests = [Mode::Live, Mode::Test].into_iter().flat_map(|mode| follows(prefix(mode)));
        rests.any(|rest| rest.bytes().take_while(u8::is_ascii_alphanumeric).count() >= RANDOM_DIGITS + CHECKSUM_DIGITS)
    }

    /// All that a store may see.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.0)
    }

    /// The last four characters, by which people tell their keys apart.
    #[must_use]
    pub fn hint(&self) -> &str {
        self.0.get(self.0.len().saturating_sub(HINT_CHARACTERS)..).unwrap_or_default()
    }

    /// The secret itself, for the one answer that shows it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = [Mode::Live, Mode::Test].into_iter().map(prefix).find(|prefix| self.0.starts_with(prefix));
        write!(f, "Secret({}..)", known.unwrap_or_default())
    }
}

const fn prefix(mode: Mode) -> &'static str {
    match mode {
        Mode::Live => "sk_live_",
        Mode::Test => "sk_test_",
    }
}

fn checksum(text: &str) -> String {
    let mut bytes = crc32fast::hash(text.as_bytes()).to_be_bytes();
    let mut digits = [0; CHECKSUM_DIGITS];
    base62::write(&mut bytes, &mut digits);
    digits.iter().map(|digit| char::from(*digit)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Bytes([u8; 32]);

    impl Entropy for Bytes {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.copy_from_slice(&self.0[..bytes.len()]);
        }
    }

    #[test]
    fn the_form_is_the_documented_one() {
        let secret = Secret::generate(Mode::Live, &Bytes([0; 32]));
        let text = secret.reveal();
        assert!(text.starts_with(&format!("sk_live_{}", "0".repeat(43))));
        assert_eq!(text.len(), 8 + 43 + 6);
        assert_eq!(secret.hint(), &text[53..]);
        assert!(Secret::generate(Mode::Test, &Bytes([7; 32])).reveal().starts_with("sk_test_"));
    }

    #[test]
    fn the_checksum_is_pinned() {
        // Computed independently: zlib's crc32 of the 51 characters, in base 62.
        let text = format!("sk_live_{}", "0".repeat(43));
        assert_eq!(crc32fast::hash(text.as_bytes()), CRC_OF_ZEROS);
        assert_eq!(checksum(&text), CHECKSUM_OF_ZEROS);
    }

    #[test]
    fn a_checksum_alone_makes_no_made_secret() {
        let is_made = |body: &str| Secret::presented(&format!("{body}{}", checksum(body))).unwrap().is_made();
        let digits = "0".repeat(43);
        assert!(is_made(&format!("sk_live_{digits}")) && is_made(&format!("sk_test_{digits}")));
        for body in [
            format!("sk_live_{}", &digits[1..]),
            format!("sk_live_{digits}0"),
            format!("sk_live_{}-", &digits[1..]),
            format!("sk_dead_{digits}"),
        ] {
            assert!(!is_made(&body), "{body}");
        }
    }

    #[test]
    fn a_chosen_key_has_16_to_256_visible_characters() {
        assert!(Secret::chosen("0123456789abcdef").is_ok());
        assert!(Secret::chosen(&"x".repeat(256)).is_ok());
        assert_eq!(Secret::chosen("0123456789abcde").unwrap_err(), SecretError::Length(15));
        assert_eq!(Secret::chosen(&"x".repeat(257)).unwrap_err(), SecretError::Length(257));
        for text in ["0123456789 abcdef", "0123456789abcdeé", "0123456789abcdef\n"] {
            assert_eq!(Secret::chosen(text).unwrap_err(), SecretError::Character);
        }
    }

    #[test]
    fn debug_shows_the_prefix_only() {
        let secret = Secret::generate(Mode::Live, &Bytes([9; 32]));
        assert_eq!(format!("{secret:?}"), "Secret(sk_live_..)");
        assert_eq!(format!("{:?}", Secret::chosen("my-own-default-key").unwrap()), "Secret(..)");
    }

    proptest! {
        #[test]
        fn each_made_secret_is_known_as_made_and_any_typo_is_not(random: [u8; 32], at in 0_usize..57, other in "[0-9A-Za-z]") {
            let secret = Secret::generate(Mode::Live, &Bytes(random));
            prop_assert!(secret.is_made());
            let mut text = secret.reveal().to_owned();
            text.replace_range(at..=at, &other);
            let changed = Secret::presented(&text).unwrap();
            prop_assert_eq!(changed.is_made(), text == secret.reveal());
            prop_assert_eq!(changed.digest().matches(&secret.digest()), text == secret.reveal());
        }

        #[test]
        fn a_made_secret_is_seen_wherever_it_stands(random: [u8; 32], before in any::<String>(), after in "[^0-9A-Za-z].*", cut in 1_usize..57) {
            for mode in [Mode::Live, Mode::Test] {
                let secret = Secret::generate(mode, &Bytes(random));
                let (whole, part) = (secret.reveal(), &secret.reveal()[..cut]);
                let [whole, part] = [format!("{before}{whole}{after}"), format!("{part}{after}")];
                prop_assert!(Secret::is_in(&whole) && !Secret::is_in(&part));
            }
        }

        #[test]
        fn no_text_whatever_makes_it_panic(text in any::<String>()) {
            if let Some(secret) = Secret::presented(&text) {
                let _ = (secret.is_made(), secret.hint().len());
            }
        }

        #[test]
        fn different_bytes_give_different_secrets(a: [u8; 32], b: [u8; 32]) {
            let (first, second) = (Secret::generate(Mode::Live, &Bytes(a)), Secret::generate(Mode::Live, &Bytes(b)));
            prop_assert_eq!(a == b, first.reveal() == second.reveal());
        }
    }

    const CRC_OF_ZEROS: u32 = 0x52c1b305;
    const CHECKSUM_OF_ZEROS: &str = "1Vxh1Z";
}
