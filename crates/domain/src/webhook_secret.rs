//! The secret that a webhook's events are signed with, as Standard Webhooks writes it.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use zeroize::{Zeroize, Zeroizing};

use crate::{Entropy, Problem};

/// The secret of a webhook: 24..64 octets, written as `whsec_` and base64.
///
/// It is overwritten when it is dropped. There is neither `Display` nor `Serialize`; [`reveal`](Self::reveal) is for sealing it, for signing, and for the
/// answers that show it.
///
/// ```
/// use selfmx_domain::WebhookSecret;
///
/// let secret: WebhookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse()?;
/// assert_eq!(secret.octets().len(), 24);
/// assert!("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse::<WebhookSecret>().is_err());
/// # Ok::<(), selfmx_domain::Problem>(())
/// ```
#[derive(Clone)]
pub struct WebhookSecret {
    text: Zeroizing<String>,
    octets: Zeroizing<Vec<u8>>,
}

impl WebhookSecret {
    /// What each secret begins with.
    pub const PREFIX: &'static str = "whsec_";

    /// The fewest octets.
    pub const MIN_OCTETS: usize = 24;

    /// The most octets.
    pub const MAX_OCTETS: usize = 64;

    /// How many octets a made one has.
    const MADE_OCTETS: usize = 32;

    /// A new secret of 256 random bits.
    #[must_use]
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut octets = Zeroizing::new(vec![0; Self::MADE_OCTETS]);
        entropy.fill(&mut octets);
        Self { text: written(&octets), octets }
    }

    /// The secret as it is written, prefix and all.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// The octets that Standard Webhooks signs with.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }
}

impl FromStr for WebhookSecret {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let base64 = text.strip_prefix(Self::PREFIX).ok_or(Problem::NotAWebhookSecret)?;
        if base64.len() > Self::MAX_OCTETS.div_ceil(3) * 4 {
            return Err(Problem::NotAWebhookSecret);
        }
        let octets = Zeroizing::new(BASE64_STANDARD.decode(base64).or(Err(Problem::NotAWebhookSecret))?);
        if !(Self::MIN_OCTETS..=Self::MAX_OCTETS).contains(&octets.len()) {
            return Err(Problem::NotAWebhookSecret);
        }
        Ok(Self { text: Zeroizing::new(text.to_owned()), octets })
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(hidden)")
    }
}

/// The octets as text; no part of it is left behind anywhere.
fn written(octets: &[u8]) -> Zeroizing<String> {
    let mut base64 = BASE64_STANDARD.encode(octets);
    let mut text = Zeroizing::new(String::with_capacity(WebhookSecret::PREFIX.len() + base64.len()));
    text.push_str(WebhookSecret::PREFIX);
    text.push_str(&base64);
    base64.zeroize();
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Ones;

    impl Entropy for Ones {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(1);
        }
    }

    #[test]
    fn a_made_secret_reads_back() {
        let made = WebhookSecret::generate(&Ones);
        assert_eq!(made.octets(), [1; 32]);
        let read: WebhookSecret = made.reveal().parse().unwrap();
        assert_eq!((read.reveal(), read.octets()), (made.reveal(), made.octets()));
        assert!(made.reveal().starts_with("whsec_AQEB"), "{}", made.reveal());
    }

    #[test]
    fn a_secret_has_its_one_form_and_its_length() {
        for (octets, good) in [(0, false), (23, false), (24, true), (25, true), (64, true), (65, false), (66, false)] {
            let text = format!("whsec_{}", BASE64_STANDARD.encode(vec![7; octets]));
            assert_eq!(text.parse::<WebhookSecret>().is_ok(), good, "{octets}");
        }
        let good = format!("whsec_{}", BASE64_STANDARD.encode([7; 25]));
        let wrong = [
            good.replace("whsec_", ""),
            good.to_uppercase(),
            good.replace("==", ""),
            format!("{good}\n"),
            format!(" {good}"),
            good.replace('B', "-"),
        ];
        for wrong in wrong {
            assert_eq!(wrong.parse::<WebhookSecret>().err(), Some(Problem::NotAWebhookSecret), "{wrong}");
        }
    }

    #[test]
    fn a_secret_is_not_shown() {
        let made = WebhookSecret::generate(&Ones);
        assert_eq!(format!("{made:?}"), "WebhookSecret(hidden)");
    }
}
