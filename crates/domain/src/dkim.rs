//! DKIM (RFC 6376): under which name mail is signed, with what key, and the DNS record by which others verify it.

use std::fmt;
use std::str::FromStr;

use zeroize::Zeroizing;

use crate::{Change, Domain, FieldError, Problem};

/// The longest name that DNS has, in octets (RFC 1035 section 2.3.4).
const MAX_NAME_OCTETS: usize = 253;

/// Under which name mail is signed, and with what key. The private half is a [`DkimKey`], which is kept apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dkim {
    /// The domain that answers for the mail (`d=`).
    pub domain: Domain,
    /// Which of the domain's keys it is (`s=`).
    pub selector: DkimSelector,
    /// The key that others verify with.
    pub public_key: DkimPublicKey,
}

impl Dkim {
    /// The name of the TXT record that others verify by (RFC 6376 section 3.6.2.1).
    #[must_use]
    pub fn record_name(&self) -> String {
        format!("{}._domainkey.{}", self.selector, self.domain)
    }

    /// What that record has to say (RFC 6376 section 3.6.1, RFC 8463 section 4): one text, however it is cut into strings.
    #[must_use]
    pub fn record_value(&self) -> String {
        format!("v=DKIM1; k={}; p={}", self.public_key.algorithm().key_type(), self.public_key)
    }

    /// Whether it answers for mail from `sender`: the domain is that one or one above it, so that DMARC calls the two aligned (RFC 7489 section 3.1.1).
    #[must_use]
    pub fn is_aligned_with(&self, sender: &Domain) -> bool {
        let below = sender.as_str().strip_suffix(self.domain.as_str());
        below.is_some_and(|below| below.is_empty() || below.ends_with('.'))
    }

    /// Checks that the record can have a name at all.
    ///
    /// # Errors
    ///
    /// [`Problem::TooLong`].
    pub fn nameable(self) -> Result<Self, Problem> {
        if self.record_name().len() > MAX_NAME_OCTETS {
            return Err(Problem::TooLong { limit: MAX_NAME_OCTETS, unit: "octets in the record's name" });
        }
        Ok(self)
    }
}

/// Which of a domain's keys it is: labels of letters, digits and hyphens (RFC 6376 section 3.1), in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DkimSelector(String);

impl DkimSelector {
    /// The longest label, in octets (RFC 1035 section 2.3.4).
    const MAX_LABEL_OCTETS: usize = 63;

    /// The selector as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DkimSelector {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let is_label = |label: &str| {
            (1..=Self::MAX_LABEL_OCTETS).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        if text.len() > MAX_NAME_OCTETS || !text.split('.').all(is_label) {
            return Err(Problem::NotASelector);
        }
        Ok(Self(text.to_ascii_lowercase()))
    }
}

impl fmt::Display for DkimSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How mail is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DkimAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8301), which every verifier knows.
    RsaSha256,
    /// Ed25519 with SHA-256 (RFC 8463), which some verifiers do not know.
    Ed25519Sha256,
}

impl DkimAlgorithm {
    /// As the signature names it (`a=`).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RsaSha256 => "rsa-sha256",
            Self::Ed25519Sha256 => "ed25519-sha256",
        }
    }

    /// As the DNS record names the kind of key (`k=`).
    #[must_use]
    pub const fn key_type(self) -> &'static str {
        match self {
            Self::RsaSha256 => "rsa",
            Self::Ed25519Sha256 => "ed25519",
        }
    }
}

impl FromStr for DkimAlgorithm {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let known = [Self::RsaSha256, Self::Ed25519Sha256];
        known.into_iter().find(|known| known.as_str() == text).ok_or(Problem::NotOneOf("`rsa-sha256` or `ed25519-sha256`"))
    }
}

/// The key that others verify with. Shown, it is what stands after `p=` in the DNS record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DkimPublicKey {
    algorithm: DkimAlgorithm,
    base64: String,
}

impl DkimPublicKey {
    /// The key of an algorithm, in base64: for RSA the `SubjectPublicKeyInfo` in DER, for Ed25519 its 32 octets.
    #[must_use]
    pub const fn new(algorithm: DkimAlgorithm, base64: String) -> Self {
        Self { algorithm, base64 }
    }

    /// What it verifies.
    #[must_use]
    pub const fn algorithm(&self) -> DkimAlgorithm {
        self.algorithm
    }
}

impl fmt::Display for DkimPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.base64)
    }
}

/// A private key as PEM, and the public one that belongs to it. It is never shown, and overwritten when it is dropped.
#[derive(Clone)]
pub struct DkimKey {
    pem: Zeroizing<String>,
    public: DkimPublicKey,
}

impl DkimKey {
    /// The longest text, in octets: many times what a key of 4096 bits takes.
    pub const MAX_OCTETS: usize = 16 * 1024;

    /// A key of which somebody knows which public one belongs to it.
    #[must_use]
    pub const fn new(pem: Zeroizing<String>, public: DkimPublicKey) -> Self {
        Self { pem, public }
    }

