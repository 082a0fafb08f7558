//! Secrets at rest: sealed with AES-256-GCM, each for the one place where it lies.

mod key;
#[cfg(test)]
mod tests;

use std::fmt;

use aws_lc_rs::aead::{Aad, NONCE_LEN, Nonce};
use selfmx_domain::Entropy;
use uuid::Uuid;
use zeroize::Zeroizing;

pub use key::{KeyId, SecretKey};

/// What [`Vault::seal`] writes: this octet, the key's id, the nonce, the ciphertext, and its tag of 16 octets.
const FORM: u8 = 1;

/// Seals what has to be read again and that the database alone must not show: passwords for relays, secrets of webhooks, private keys.
///
/// One key seals; others that only open make it possible to change that one: what [`is_current`](Self::is_current) denies is opened and sealed
/// again, and when none is left the old key can go. The nonces are random, which is safe for 2^32 secrets under one key (NIST SP 800-38D section 8.3).
///
/// ```
/// use selfmx_storage::{Place, SecretKey, Vault};
/// # use selfmx_testing::OsEntropy;
/// # let entropy = OsEntropy;
///
/// let vault = Vault::new(SecretKey::generate(&entropy), vec![]);
/// let place = Place { table: "relays", column: "password", row: uuid::Uuid::from_u128(1) };
/// let sealed = vault.seal(&entropy, place, b"open sesame")?;
/// assert_eq!(vault.open(place, sealed.as_bytes())?.as_slice(), b"open sesame");
/// assert!(vault.open(Place { column: "user", ..place }, sealed.as_bytes()).is_err());
/// # Ok::<(), selfmx_storage::VaultError>(())
/// ```
pub struct Vault {
    sealing: Held,
    opening: Vec<Held>,
}

/// A key, and the id that what it sealed bears.
struct Held {
    id: KeyId,
    key: SecretKey,
}

/// Where a sealed secret lies. It opens nowhere else: whoever can write to the database cannot make one row's secret another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// The table.
    pub table: &'a str,
    /// The column.
    pub column: &'a str,
    /// The row, by its id.
    pub row: Uuid,
}

/// A sealed secret, as it is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Vec<u8>);

/// Why a text is no key, or why something cannot be sealed or opened. Nothing in it is secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// The text is no key.
    #[error("must be 32 random octets in base64; `openssl rand -base64 32` makes one")]
    KeyText,
    /// It was sealed by a version of SelfMX that is newer than this one, or it is not sealed at all.
    #[error("it is in form {0}, which this version of SelfMX does not know")]
    UnknownForm(u8),
    /// It was sealed with a key that we do not have.
    #[error("it is sealed with the key {0}, which is neither SECRET_KEY nor one of SECRET_KEYS_OLD")]
    MissingKey(KeyId),
    /// It is not what was sealed with this key for this place.
    #[error("it was changed, or was sealed for another place")]
    Damaged,
    /// The cryptographic library refused to work.
    #[error("the cryptographic library refused to work")]
    Cryptography,
}

impl Vault {
    /// A vault that seals with `writing`, and opens what it or one of `also_reading` has sealed.
    #[must_use]
    pub fn new(writing: SecretKey, also_reading: Vec<SecretKey>) -> Self {
        Self { sealing: Held::new(writing), opening: also_reading.into_iter().map(Held::new).collect() }
    }

    /// The ids of its keys, that of the one that seals first.
    pub fn ids(&self) -> impl Iterator<Item = KeyId> + '_ {
        self.held().map(|held| held.id)
    }

    /// Seals a secret for its place, with a nonce of `entropy`.
    ///
    /// # Errors
    ///
    /// [`VaultError::Cryptography`].
    pub fn seal(&self, entropy: &dyn Entropy, place: Place<'_>, plaintext: &[u8]) -> Result<Sealed, VaultError> {
        let cipher = self.sealing.key.cipher()?;
        let mut nonce = [0; NONCE_LEN];
        entropy.fill(&mut nonce);
        // Overwritten where sealing fails: it holds the secret until then.
        let mut text = Zeroizing::new(plaintext.to_vec());
        let bound = bound(self.sealing.id, place);
        let tag = cipher.seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(bound), text.as_mut_slice());
        let tag = tag.or(Err(VaultError::Cryptography))?;
        Ok(Sealed([&[FORM], self.sealing.id.as_bytes().as_slice(), &nonce, &text, tag.as_ref()].concat()))
    }

    /// Opens what was sealed for this place.
    ///
    /// # Errors
    ///
    /// [`VaultError::UnknownForm`], [`VaultError::MissingKey`], [`VaultError::Damaged`], [`VaultError::Cryptography`].
    pub fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let parts = Parts::of(sealed)?;
        let held = self.held().find(|held| held.id == parts.key).ok_or(VaultError::MissingKey(parts.key))?;
        let mut text = Zeroizing::new(parts.text.to_vec());
        let (nonce, bound) = (Nonce::assume_unique_for_key(parts.nonce), Aad::from(bound(held.id, place)));
        let length = held.key.cipher()?.open_in_place(nonce, bound, text.as_mut_slice()).or(Err(VaultError::Damaged))?.len();
        text.truncate(length);
        Ok(text)
    }

    /// A key of 256 bits for another purpose, which `label` names, from each of its keys; that of the one that seals first. Whoever has one learns nothing of
    /// the key that it is from, nor of one for another purpose (HKDF, RFC 5869).
    ///
    /// # Errors
    ///
    /// [`VaultError::Cryptography`].
    pub fn derived(&self, label: &str) -> Result<Vec<Zeroizing<[u8; 32]>>, VaultError> {
        self.held().map(|held| held.key.derived(label)).collect()
    }

    /// Whether the key that seals has sealed this. `false`: another key, or nothing that can be opened.
    #[must_use]
    pub fn is_current(&self, sealed: &[u8]) -> bool {
        Parts::of(sealed).is_ok_and(|parts| parts.key == self.sealing.id)
    }

    fn held(&self) -> impl Iterator<Item = &Held> {
        std::iter::once(&self.sealing).chain(&self.opening)
    }
}

impl Held {
    fn new(key: SecretKey) -> Self {
        Self { id: key.id(), key }
    }
}

impl Sealed {
    /// The octets to store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The octets to store.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault ")?;
        f.debug_list().entries(self.ids()).finish()
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} octets)", self.0.len())
    }
}

/// What was sealed, taken apart.
struct Parts<'a> {
    key: KeyId,
    nonce: [u8; NONCE_LEN],
    text: &'a [u8],
}

impl<'a> Parts<'a> {
    fn of(sealed: &'a [u8]) -> Result<Self, VaultError> {
        let (form, rest) = sealed.split_first().ok_or(VaultError::Damaged)?;
        if *form != FORM {
            return Err(VaultError::UnknownForm(*form));
        }
        let (id, rest) = rest.split_first_chunk().ok_or(VaultError::Damaged)?;
        let (nonce, text) = rest.split_first_chunk().ok_or(VaultError::Damaged)?;
        Ok(Self { key: KeyId::from_bytes(*id), nonce: *nonce, text })
    }
}

/// What a ciphertext is bound to. Names go with their lengths, so that no two places give the same octets.
fn bound(key: KeyId, place: Place<'_>) -> Vec<u8> {
    let mut bound = vec![FORM];
    bound.extend(key.as_bytes());
    for name in [place.table, place.column] {
        bound.extend((name.len() as u64).to_be_bytes());
        bound.extend(name.as_bytes());
    }
    bound.extend(place.row.as_bytes());
    bound
}
