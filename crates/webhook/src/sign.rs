//! What proves whose an event is: the signatures of Standard Webhooks, and one plain HMAC.

use std::fmt::Write;

use aws_lc_rs::hmac::{self, HMAC_SHA256, Key};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use selfmx_domain::WebhookSecret;
use time::OffsetDateTime;

/// The header fields' values that let a receiver check where an event comes from, that nobody changed it, and that it is not an old one.
///
/// Standard Webhooks signs `id.timestamp.body` with the secret's octets, so that a receiver can refuse what is old. `X-Webhook-Signature` is for receivers
/// without a library: HMAC-SHA256 of the body, with the secret as it is written (`whsec_` and all), in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signatures {
    timestamp: String,
    standard: String,
    plain: String,
}

impl Signatures {
    /// Signs `body` as the event `id`, sent at `at`. With `previous`, a secret that was rotated and is still in its grace, there are two Standard Webhooks
    /// signatures; the plain one is always by `secret`.
    #[must_use]
    pub fn new(id: &str, at: OffsetDateTime, body: &[u8], secret: &WebhookSecret, previous: Option<&WebhookSecret>) -> Self {
        let timestamp = at.unix_timestamp().to_string();
        let signed = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat();
        let by_each: Vec<_> = std::iter::once(secret).chain(previous).map(|secret| version_1(secret, &signed)).collect();
        Self { timestamp, standard: by_each.join(" "), plain: plain(secret, body) }
    }

    /// `webhook-timestamp`: seconds since 1970.
    #[must_use]
    pub fn timestamp(&self) -> &str {
        &self.timestamp
    }

    /// `webhook-signature`: `v1,` and base64; the signatures of two secrets with a space between them.
    #[must_use]
    pub fn standard(&self) -> &str {
        &self.standard
    }

    /// `X-Webhook-Signature`: `sha256=` and hexadecimal digits.
    #[must_use]
    pub fn plain(&self) -> &str {
        &self.plain
    }
}

fn version_1(secret: &WebhookSecret, signed: &[u8]) -> String {
    let tag = hmac::sign(&Key::new(HMAC_SHA256, secret.octets()), signed);
    format!("v1,{}", BASE64_STANDARD.encode(tag))
}

fn plain(secret: &WebhookSecret, body: &[u8]) -> String {
    let tag = hmac::sign(&Key::new(HMAC_SHA256, secret.reveal().as_bytes()), body);
    tag.as_ref().iter().fold("sha256=".to_owned(), |mut text, octet| {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{octet:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const SECOND: &str = "whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

    const EVENT: &str = "evt_01h455vb4pex5vsknk084sn02q";
    const UMLAUTS: &str = r#"{"type":"delivered","data":{"subject":"Grüße ☂"}}"#;

    /// Id, time, body, and what the reference libraries of Standard Webhooks (JavaScript 1.1.1 and Python 1.1.0, which agree) sign with each secret.
    const REFERENCES: [(&str, i64, &str, [&str; 2]); 4] = [
        (
            EVENT,
            1_614_265_330,
            r#"{"test": 2432232314}"#,
            ["v1,qm7IXRr7qdFBRvVQ606EEdCLhF3CDA2gLXDQzoVqTDs=", "v1,H4O2v3vB8zpmQ3q29UnRHpZuah8VyjK2ObH/XYhk1aw="],
        ),
        (
            EVENT,
            1_764_000_000,
            UMLAUTS,
            ["v1,y/jR75PHsDsfgrDkjMIV3f3UsYk5pxTirrzgntTT6us=", "v1,kP7k+HsZ/fhvvA72DmvvQGNyjhwTFCRAWFa2PJOvS1Y="],
        ),
        (
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
            ["v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", "v1,YO/ulmd+VFtlnbodv7yLOOsS6RlBZ48h++gXZrGOpZo="],
        ),
        (
            "evt_00000000000000000000000000",
            4_102_444_800,
            "",
            ["v1,3mZAatPJCL8Nj+RykWw+M17wzc+4ZeEaVTEjxO3hkdo=", "v1,ALP6lU/QAWucmOvPJ0SrkacWNWI9WunCd7phOqW3ocM="],
        ),
    ];

    fn secrets() -> [WebhookSecret; 2] {
        [FIRST, SECOND].map(|text| text.parse().unwrap())
    }

    #[test]
    fn it_signs_as_the_reference_libraries_do() {
        let [first, second] = secrets();
        for (id, seconds, body, [by_first, by_second]) in REFERENCES {
            let at = OffsetDateTime::from_unix_timestamp(seconds).unwrap() + time::Duration::milliseconds(999);
            let signed = |secret, previous| Signatures::new(id, at, body.as_bytes(), secret, previous);
            assert_eq!(signed(&first, None).timestamp(), seconds.to_string());
            assert_eq!(signed(&first, None).standard(), by_first);
            assert_eq!(signed(&second, None).standard(), by_second);
            assert_eq!(signed(&second, Some(&first)).standard(), format!("{by_second} {by_first}"));
        }
    }

    #[test]
    fn the_plain_signature_is_of_the_body_alone_by_the_secret_as_it_is_written() {
        let [first, second] = secrets();
        let plain = |body: &str, secret| {
            Signatures::new(EVENT, OffsetDateTime::UNIX_EPOCH, body.as_bytes(), secret, Some(&first)).plain().to_owned()
        };
        // Each by Python's `hmac`.
        assert_eq!(plain(UMLAUTS, &first), "sha256=4af58eb8ade4e7813e84a57d76c2c1682f05e1c27330f1ef3b4f6990243cb684");
        assert_eq!(plain(UMLAUTS, &second), "sha256=96c0bb58980d9118fb9c4c75c2547d3a67a8d7b33b2183b14ea3d995c5cead16");
        assert_eq!(plain("", &second), "sha256=23ab3a62a8590ad34b6d783eae5f7096ea184cc59f7539d7f34bd9b0807eb29d");
    }
}
