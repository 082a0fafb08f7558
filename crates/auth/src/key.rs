//! An API key as it is kept: everything but its secret.

use std::net::IpAddr;
use std::sync::Arc;

use selfmx_domain::{ApiKeyId, Name, Tenant};
use subtle::Choice;
use time::OffsetDateTime;

use crate::{Authority, Digest};

/// Where a key comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// The operator set it in the environment. It is stored nowhere.
    Environment,
    /// It was made through the API or by the command line.
    Created,
}

/// An API key: who it is for and what it may do.
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// The name that people gave it.
    pub name: Name,
    /// What it may do.
    pub authority: Authority,
    /// Whether it is recognised at present. A key that is switched off can be switched on again.
    pub enabled: bool,
    /// The last four characters of its secret; none for the environment's.
    pub hint: Option<String>,
    /// Where it comes from.
    pub source: KeySource,
    /// The key that made it; none for the first one and for those made on the machine itself.
    pub created_by: Option<ApiKeyId>,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// Since when it is revoked.
    pub revoked_at: Option<OffsetDateTime>,
    /// Until when the secret before the last rotation is recognised as well.
    pub previous_secret_until: Option<OffsetDateTime>,
    /// When and from where it was last used, to the minute or so.
    pub last_use: Option<KeyUse>,
}

/// A use of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyUse {
    /// When.
    pub at: OffsetDateTime,
    /// From where; absent where it is not known any more.
    pub address: Option<IpAddr>,
    /// What the client said that it is.
    pub user_agent: Option<String>,
}

impl ApiKey {
    /// The operator's own key: `key_default`, a platform key named `Default` that holds `*`.
    #[must_use]
    pub fn environment(created_at: OffsetDateTime) -> Self {
        Self {
            id: ApiKeyId::DEFAULT,
            name: Name::default_key(),
            authority: Authority::everything(),
            enabled: true,
            hint: None,
            source: KeySource::Environment,
            created_by: None,
            created_at,
            revoked_at: None,
            previous_secret_until: None,
            last_use: None,
        }
    }

    /// Whether the key is to be recognised at `now`: switched on, neither revoked nor expired. The instant of expiry is already too late.
    #[must_use]
    pub fn is_live(&self, now: OffsetDateTime) -> bool {
        self.enabled && self.revoked_at.is_none() && self.authority.expires_at.is_none_or(|expires_at| now < expires_at)
    }
}

/// The digests of the secrets that a key is recognised by: its own, and for a while the one before it.
#[derive(Clone, Copy, Debug)]
pub struct KeyDigests {
    /// Of the key's secret.
    pub current: Digest,
    /// Of the secret before it, and until when that is recognised.
    pub previous: Option<(Digest, OffsetDateTime)>,
}

impl KeyDigests {
    /// Those of a key that was never rotated.
    #[must_use]
    pub const fn only(current: Digest) -> Self {
        Self { current, previous: None }
    }

    /// Whether `presented` is one of them at `now`, decided in a time that does not depend on which, or on where they differ.
    #[must_use]
    pub fn matches(&self, presented: &Digest, now: OffsetDateTime) -> bool {
        let (digest, until) = self.previous.unwrap_or((self.current, now));
        let in_grace = Choice::from(u8::from(now < until));
        (self.current.equals(presented) | (digest.equals(presented) & in_grace)).into()
    }
}

/// A key with the digests of its secrets and the tenant that it acts for, as a store answers.
#[derive(Clone, Debug)]
pub struct StoredKey {
    /// The digests of the key's secrets.
    pub digests: KeyDigests,
    /// The key.
    pub key: ApiKey,
    /// The tenant that it acts for: its own, or the default tenant for a platform key.
    pub tenant: Arc<Tenant>,
}

#[cfg(test)]
mod tests {
    use time::Duration;
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-01-01 00:00 UTC);

    #[test]
    fn the_former_secret_counts_until_its_grace_ends_and_the_present_one_always() {
        let (present, former, other) = (Digest::of("present"), Digest::of("former"), Digest::of("other"));
        let digests = KeyDigests { current: present, previous: Some((former, NOW)) };
        for (now, former_counts) in [(NOW - Duration::NANOSECOND, true), (NOW, false), (NOW + Duration::DAY, false)] {
            assert!(digests.matches(&present, now) && !digests.matches(&other, now));
            assert_eq!(digests.matches(&former, now), former_counts, "{now}");
        }
        let alone = KeyDigests::only(present);
        assert!(alone.matches(&present, NOW) && !alone.matches(&former, NOW));
    }

    #[test]
    fn a_key_lives_while_it_is_on_not_revoked_and_not_expired() {
        let key = ApiKey::environment(NOW);
        assert!(key.is_live(NOW));
        assert!(!ApiKey { enabled: false, ..key.clone() }.is_live(NOW));
        assert!(!ApiKey { revoked_at: Some(NOW), ..key.clone() }.is_live(NOW - Duration::DAY));
        let ends = |expires_at| ApiKey { authority: Authority { expires_at: Some(expires_at), ..Authority::everything() }, ..key.clone() };
        assert!(!ends(NOW).is_live(NOW) && ends(NOW + Duration::NANOSECOND).is_live(NOW) && !ends(NOW - Duration::DAY).is_live(NOW));
    }
}
