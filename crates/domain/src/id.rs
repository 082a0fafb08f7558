//! Every id is a type of its own, written as a [TypeID](https://github.com/jetify-com/typeid): a prefix, `_`, and a UUIDv7 in 26
//! characters of Crockford base32.

use std::fmt;
use std::str::FromStr;

use serde_core::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::{Clock, Entropy};

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const SUFFIX_LENGTH: usize = 26;

/// Why a text is no id of the wanted type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text does not begin with the type's prefix and an underscore.
    #[error("this is no id that begins with `{0}_`")]
    Prefix(&'static str),
    /// What follows the prefix is not 26 characters of lower-case Crockford base32 that fit 128 bits.
    #[error("after `{0}_` an id has 26 characters of lower-case Crockford base32")]
    Suffix(&'static str),
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal $(, nil $constant:ident = $word:literal, $constant_doc:literal)?;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// What each id of this type begins with, before the underscore.
            pub const PREFIX: &'static str = $prefix;
            $(
                #[doc = $constant_doc]
                pub const $constant: Self = Self(Uuid::nil());
            )?

            /// A new id: a UUIDv7 (RFC 9562 section 5.7), so that ids sort by creation.
            #[must_use]
            pub fn generate(clock: &dyn Clock, entropy: &dyn Entropy) -> Self {
                Self(uuid_v7(clock, entropy))
            }

            /// The id that a store kept as `uuid`.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The id's 128 bits, for a store.
            #[must_use]
            pub const fn as_uuid(&self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                $(
                    if *self == Self::$constant {
                        return write!(f, "{}_{}", $prefix, $word);
                    }
                )?
                write!(f, "{}_{}", $prefix, encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let suffix = text.strip_prefix(concat!($prefix, "_")).ok_or(IdError::Prefix($prefix))?;
                $(
                    if suffix == $word {
                        return Ok(Self::$constant);
                    }
                )?
                decode(suffix).map(Self).ok_or(IdError::Suffix($prefix))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <&str>::deserialize(deserializer)?;
                text.parse().map_err(serde_core::de::Error::custom)
            }
        }
    )*};
}

ids! {
    /// An API key.
    ApiKeyId = "key", nil DEFAULT = "default", "`key_default`: the key that the environment sets, which is stored nowhere.";
    /// An entry of the audit log.
    AuditId = "log";
    /// An accepted email.
    EmailId = "msg";
    /// Something that happened to an email.
    EventId = "evt";
    /// One HTTP request.
    RequestId = "req";
    /// An address on a suppression list.
    SuppressionId = "sup";
    /// A template.
    TemplateId = "tmpl";
    /// A tenant.
    TenantId = "tenant", nil DEFAULT = "default", "`tenant_default`: the tenant on which platform keys act.";
    /// The delivery of one event to one webhook.
    WebhookDeliveryId = "whd";
    /// A webhook.
    WebhookId = "wh";
}

/// Whether a text has the form of an id of any type: a prefix of lower-case letters, `_`, and 26 characters of base32 or the word `default`.
#[must_use]
pub fn is_id(text: &str) -> bool {
    text.split_once('_').is_some_and(|(prefix, suffix)| {
        (1..=8).contains(&prefix.len())
            && prefix.bytes().all(|byte| byte.is_ascii_lowercase())
            && (suffix == "default" || decode(suffix).is_some())
    })
}

fn uuid_v7(clock: &dyn Clock, entropy: &dyn Entropy) -> Uuid {
    let millis = clock.now().unix_timestamp_nanos() / 1_000_000;
    let mut random = [0; 10];
    entropy.fill(&mut random);
    uuid::Builder::from_unix_timestamp_millis(u64::try_from(millis).unwrap_or(0), &random).into_uuid()
}

fn encode(uuid: Uuid) -> String {
    let bits = uuid.as_u128();
    (0..SUFFIX_LENGTH)
        .rev()
        .filter_map(|place| {
            let digit = usize::try_from((bits >> (5 * place)) & 31).ok()?;
            ALPHABET.get(digit).map(|byte| char::from(*byte))
        })
        .collect()
}

