//! Signing messages (RFC 6376, RFC 8301, RFC 8463): relaxed forms, RSA or Ed25519, no `l=`, no `x=`.

mod canonical;
mod folded;
mod key;

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use selfmx_domain::{Dkim, DkimKey, Problem};
use time::OffsetDateTime;

use self::canonical::Field;
use self::folded::Folded;
use self::key::SigningKey;
pub use self::key::read_dkim_key;
use crate::canonical::{Flaw, Message, header};

/// The fields that are signed as often as they are there and once more, so that nobody can add one (RFC 6376 section 8.15).
const SEALED: [&str; 10] =
    ["From", "To", "Cc", "Reply-To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"];

/// The fields that are signed where they are there; relays may add them (RFC 6376 section 5.4.1, RFC 8058 section 4).
const SIGNED: [&str; 14] = [
    "Sender",
    "In-Reply-To",
    "References",
    "List-Id",
    "List-Help",
    "List-Owner",
    "List-Post",
    "List-Archive",
    "List-Subscribe",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "Feedback-ID",
    "Auto-Submitted",
    "Precedence",
];

/// Signs messages with one key, under its name.
pub struct Signer {
    dkim: Dkim,
    key: SigningKey,
}

/// Why a message was not signed. Neither can follow from what a caller wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The cryptographic library refused to sign.
    #[error("the cryptographic library refused to sign the message")]
    Cryptography,
    /// The signature's field breaks a rule that every message keeps.
    #[error("the signature cannot stand in a message: {0}")]
    NotCanonical(#[from] Flaw),
}

impl Signer {
    /// A signer under this name with this key.
    ///
    /// # Errors
    ///
    /// [`Problem::NotASigningKey`] where the key is none, or is not the one whose public half the name is for.
    pub fn new(dkim: Dkim, key: &DkimKey) -> Result<Self, Problem> {
        let key = SigningKey::read(key.reveal())?;
        match key.public() {
            Ok(public) if public == dkim.public_key => Ok(Self { dkim, key }),
            _ => Err(Problem::NotASigningKey),
        }
    }

    /// Under which name it signs.
    #[must_use]
    pub const fn dkim(&self) -> &Dkim {
        &self.dkim
    }

    /// Whether it signs a small message in less than a millisecond: RSA beyond 2048 bits takes several.
    #[must_use]
    pub fn is_quick(&self) -> bool {
        self.key.is_quick()
    }

    /// The message with its signature as the first field. The same message at the same second gets the same signature.
    ///
    /// # Errors
    ///
    /// [`SignError`].
    pub fn sign(&self, message: Message, at: OffsetDateTime) -> Result<Message, SignError> {
        let head = header(message.octets());
        let fields: Vec<Field<'_>> = canonical::fields(head).collect();
        let signed = signed(&fields);
        let names: Vec<&str> = signed.iter().map(|(name, _)| *name).collect();
        let body = message.octets().get(head.len() + 2..).unwrap_or_default();
        let body_hash = BASE64_STANDARD.encode(canonical::body_hash(body));

        let mut field = self.unsigned(&names, &body_hash, at);
        let mut octets = Vec::with_capacity(head.len() + 1024);
        signed.iter().filter_map(|(_, field)| *field).for_each(|field| field.write_relaxed(&mut octets));
        canonical::fields(field.as_bytes()).for_each(|field| field.write_relaxed(&mut octets));
        // The signature's own field is signed without its line end (RFC 6376 section 3.7).
        let own_end = octets.len().saturating_sub(2);
        octets.truncate(own_end);
        let signature = self.key.sign(&octets).or(Err(SignError::Cryptography))?;
        field.cut_anywhere(&BASE64_STANDARD.encode(signature));
        Ok(message.with_first_field(field.ended().as_bytes())?)
    }

    /// The signature's field up to an empty `b=`, which is the last tag.
    fn unsigned(&self, names: &[&str], body_hash: &str, at: OffsetDateTime) -> Folded {
        let mut field = Folded::new("DKIM-Signature:");
        field.word("v=1;");
        field.word(&format!("a={};", self.dkim.public_key.algorithm().as_str()));
        field.word("c=relaxed/relaxed;");
        field.word(&format!("d={};", self.dkim.domain));
        field.word(&format!("s={};", self.dkim.selector));
        field.word(&format!("t={};", at.unix_timestamp()));
        let (last, others) = names.split_last().map_or(("", &[][..]), |(last, others)| (*last, others));
        field.word("h=");
        others.iter().for_each(|name| field.piece(&format!("{name}:")));
        field.piece(&format!("{last};"));
        field.word("bh=");
        field.cut_anywhere(&format!("{body_hash};"));
        field.word("b=");
        field
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.dkim.record_name())
    }
}

/// What is signed, by the names that `h=` tells: of several fields with one name the last comes first (RFC 6376 section 5.4.2). A name without a field
/// says that there is no more of it.
fn signed<'a>(fields: &[Field<'a>]) -> Vec<(&'static str, Option<Field<'a>>)> {
    let of = |name: &'static str| {
        let named = fields.iter().rev().filter(move |field| field.name.eq_ignore_ascii_case(name.as_bytes()));
        named.map(move |field| (name, Some(*field)))
    };
    let sealed = SEALED.into_iter().flat_map(|name| of(name).chain([(name, None)]));
    sealed.chain(SIGNED.into_iter().flat_map(of)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_of_a_name_is_signed_from_the_last_on_and_none_can_be_added() {
        let header = b"To: a\r\nX-Mine: 1\r\nlist-id: l\r\nto: b\r\nFrom: c\r\n";
        let fields: Vec<Field<'_>> = canonical::fields(header).collect();
        let signed = signed(&fields);
        let names: Vec<&str> = signed.iter().map(|(name, _)| *name).collect();
        let sealed = ["Cc", "Reply-To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"];
        assert_eq!(names, [&["From", "From", "To", "To", "To"][..], &sealed, &["List-Id"]].concat());
        let mut written = Vec::new();
        signed.iter().filter_map(|(_, field)| *field).for_each(|field| field.write_relaxed(&mut written));
        assert_eq!(written, b"from:c\r\nto:b\r\nto:a\r\nlist-id:l\r\n");
    }
}
