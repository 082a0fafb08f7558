//! Permission as a value that is held, not a check that is remembered.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use selfmx_domain::{ApiKeyId, Mode, TenantId};

use crate::{ApiKey, Scope};

/// Proof that a recognised key holds permission `P`, and in which tenant it acts.
///
/// Only [`Principal::permit`](crate::Principal::permit) makes one. It cannot be copied, and what takes it takes the tenant from it: there is no way to
/// name another.
#[must_use = "a permit is there to be handed to what needs it"]
pub struct Permit<P> {
    key: Arc<ApiKey>,
    scope: PhantomData<fn() -> P>,
}

impl<P: Scope> Permit<P> {
    pub(crate) fn of(key: &Arc<ApiKey>) -> Self {
        Self { key: Arc::clone(key), scope: PhantomData }
    }

    /// The tenant whose things the holder may touch. Platform keys act on the default tenant.
    #[must_use]
    pub fn tenant(&self) -> TenantId {
        self.key.tenant.unwrap_or(TenantId::DEFAULT)
    }

    /// The key that asks.
    #[must_use]
    pub fn key_id(&self) -> ApiKeyId {
        self.key.id
    }

    /// Whether the key's mail goes to a relay.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.key.mode
    }

    /// Which API keys the holder may see and change.
    #[must_use]
    pub fn reach(&self) -> Reach {
        match self.key.tenant {
            Some(tenant) => Reach::Tenant(tenant),
            None if self.key.is_platform_admin() => Reach::Everything,
            None => Reach::Platform,
        }
    }

    pub(crate) fn holder(&self) -> &ApiKey {
        &self.key
    }
}

impl<P: Scope> fmt::Debug for Permit<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Permit({}, {}, {})", P::PERMISSION, self.tenant(), self.key.id)
    }
}

/// Which API keys a permit reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Those of one tenant.
    Tenant(TenantId),
    /// Those of no tenant.
    Platform,
    /// All: the holder is a platform key with `*`.
    Everything,
}

/// Proof that a recognised *platform* key holds permission `P`: what spans tenants asks for this. A tenant's `*` never becomes one.
#[must_use = "a permit is there to be handed to what needs it"]
pub struct PlatformPermit<P> {
    key: Arc<ApiKey>,
    scope: PhantomData<fn() -> P>,
}

impl<P: Scope> PlatformPermit<P> {
    pub(crate) fn of(key: &Arc<ApiKey>) -> Self {
        Self { key: Arc::clone(key), scope: PhantomData }
    }

    /// The key that asks.
    #[must_use]
    pub fn key_id(&self) -> ApiKeyId {
        self.key.id
    }
}

impl<P: Scope> fmt::Debug for PlatformPermit<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PlatformPermit({}, {})", P::PERMISSION, self.key.id)
    }
}
