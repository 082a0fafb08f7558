//! Permission as a value that is held, not a check that is remembered.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use selfmx_domain::{ApiKeyId, Mode, Tenant, TenantId};
use time::OffsetDateTime;

use crate::principal::Holder;
use crate::{ApiKey, Authority, Denied, Origin, Scope, StoredKey};

/// Proof that a recognised key holds permission `P`, and in which tenant it acts.
///
/// Only [`Principal::permit`](crate::Principal::permit) makes one. It cannot be copied, and what takes it takes the tenant from it: there is no way to
/// name another.
#[must_use = "a permit is there to be handed to what needs it"]
pub struct Permit<P> {
    holder: Arc<Holder>,
    scope: PhantomData<fn() -> P>,
}

impl<P: Scope> Permit<P> {
    pub(crate) fn of(holder: &Arc<Holder>) -> Self {
        Self { holder: Arc::clone(holder), scope: PhantomData }
    }

    /// The tenant whose things the holder may touch. Platform keys act on the default tenant.
    #[must_use]
    pub fn tenant(&self) -> TenantId {
        self.holder.tenant.id
    }

    /// That tenant, as it was when the key was recognised.
    #[must_use]
    pub fn tenant_then(&self) -> &Tenant {
        &self.holder.tenant
    }

    /// The key that asks.
    #[must_use]
    pub fn key_id(&self) -> ApiKeyId {
        self.holder.key().id
    }

    /// The tenant of the key that asks; a platform key has none.
    #[must_use]
    pub fn key_tenant(&self) -> Option<TenantId> {
        self.holder.key().authority.tenant
    }

    /// Whether the key's mail goes to a relay.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.holder.key().authority.mode
    }

    /// Where it asks from.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.holder.origin
    }

    /// Which API keys the holder may see and change.
    #[must_use]
    pub fn reach(&self) -> Reach {
        match self.holder.confined_to() {
            Some(tenant) => Reach::Tenant(tenant),
            None if self.holder.key().authority.is_platform_admin() => Reach::Everything,
            None => Reach::Platform,
        }
    }

    /// The same permit by what the key is *now*: for a store that has locked the key's row, so that two who work at once cannot get round each other.
    ///
    /// `current` is the key under the lock; the environment's, which has no row, is what it was.
    ///
    /// # Errors
    ///
    /// [`Denied`] where the key is no longer live, no longer holds the permission, may no longer be used from there, or acts for another tenant and is
    /// no longer a platform key that holds `*`.
    pub fn renewed(&self, current: Option<&ApiKey>, now: OffsetDateTime) -> Result<Self, Denied> {
        if self.key_id() == ApiKeyId::DEFAULT {
            return Ok(Self::of(&self.holder));
        }
        let key = current.filter(|current| self.still_stands(current, now)).ok_or(Denied::Permission(P::PERMISSION))?.clone();
        let stored = Arc::new(StoredKey { key, ..StoredKey::clone(&self.holder.stored) });
        Ok(Self::of(&Arc::new(Holder { stored, ..Holder::clone(&self.holder) })))
    }

    /// Whether `key` is the holder's, would still be recognised, and would still get this permit.
    fn still_stands(&self, key: &ApiKey, now: OffsetDateTime) -> bool {
        let Authority { tenant, permissions, allowed_ips, .. } = &key.authority;
        key.id == self.key_id()
            && key.is_live(now)
            && *tenant == self.key_tenant()
            && permissions.holds(P::PERMISSION)
            && allowed_ips.allows(&self.holder.origin.address)
            && (!self.holder.acts_for_another || key.authority.is_platform_admin())
    }

    pub(crate) fn holder(&self) -> &Holder {
        &self.holder
    }
}

impl<P: Scope> fmt::Debug for Permit<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Permit({}, {}, {})", P::PERMISSION, self.tenant(), self.key_id())
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
    holder: Arc<Holder>,
    scope: PhantomData<fn() -> P>,
}

impl<P: Scope> PlatformPermit<P> {
    pub(crate) fn of(holder: &Arc<Holder>) -> Self {
        Self { holder: Arc::clone(holder), scope: PhantomData }
    }

    /// The key that asks.
    #[must_use]
    pub fn key_id(&self) -> ApiKeyId {
        self.holder.key().id
    }

    /// Where it asks from.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.holder.origin
    }

    /// The same permit by what the key is *now*, as [`Permit::renewed`] has it.
    ///
    /// # Errors
    ///
    /// As for [`Permit::renewed`].
    pub fn renewed(&self, current: Option<&ApiKey>, now: OffsetDateTime) -> Result<Self, Denied> {
        Permit::<P>::of(&self.holder).renewed(current, now).map(|renewed| Self::of(&renewed.holder))
    }

    pub(crate) fn holder(&self) -> &Holder {
        &self.holder
    }
}