fn decode(suffix: &str) -> Option<Uuid> {
    // 26 digits hold 130 bits: the first may use only its low three.
    if suffix.len() != SUFFIX_LENGTH || !matches!(suffix.as_bytes().first(), Some(b'0'..=b'7')) {
        return None;
    }
    suffix
        .bytes()
        .try_fold(0_u128, |bits, byte| {
            let digit = ALPHABET.iter().position(|known| *known == byte)?;
            Some((bits << 5) | u128::try_from(digit).ok()?)
        })
        .map(Uuid::from_u128)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    struct Fixed;

    impl Clock for Fixed {
        fn now(&self) -> time::OffsetDateTime {
            datetime!(2026-01-02 03:04:05.678 UTC)
        }
    }

    impl Entropy for Fixed {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0xff);
        }
    }

    #[test]
    fn what_has_the_form_of_an_id_is_told_from_other_words() {
        for text in ["key_01h455vb4pex5vsknk084sn02q", "tenant_01h455vb4pex5vsknk084sn02q", "key_default"] {
            assert!(is_id(text), "{text}");
        }
        for text in [
            "",
            "key",
            "key_",
            "_default",
            "Key_default",
            "key_01h455vb4pex5vsknk084sn02",
            "key_01h455vb4pex5vsknk084sn02qq",
            "sk_live_default",
        ] {
            assert!(!is_id(text), "{text}");
        }
    }

    #[test]
    fn the_typeid_specification_s_examples_hold() {
        for (uuid, suffix) in [
            ("00000000-0000-0000-0000-000000000000", "00000000000000000000000000"),
            ("00000000-0000-0000-0000-000000000001", "00000000000000000000000001"),
            ("00000000-0000-0000-0000-00000000000a", "0000000000000000000000000a"),
            ("00000000-0000-0000-0000-000000000020", "00000000000000000000000010"),
            ("ffffffff-ffff-ffff-ffff-ffffffffffff", "7zzzzzzzzzzzzzzzzzzzzzzzzz"),
            ("0110c853-1d09-52d8-d73e-1194e95b5f19", "0123456789abcdefghjkmnpqrs"),
            ("01890a5d-ac96-774b-bcce-b302099a8057", "01h455vb4pex5vsknk084sn02q"),
        ] {
            let uuid: Uuid = uuid.parse().unwrap();
            assert_eq!(encode(uuid), suffix);
            assert_eq!(decode(suffix), Some(uuid));
        }
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in [
            "",
            "msg",
            "msg_",
            "key_01h455vb4pex5vsknk084sn02q",
            "msg_8zzzzzzzzzzzzzzzzzzzzzzzzz",
            "msg_01H455VB4PEX5VSKNK084SN02Q",
            "msg_01h455vb4pex5vsknk084sn02",
            "msg_01h455vb4pex5vsknk084sn02qq",
            "msg_01h455vb4pex5vsknk084sn02l",
            "msg_01h455vb4pex5vsknk084sn0é",
            "msg_default",
            "msg__1h455vb4pex5vsknk084sn02q",
        ] {
            assert!(text.parse::<EmailId>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_environment_s_key_has_a_name_of_its_own() {
        assert_eq!(ApiKeyId::DEFAULT.to_string(), "key_default");
        assert_eq!("key_default".parse(), Ok(ApiKeyId::DEFAULT));
        assert_eq!("tenant_default".parse(), Ok(TenantId::DEFAULT));
    }

    #[test]
    fn an_id_is_a_uuid_version_7_of_the_given_time() {
        let uuid = EmailId::generate(&Fixed, &Fixed).as_uuid();
        assert_eq!(uuid.get_version_num(), 7);
        assert_eq!(uuid.get_variant(), uuid::Variant::RFC4122);
        let millis = uuid.as_u128() >> 80;
        assert_eq!(i128::try_from(millis).unwrap(), Fixed.now().unix_timestamp_nanos() / 1_000_000);
    }

    proptest! {
        #[test]
        fn each_id_reads_back_and_sorts_as_its_text(a: u128, b: u128) {
            let (a, b) = (EmailId::from_uuid(Uuid::from_u128(a)), EmailId::from_uuid(Uuid::from_u128(b)));
            prop_assert_eq!(a.to_string().parse::<EmailId>(), Ok(a));
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
        }

        #[test]
        fn what_parses_is_written_the_same(text in "msg_[0-9a-hjkmnp-tv-z]{26}") {
            if let Ok(id) = text.parse::<EmailId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }
}
