//! Private keys: read from PEM, checked, and signed with, by the TLS library's cryptography.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair as RsaKey;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use selfmx_domain::{DkimAlgorithm, DkimKey, DkimPublicKey, Problem};
use zeroize::Zeroizing;

/// The shortest and the longest RSA key, in octets: shorter ones are not safe (RFC 8301 section 3.2), longer ones take long, and no verifier has to
/// know them.
const RSA_OCTETS: std::ops::RangeInclusive<usize> = 256..=512;

/// Reads a private key in PEM without a passphrase: RSA of 2048 to 4096 bits (PKCS#8 or PKCS#1), or Ed25519 (PKCS#8).
///
/// # Errors
///
/// [`Problem::NotASigningKey`], [`Problem::TooLong`].
pub fn read_dkim_key(pem: &str) -> Result<DkimKey, Problem> {
    if pem.len() > DkimKey::MAX_OCTETS {
        return Err(Problem::TooLong { limit: DkimKey::MAX_OCTETS, unit: "octets" });
    }
    let public = SigningKey::read(pem)?.public().or(Err(Problem::NotASigningKey))?;
    Ok(DkimKey::new(Zeroizing::new(pem.to_owned()), public))
}

/// A key that is ready to sign.
pub(super) enum SigningKey {
    Rsa(RsaKey),
    Ed25519(Ed25519KeyPair),
}

impl SigningKey {
    pub(super) fn read(pem: &str) -> Result<Self, Problem> {
        let der = PrivateKeyDer::from_pem_slice(pem.as_bytes()).or(Err(Problem::NotASigningKey))?;
        let rsa = match &der {
            PrivateKeyDer::Pkcs1(der) => RsaKey::from_der(der.secret_pkcs1_der()).ok(),
            PrivateKeyDer::Pkcs8(der) => {
                let der = der.secret_pkcs8_der();
                if let Ok(key) = Ed25519KeyPair::from_pkcs8(der) {
                    return Ok(Self::Ed25519(key));
                }
                RsaKey::from_pkcs8(der).ok()
            }
            _ => None,
        };
        rsa.filter(|key| RSA_OCTETS.contains(&key.public_modulus_len())).map(Self::Rsa).ok_or(Problem::NotASigningKey)
    }

    /// The key that others verify with, as the DNS record has it.
    pub(super) fn public(&self) -> Result<DkimPublicKey, Unspecified> {
        Ok(match self {
            Self::Rsa(key) => {
                let der: PublicKeyX509Der<'_> = key.public_key().as_der()?;
                DkimPublicKey::new(DkimAlgorithm::RsaSha256, BASE64_STANDARD.encode(der.as_ref()))
            }
            Self::Ed25519(key) => DkimPublicKey::new(DkimAlgorithm::Ed25519Sha256, BASE64_STANDARD.encode(key.public_key())),
        })
    }

    pub(super) fn is_quick(&self) -> bool {
        match self {
            Self::Rsa(key) => key.public_modulus_len() <= *RSA_OCTETS.start(),
            Self::Ed25519(_) => true,
        }
    }

    /// Signs canonical octets. The same octets give the same signature.
    pub(super) fn sign(&self, octets: &[u8]) -> Result<Vec<u8>, Unspecified> {
        match self {
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), octets, &mut signature)?;
                Ok(signature)
            }
            // What is signed is the hash (RFC 8463 section 3).
            Self::Ed25519(key) => Ok(key.try_sign(digest(&SHA256, octets).as_ref())?.as_ref().to_vec()),
        }
    }
}
