//! A key that was recognised.

use std::sync::Arc;

use selfmx_domain::{RateLimit, Tenant, TenantId};
use time::OffsetDateTime;

use crate::{ApiKey, Denied, Origin, Permit, PlatformPermit, Refused, Scope, Secret, StoredKey, Unrecognised};

/// What counts at the moment in which a key is presented.
#[derive(Clone, Debug)]
pub struct Moment {
    /// The store's time.
    pub now: OffsetDateTime,
    /// Where the request comes from.
    pub origin: Arc<Origin>,
    /// The rate of a key for which neither the key nor its tenant says another.
    pub usual_rate: RateLimit,
}

/// A key that was recognised by its secret and may be used from where it was presented.
#[derive(Clone, Debug)]
pub struct Principal {
    holder: Arc<Holder>,
}

/// Who holds a permit: the key, the tenant that it acts for, and where it asks from.
#[derive(Clone, Debug)]
pub(crate) struct Holder {
    pub(crate) stored: Arc<StoredKey>,
    pub(crate) tenant: Arc<Tenant>,
    /// A platform key acts for a tenant that its path names.
    pub(crate) acts_for_another: bool,
    pub(crate) origin: Arc<Origin>,
    pub(crate) usual_rate: RateLimit,
}

impl Principal {
    /// Recognises the key that `secret` belongs to.
    ///
    /// `stored` is what a store found by the secret's digest; the digests are compared once more here, in constant time, so that a store's look-up (by
    /// an index, a prefix or a cache) need not be trusted.
    ///
    /// # Errors
    ///
    /// [`Refused::Unrecognised`] where the digests differ or the key is switched off, revoked or expired, which are not told apart;
    /// [`Refused::Address`] where the key may not be used from there.
    pub fn recognise(secret: &Secret, stored: &Arc<StoredKey>, moment: &Moment) -> Result<Self, Refused> {
        let matches = stored.digests.matches(&secret.digest(), moment.now);
        if !(matches & stored.key.is_live(moment.now)) {
            return Err(Unrecognised.into());
        }
        if !stored.key.authority.allowed_ips.allows(&moment.origin.address) {
            return Err(Refused::Address { key: stored.key.id, tenant: stored.tenant.id });
        }
        let holder = Holder {
            stored: Arc::clone(stored),
            tenant: Arc::clone(&stored.tenant),
            acts_for_another: false,
            origin: Arc::clone(&moment.origin),
            usual_rate: moment.usual_rate,
        };
        Ok(Self { holder: Arc::new(holder) })
    }

    /// The same key, acting for a tenant that it names: what it may do there is what a key of that tenant with `*` may.
    ///
    /// That the tenant exists is for the store to say, which gives it out for the same permit.
    #[must_use]
    pub fn acting_for(permit: &PlatformPermit<crate::needs::All>, tenant: Arc<Tenant>) -> Self {
        let holder = Holder { tenant, acts_for_another: true, ..permit.holder().clone() };
        Self { holder: Arc::new(holder) }
    }

    /// The key itself.
    #[must_use]
    pub fn key(&self) -> &ApiKey {
        &self.holder.stored.key
    }

    /// The tenant that it acts for.
    #[must_use]
    pub fn tenant(&self) -> &Tenant {
        &self.holder.tenant
    }

    /// The tenant of the key itself, whomever it acts for: the default tenant for a platform key.
    #[must_use]
    pub fn key_tenant(&self) -> &Tenant {
        &self.holder.stored.tenant
    }

    /// Where it asks from.
    #[must_use]
    pub fn origin(&self) -> &Arc<Origin> {
        &self.holder.origin
    }

    /// How many requests the key may make: its own limit or what counts where it has none, and no more than its tenant's.
    #[must_use]
    pub fn rate_limit(&self) -> RateLimit {
        self.holder.rate_limit()
    }