    /// The private key's PEM itself, to seal it or to sign with it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.pem
    }

    /// The key that others verify with.
    #[must_use]
    pub const fn public(&self) -> &DkimPublicKey {
        &self.public
    }
}

impl fmt::Debug for DkimKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DkimKey({}, hidden)", self.public.algorithm.as_str())
    }
}

/// A partial update of a [`Dkim`] and its key, or all of a new one.
#[derive(Clone, Debug, Default)]
pub struct DkimChange {
    /// The domain that answers for the mail.
    pub domain: Option<Domain>,
    /// Which of the domain's keys it is.
    pub selector: Option<DkimSelector>,
    /// The key.
    pub key: Option<DkimKey>,
}

impl DkimChange {
    /// What there is after the change. A kept key goes on under another name as well: it is the tenant's own.
    ///
    /// # Errors
    ///
    /// [`FieldError`] where a member is missing, or the record's name would be too long for DNS.
    pub fn apply(self, old: Option<Dkim>) -> Result<Dkim, FieldError> {
        let (old_domain, old_selector, old_key) = match old {
            Some(old) => (Some(old.domain), Some(old.selector), Some(old.public_key)),
            None => (None, None, None),
        };
        let missing = |field: &str| Problem::Missing.at(format!("dkim.{field}"));
        let dkim = Dkim {
            domain: self.domain.or(old_domain).ok_or_else(|| missing("domain"))?,
            selector: self.selector.or(old_selector).ok_or_else(|| missing("selector"))?,
            public_key: self.key.map(|key| key.public).or(old_key).ok_or_else(|| missing("key"))?,
        };
        dkim.nameable().map_err(|problem| problem.at("dkim.selector"))
    }

    /// What becomes of the private key.
    pub(crate) fn key_after(change: &Change<Self>) -> Change<DkimKey> {
        match change {
            Change::Keep => Change::Keep,
            Change::Clear => Change::Clear,
            Change::Set(change) => change.key.clone().map_or(Change::Keep, Change::Set),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(base64: &str) -> DkimKey {
        let public = DkimPublicKey::new(DkimAlgorithm::Ed25519Sha256, base64.to_owned());
        DkimKey::new(Zeroizing::new("canary".to_owned()), public)
    }

    fn whole() -> DkimChange {
        DkimChange { domain: Some("x.example".parse().unwrap()), selector: Some("S1".parse().unwrap()), key: Some(key("AAAA")) }
    }

    #[test]
    fn the_record_is_named_and_written_as_verifiers_look_for_it() {
        let dkim = whole().apply(None).unwrap();
        assert_eq!(dkim.record_name(), "s1._domainkey.x.example");
        assert_eq!(dkim.record_value(), "v=DKIM1; k=ed25519; p=AAAA");
    }

    #[test]
    fn it_answers_for_its_domain_and_those_below() {
        let aligned = |sender: &str| whole().apply(None).unwrap().is_aligned_with(&sender.parse().unwrap());
        assert!(aligned("x.example") && aligned("X.EXAMPLE") && aligned("a.b.x.example"));
        assert!(!aligned("ax.example") && !aligned("example") && !aligned("x.example.evil.example") && !aligned("y.example"));
    }

    #[test]
    fn a_selector_is_labels_that_dns_has() {
        for (text, selector) in [("2026", "2026"), ("Mail-1.Shop", "mail-1.shop"), ("x", "x")] {
            assert_eq!(text.parse::<DkimSelector>().unwrap().as_str(), selector);
        }
        for text in ["", ".", "a.", ".a", "-a", "a-", "a_b", "a b", "a;b", "a\r\nb", "é", &"a".repeat(64), &"a.".repeat(130)] {
            assert_eq!(text.parse::<DkimSelector>(), Err(Problem::NotASelector), "{text:?}");
        }
    }

    #[test]
    fn all_of_a_new_one_is_required_and_a_change_touches_what_it_names() {
        for (change, field) in [
            (DkimChange { domain: None, ..whole() }, "dkim.domain"),
            (DkimChange { selector: None, ..whole() }, "dkim.selector"),
            (DkimChange { key: None, ..whole() }, "dkim.key"),
        ] {
            assert_eq!(change.apply(None).unwrap_err(), Problem::Missing.at(field));
        }
        let old = whole().apply(None).unwrap();
        assert_eq!(DkimChange::default().apply(Some(old.clone())).unwrap(), old);
        let rotated = DkimChange { selector: Some("s2".parse().unwrap()), key: Some(key("BBBB")), ..DkimChange::default() };
        let rotated = rotated.apply(Some(old.clone())).unwrap();
        assert_eq!((rotated.record_name().as_str(), rotated.public_key.to_string()), ("s2._domainkey.x.example", "BBBB".to_owned()));
        let long = DkimChange { selector: Some(["a".repeat(60).as_str(); 4].join(".").parse().unwrap()), ..DkimChange::default() };
        assert_eq!(long.apply(Some(old)).unwrap_err().field, "dkim.selector");
    }

    #[test]
    fn a_key_is_not_shown() {
        assert_eq!(format!("{:?}", key("AAAA")), "DkimKey(ed25519-sha256, hidden)");
    }
}