impl<P: Scope> fmt::Debug for PlatformPermit<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PlatformPermit({}, {})", P::PERMISSION, self.key_id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{self, NOW};
    use crate::{Allowed, Permission, Principal, needs};

    fn stored(change: impl FnOnce(&mut ApiKey)) -> ApiKey {
        let authority =
            Authority { permissions: [Permission::ApiKeysWrite, Permission::Send].into_iter().collect(), ..Authority::everything() };
        let id = "key_01h455vb4pex5vsknk084sn02q".parse().unwrap();
        let mut key = ApiKey { id, authority, ..ApiKey::environment(NOW) };
        change(&mut key);
        key
    }

    #[test]
    fn a_permit_is_renewed_by_what_the_key_is_now() {
        let permit = model::recognised(stored(|_| {})).unwrap().permit::<needs::ApiKeysWrite>().unwrap();
        let renewed = permit.renewed(Some(&stored(|key| key.authority.permissions = Permission::ApiKeysWrite.into())), NOW).unwrap();
        assert_eq!(renewed.holder().key().authority.permissions, Permission::ApiKeysWrite.into());
        let denied = Denied::Permission(Permission::ApiKeysWrite);
        let changes: [fn(&mut ApiKey); 7] = [
            |key| key.authority.permissions = Permission::Send.into(),
            |key| key.revoked_at = Some(NOW),
            |key| key.enabled = false,
            |key| key.authority.expires_at = Some(NOW),
            |key| key.authority.allowed_ips = Allowed::Only(vec!["198.51.100.0/24".parse().unwrap()]),
            |key| key.authority.tenant = Some(TenantId::DEFAULT),
            |key| key.id = "key_01h455vb4pex5vsknk084sn03q".parse().unwrap(),
        ];
        for change in changes {
            assert_eq!(permit.renewed(Some(&stored(change)), NOW).unwrap_err(), denied);
        }
        assert_eq!(permit.renewed(None, NOW).unwrap_err(), denied);
    }

    #[test]
    fn the_environment_s_key_has_no_row_and_stays_what_it_is() {
        let principal = model::recognised(ApiKey::environment(NOW)).unwrap();
        assert!(principal.permit::<needs::ApiKeysWrite>().unwrap().renewed(None, NOW).is_ok());
        assert!(principal.platform_permit::<needs::All>().unwrap().renewed(None, NOW).is_ok());
    }

    #[test]
    fn a_permit_says_what_it_is_of_and_whose() {
        let principal = model::recognised(ApiKey::environment(NOW)).unwrap();
        let (permit, platform) = (principal.permit::<needs::Send>().unwrap(), principal.platform_permit::<needs::LogsRead>().unwrap());
        assert_eq!(format!("{permit:?}"), "Permit(send, tenant_default, key_default)");
        assert_eq!(format!("{platform:?}"), "PlatformPermit(logs:read, key_default)");
        assert_eq!((permit.key_id(), platform.key_id()), (ApiKeyId::DEFAULT, ApiKeyId::DEFAULT));
        assert_eq!((permit.origin(), platform.origin()), (principal.origin().as_ref(), principal.origin().as_ref()));
        assert_eq!((permit.key_tenant(), permit.mode(), permit.tenant_then().id), (None, Mode::Live, permit.tenant()));
        let [tenant, _] = model::tenants();
        let key = ApiKey {
            authority: Authority { tenant: Some(tenant), mode: Mode::Test, ..Authority::everything() },
            ..ApiKey::environment(NOW)
        };
        let permit = model::recognised(key).unwrap().permit::<needs::Send>().unwrap();
        assert_eq!((permit.key_tenant(), permit.mode(), permit.tenant()), (Some(tenant), Mode::Test, tenant));
    }

    #[test]
    fn who_acts_for_another_tenant_has_to_hold_the_wildcard_still() {
        let [other, _] = model::tenants();
        let admin = |key: &mut ApiKey| key.authority = Authority::everything();
        let platform = model::recognised(stored(admin)).unwrap().platform_permit::<needs::All>().unwrap();
        let permit = Principal::acting_for(&platform, model::tenant(other)).permit::<needs::ApiKeysWrite>().unwrap();
        assert_eq!(permit.renewed(Some(&stored(admin)), NOW).unwrap().reach(), Reach::Tenant(other));
        // It still holds the permission itself, on the platform.
        assert_eq!(permit.renewed(Some(&stored(|_| {})), NOW).unwrap_err(), Denied::Permission(Permission::ApiKeysWrite));
    }

    #[test]
    fn a_platform_permit_is_renewed_for_a_platform_key_alone() {
        let admin = |key: &mut ApiKey| key.authority = Authority::everything();
        let permit = model::recognised(stored(admin)).unwrap().platform_permit::<needs::All>().unwrap();
        assert!(permit.renewed(Some(&stored(admin)), NOW).is_ok());
        let [tenant, _] = model::tenants();
        let moved = stored(|key| key.authority = Authority { tenant: Some(tenant), ..Authority::everything() });
        assert_eq!(permit.renewed(Some(&moved), NOW).unwrap_err(), Denied::Permission(Permission::All));
        assert_eq!(permit.renewed(Some(&stored(|_| {})), NOW).unwrap_err(), Denied::Permission(Permission::All));
    }
}