    /// Asks for the permit that `P` stands for.
    ///
    /// # Errors
    ///
    /// [`Denied`] names the permission where the key does not hold it.
    pub fn permit<P: Scope>(&self) -> Result<Permit<P>, Denied> {
        if self.key().authority.permissions.holds(P::PERMISSION) {
            return Ok(Permit::of(&self.holder));
        }
        Err(Denied::Permission(P::PERMISSION))
    }

    /// Asks for the permit that `P` stands for, across tenants.
    ///
    /// # Errors
    ///
    /// [`Denied`] where the key does not hold the permission, or holds it for its tenant only.
    pub fn platform_permit<P: Scope>(&self) -> Result<PlatformPermit<P>, Denied> {
        if !self.key().authority.permissions.holds(P::PERMISSION) {
            return Err(Denied::Permission(P::PERMISSION));
        }
        if self.key().authority.tenant.is_some() || self.holder.acts_for_another {
            return Err(Denied::Platform(P::PERMISSION));
        }
        Ok(PlatformPermit::of(&self.holder))
    }
}

impl Holder {
    pub(crate) fn key(&self) -> &ApiKey {
        &self.stored.key
    }

    /// The tenant to which the holder is confined, by its key or by the path that it called.
    pub(crate) fn confined_to(&self) -> Option<TenantId> {
        if self.acts_for_another { Some(self.tenant.id) } else { self.key().authority.tenant }
    }

    /// What counts where the key itself says no rate.
    pub(crate) fn inherited_rate(&self) -> RateLimit {
        self.stored.tenant.profile.rate_limit.unwrap_or(self.usual_rate)
    }

    pub(crate) fn rate_limit(&self) -> RateLimit {
        let own = self.key().authority.rate_limit.unwrap_or_else(|| self.inherited_rate());
        match self.stored.tenant.profile.rate_limit {
            Some(ceiling) if !own.is_within(ceiling) => ceiling,
            _ => own,
        }
    }
}

#[cfg(test)]
mod tests {
    use selfmx_domain::TenantStatus;
    use time::{Duration, macros::datetime};

    use super::*;
    use crate::model::{self, NOW};
    use crate::{Allowed, Authority, KeyDigests, Permission, Reach, needs};

    fn recognised(change: impl FnOnce(&mut ApiKey)) -> Result<Principal, Refused> {
        let mut key = ApiKey::environment(NOW);
        change(&mut key);
        model::recognised(key)
    }

    #[test]
    fn only_the_right_secret_of_a_live_key_is_recognised() {
        assert!(recognised(|_| {}).is_ok());
        let unrecognised = Refused::Unrecognised(Unrecognised);
        assert_eq!(recognised(|key| key.revoked_at = Some(NOW)).unwrap_err(), unrecognised);
        assert_eq!(recognised(|key| key.enabled = false).unwrap_err(), unrecognised);
        assert_eq!(recognised(|key| key.authority.expires_at = Some(NOW)).unwrap_err(), unrecognised);
        assert!(recognised(|key| key.authority.expires_at = Some(NOW + Duration::NANOSECOND)).is_ok());
        let (mine, other) = (Secret::chosen("0123456789abcdef").unwrap(), Secret::chosen("0123456789abcdeg").unwrap());
        let stored = Arc::new(StoredKey {
            digests: KeyDigests::only(other.digest()),
            key: ApiKey::environment(NOW),
            tenant: model::tenant(TenantId::DEFAULT),
        });
        assert_eq!(Principal::recognise(&mine, &stored, &model::moment()).unwrap_err(), unrecognised);
    }

    #[test]
    fn a_key_is_refused_from_where_it_may_not_be_used() {
        let only = |text: &str| Allowed::Only(vec![text.parse().unwrap()]);
        assert!(recognised(|key| key.authority.allowed_ips = only("192.0.2.0/24")).is_ok());
        let refused = Refused::Address { key: selfmx_domain::ApiKeyId::DEFAULT, tenant: TenantId::DEFAULT };
        assert_eq!(recognised(|key| key.authority.allowed_ips = only("198.51.100.0/24")).unwrap_err(), refused);
        // Whoever has no valid secret learns nothing of where the key may be used from.
        let revoked = recognised(|key| {
            key.authority.allowed_ips = only("198.51.100.0/24");
            key.revoked_at = Some(NOW);
        });
        assert_eq!(revoked.unwrap_err(), Refused::Unrecognised(Unrecognised));
    }

