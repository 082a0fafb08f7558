//! An API key as it is kept: everything but its secret.

use selfmx_domain::{ApiKeyId, Mode, Name, TenantId};
use time::OffsetDateTime;

use crate::{Digest, Permission, PermissionSet};

/// Where a key comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// The operator set it in the environment. It is stored nowhere.
    Environment,
    /// It was made through the API.
    Created,
}

/// An API key: who it is for and what it may do.
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// The name that people gave it.
    pub name: Name,
    /// The tenant that it is confined to; a platform key has none and acts on the default tenant.
    pub tenant: Option<TenantId>,
    /// What it may do.
    pub permissions: PermissionSet,
    /// Whether its mail goes to a relay.
    pub mode: Mode,
    /// The last four characters of its secret; none for the environment's.
    pub hint: Option<String>,
    /// Where it comes from.
    pub source: KeySource,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// From when on it is no longer recognised.
    pub expires_at: Option<OffsetDateTime>,
    /// Since when it is revoked.
    pub revoked_at: Option<OffsetDateTime>,
    /// When it was last used, to the minute or so.
    pub last_used_at: Option<OffsetDateTime>,
}

impl ApiKey {
    /// The operator's own key: `key_default`, a platform key named `Default` that holds `*`.
    #[must_use]
    pub fn environment(created_at: OffsetDateTime) -> Self {
        Self {
            id: ApiKeyId::DEFAULT,
            name: Name::default_key(),
            tenant: None,
            permissions: Permission::All.into(),
            mode: Mode::Live,
            hint: None,
            source: KeySource::Environment,
            created_at,
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
        }
    }

    /// Whether the key is to be recognised at `now`: neither revoked nor expired. The instant of expiry is already too late.
    #[must_use]
    pub fn is_live(&self, now: OffsetDateTime) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|expires_at| now < expires_at)
    }

    /// Whether the key is a platform key that holds `*`: it reaches every tenant.
    #[must_use]
    pub const fn is_platform_admin(&self) -> bool {
        self.tenant.is_none() && self.permissions.holds(Permission::All)
    }
}

/// A key with the digest of its secret, as a store answers.
#[derive(Clone, Debug)]
pub struct StoredKey {
    /// The digest of the key's secret.
    pub digest: Digest,
    /// The key.
    pub key: ApiKey,
}
