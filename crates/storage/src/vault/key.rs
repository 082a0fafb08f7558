//! The keys that secrets are sealed with, and the ids that tell them apart.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::aead::{AES_256_GCM, LessSafeKey, UnboundKey};
use aws_lc_rs::digest;
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_PAD_INDIFFERENT, URL_SAFE_PAD_INDIFFERENT};
use selfmx_domain::Entropy;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::VaultError;

const OCTETS: usize = 32;
const ID_OCTETS: usize = 8;

/// As long as the text of a key with its padding, and as the decoder wants its room.
const TEXT_ROOM: usize = 48;

/// Stands before a key where its id is made, so that this hash is no other use's.
const ID_DOMAIN: &[u8] = b"selfmx secret key id\0";

/// The salt of keys that are derived from one.
const DERIVED_DOMAIN: &[u8] = b"selfmx derived key";

/// A key of 256 bits that seals secrets; `SECRET_KEY`.
///
/// Its text is base64, in the standard alphabet or in that for URLs, with padding or without. It is wiped from memory when dropped. There is neither
/// `Display` nor `Serialize`; [`reveal`](Self::reveal) is for the one file that keeps it.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SecretKey([u8; OCTETS]);

/// Which key it is, without a word about the key: what is sealed bears it, and errors and logs may show it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId([u8; ID_OCTETS]);

impl SecretKey {
    /// A new key.
    #[must_use]
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut key = Self([0; OCTETS]);
        entropy.fill(&mut key.0);
        key
    }

    /// Which key it is: the first octets of a SHA-256 of it.
    #[must_use]
    pub fn id(&self) -> KeyId {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(ID_DOMAIN);
        context.update(&self.0);
        let mut id = [0; ID_OCTETS];
        id.iter_mut().zip(context.finish().as_ref()).for_each(|(octet, hashed)| *octet = *hashed);
        KeyId(id)
    }

    /// The key itself, as the text that it can be read from again.
    #[must_use]
    pub fn reveal(&self) -> Zeroizing<String> {
        // With room for all of it: a string that grows leaves pieces behind.
        let mut text = Zeroizing::new(String::with_capacity(TEXT_ROOM));
        STANDARD.encode_string(self.0, &mut text);
        text
    }

    /// A key for another purpose, which `label` names.
    pub(super) fn derived(&self, label: &str) -> Result<Zeroizing<[u8; OCTETS]>, VaultError> {
        let (mut key, parts) = (Zeroizing::new([0; OCTETS]), [label.as_bytes()]);
        let source = Salt::new(HKDF_SHA256, DERIVED_DOMAIN).extract(&self.0);
        let filled = source.expand(&parts, HKDF_SHA256).and_then(|made| made.fill(key.as_mut_slice()));
        filled.map(|()| key).or(Err(VaultError::Cryptography))
    }

    /// What seals and opens with this key.
    pub(super) fn cipher(&self) -> Result<LessSafeKey, VaultError> {
        UnboundKey::new(&AES_256_GCM, &self.0).map(LessSafeKey::new).or(Err(VaultError::Cryptography))
    }
}

impl FromStr for SecretKey {
    type Err = VaultError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let engine = if text.contains(['-', '_']) { URL_SAFE_PAD_INDIFFERENT } else { STANDARD_PAD_INDIFFERENT };
        let mut octets = Zeroizing::new([0; TEXT_ROOM]);
        let length = engine.decode_slice(text, octets.as_mut_slice()).or(Err(VaultError::KeyText))?;
        let read = octets.get(..length).and_then(|octets| octets.try_into().ok());
        read.map(Self).ok_or(VaultError::KeyText)
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(hidden)")
    }
}

impl KeyId {
    pub(super) const fn from_bytes(octets: [u8; ID_OCTETS]) -> Self {
        Self(octets)
    }

    pub(super) const fn as_bytes(&self) -> &[u8; ID_OCTETS] {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use selfmx_testing::{OsEntropy, SeededEntropy};

    use super::*;

    #[test]
    fn a_key_is_read_back_from_its_text_in_each_of_the_usual_forms() {
        // Both alphabets differ in this one: it holds 0xff and 0xfb.
        let key = SecretKey([0xfb, 0xff].repeat(16).try_into().unwrap());
        let text = key.reveal();
        assert_eq!((text.len(), text.contains('/'), text.ends_with('=')), (44, true, true));
        let url_safe = text.replace('+', "-").replace('/', "_");
        for form in [text.as_str(), text.trim_end_matches('='), &url_safe, url_safe.trim_end_matches('=')] {
            assert_eq!(form.parse::<SecretKey>().unwrap().0, key.0, "{form}");
        }
        for _ in 0..100 {
            let key = SecretKey::generate(&OsEntropy);
            assert_eq!(key.reveal().parse::<SecretKey>().unwrap().0, key.0);
        }
    }

    #[test]
    fn what_is_no_key_is_refused_without_showing_it_and_with_what_helps() {
        let (short, long, longer) = (STANDARD.encode([7; 31]), STANDARD.encode([7; 33]), STANDARD.encode([7; 36]));
        let key = SecretKey::generate(&OsEntropy).reveal();
        let (spaced, quoted, mixed) = (format!("{} ", *key), format!("\"{}\"", *key), format!("-+{}", &key[2..]));
        let endless = "a".repeat(100_000);
        for text in ["", "hunter2", &short, &long, &longer, &spaced, &quoted, &mixed, &endless, &"0".repeat(64)] {
            let error = text.parse::<SecretKey>().unwrap_err();
            assert_eq!(error, VaultError::KeyText);
            assert_eq!(error.to_string(), "must be 32 random octets in base64; `openssl rand -base64 32` makes one");
        }
    }

    #[test]
    fn an_id_tells_keys_apart_and_stays() {
        let ids: std::collections::HashSet<_> = (0..1000).map(|seed| SecretKey::generate(&SeededEntropy::new(seed)).id()).collect();
        assert_eq!(ids.len(), 1000);
        // By coreutils: { printf 'selfmx secret key id\0'; printf '\7%.0s' {1..32}; } | sha256sum
        assert_eq!(SecretKey([7; OCTETS]).id().to_string(), "bb9ac75d50df51f6");
    }

    #[test]
    fn a_key_is_not_shown() {
        let shown = format!("{:?}", SecretKey([7; OCTETS]));
        assert_eq!(shown, "SecretKey(hidden)");
    }
}