    #[test]
    fn a_permit_is_given_for_what_is_held_and_names_what_is_missing() {
        let principal = recognised(|key| key.authority.permissions = Permission::Send.into()).unwrap();
        assert!(principal.permit::<needs::Send>().is_ok());
        assert_eq!(principal.permit::<needs::LogsRead>().unwrap_err(), Denied::Permission(Permission::LogsRead));
        assert_eq!(principal.permit::<needs::All>().unwrap_err(), Denied::Permission(Permission::All));
    }

    #[test]
    fn a_tenant_s_wildcard_never_spans_tenants() {
        let [mine, _] = model::tenants();
        let principal = recognised(|key| key.authority.tenant = Some(mine)).unwrap();
        let permit = principal.permit::<needs::All>().unwrap();
        assert_eq!((permit.tenant(), permit.reach()), (mine, Reach::Tenant(mine)));
        assert_eq!(principal.platform_permit::<needs::All>().unwrap_err(), Denied::Platform(Permission::All));
        assert!(!principal.key().authority.is_platform_admin());
    }

    #[test]
    fn a_platform_key_reaches_all_keys_only_by_the_wildcard() {
        let admin = recognised(|_| {}).unwrap();
        assert_eq!(admin.permit::<needs::ApiKeysRead>().unwrap().reach(), Reach::Everything);
        assert!(admin.platform_permit::<needs::All>().is_ok());
        let reader = recognised(|key| key.authority.permissions = Permission::ApiKeysRead.into()).unwrap();
        assert_eq!(reader.permit::<needs::ApiKeysRead>().unwrap().reach(), Reach::Platform);
        assert_eq!(reader.platform_permit::<needs::All>().unwrap_err(), Denied::Permission(Permission::All));
        assert_eq!(reader.permit::<needs::ApiKeysRead>().unwrap().tenant(), TenantId::DEFAULT);
    }

    #[test]
    fn acting_for_a_tenant_confines_the_platform_to_it() {
        let [other, _] = model::tenants();
        let admin = recognised(|_| {}).unwrap();
        let acting = Principal::acting_for(&admin.platform_permit().unwrap(), model::tenant(other));
        let permit = acting.permit::<needs::ApiKeysWrite>().unwrap();
        assert_eq!((permit.tenant(), permit.reach(), acting.tenant().id), (other, Reach::Tenant(other), other));
        assert_eq!(acting.platform_permit::<needs::All>().unwrap_err(), Denied::Platform(Permission::All));
        assert_eq!(acting.key().id, admin.key().id);
    }

    #[test]
    fn the_rate_is_the_key_s_own_within_its_tenant_s_or_else_what_is_usual() {
        let rate = |own: Option<u32>, tenants: Option<u32>| {
            let key = ApiKey {
                authority: Authority { rate_limit: own.map(RateLimit::per_minute), ..Authority::everything() },
                ..ApiKey::environment(NOW)
            };
            let mut tenant = model::tenant(TenantId::DEFAULT).as_ref().clone();
            tenant.profile.rate_limit = tenants.map(RateLimit::per_minute);
            tenant.status = TenantStatus::Suspended { since: datetime!(2026-01-01 00:00 UTC) };
            model::recognised_in(key, Arc::new(tenant)).unwrap().rate_limit().requests()
        };
        assert_eq!(rate(None, None), 100);
        assert_eq!(rate(Some(500), None), 500);
        assert_eq!(rate(None, Some(7)), 7);
        assert_eq!((rate(Some(5), Some(7)), rate(Some(9), Some(7)), rate(Some(0), Some(7))), (5, 7, 7));
        assert_eq!((rate(Some(0), None), rate(Some(0), Some(0)), rate(Some(9), Some(0))), (0, 0, 9));
    }
}
