//! A key that was recognised.

use std::sync::Arc;

use time::OffsetDateTime;

use crate::{ApiKey, Denied, Permit, PlatformPermit, Scope, Secret, StoredKey, Unrecognised};

/// A key that was recognised by its secret.
#[derive(Clone, Debug)]
pub struct Principal {
    key: Arc<ApiKey>,
}

impl Principal {
    /// Recognises the key that `secret` belongs to.
    ///
    /// `stored` is what a store found by the secret's digest; the digests are compared once more here, in constant time, so that a store's look-up (by
    /// an index, a prefix or a cache) need not be trusted. `now` is the store's time.
    ///
    /// # Errors
    ///
    /// [`Unrecognised`] where the digests differ or the key is revoked or expired.
    pub fn recognise(secret: &Secret, stored: StoredKey, now: OffsetDateTime) -> Result<Self, Unrecognised> {
        let matches = stored.digest.matches(&secret.digest());
        if matches && stored.key.is_live(now) {
            return Ok(Self { key: Arc::new(stored.key) });
        }
        Err(Unrecognised)
    }

    /// The key itself.
    #[must_use]
    pub fn key(&self) -> &ApiKey {
        &self.key
    }

    /// Asks for the permit that `P` stands for.
    ///
    /// # Errors
    ///
    /// [`Denied`] names the permission where the key does not hold it.
    pub fn permit<P: Scope>(&self) -> Result<Permit<P>, Denied> {
        if self.key.permissions.holds(P::PERMISSION) {
            return Ok(Permit::of(&self.key));
        }
        Err(Denied::Permission(P::PERMISSION))
    }

    /// Asks for the permit that `P` stands for, across tenants.
    ///
    /// # Errors
    ///
    /// [`Denied`] where the key does not hold the permission, or holds it for its tenant only.
    pub fn platform_permit<P: Scope>(&self) -> Result<PlatformPermit<P>, Denied> {
        if !self.key.permissions.holds(P::PERMISSION) {
            return Err(Denied::Permission(P::PERMISSION));
        }
        if self.key.tenant.is_some() {
            return Err(Denied::Platform(P::PERMISSION));
        }
        Ok(PlatformPermit::of(&self.key))
    }
}

#[cfg(test)]
mod tests {
    use selfmx_domain::TenantId;
    use time::{Duration, macros::datetime};

    use super::*;
    use crate::{Permission, Reach, needs};

    const NOW: OffsetDateTime = datetime!(2026-01-01 00:00 UTC);

    fn recognised(change: impl FnOnce(&mut ApiKey)) -> Result<Principal, Unrecognised> {
        let secret = Secret::chosen("0123456789abcdef").unwrap();
        let mut key = ApiKey::environment(NOW);
        change(&mut key);
        Principal::recognise(&secret, StoredKey { digest: secret.digest(), key }, NOW)
    }

    fn tenant() -> Option<TenantId> {
        Some("tenant_01h455vb4pex5vsknk084sn02q".parse().unwrap())
    }

    #[test]
    fn only_the_right_secret_of_a_live_key_is_recognised() {
        assert!(recognised(|_| {}).is_ok());
        assert_eq!(recognised(|key| key.revoked_at = Some(NOW)).unwrap_err(), Unrecognised);
        assert_eq!(recognised(|key| key.expires_at = Some(NOW)).unwrap_err(), Unrecognised);
        assert_eq!(recognised(|key| key.expires_at = Some(NOW - Duration::SECOND)).unwrap_err(), Unrecognised);
        assert!(recognised(|key| key.expires_at = Some(NOW + Duration::NANOSECOND)).is_ok());
        let (mine, other) = (Secret::chosen("0123456789abcdef").unwrap(), Secret::chosen("0123456789abcdeg").unwrap());
        let stored = StoredKey { digest: other.digest(), key: ApiKey::environment(NOW) };
        assert_eq!(Principal::recognise(&mine, stored, NOW).unwrap_err(), Unrecognised);
    }

    #[test]
    fn a_permit_is_given_for_what_is_held_and_names_what_is_missing() {
        let principal = recognised(|key| key.permissions = Permission::Send.into()).unwrap();
        assert!(principal.permit::<needs::Send>().is_ok());
        assert_eq!(principal.permit::<needs::LogsRead>().unwrap_err(), Denied::Permission(Permission::LogsRead));
        assert_eq!(principal.permit::<needs::All>().unwrap_err(), Denied::Permission(Permission::All));
    }

    #[test]
    fn a_tenant_s_wildcard_never_spans_tenants() {
        let principal = recognised(|key| key.tenant = tenant()).unwrap();
        let permit = principal.permit::<needs::All>().unwrap();
        assert_eq!((permit.tenant(), permit.reach()), (tenant().unwrap(), Reach::Tenant(tenant().unwrap())));
        assert_eq!(principal.platform_permit::<needs::All>().unwrap_err(), Denied::Platform(Permission::All));
        assert!(!principal.key().is_platform_admin());
    }

    #[test]
    fn a_platform_key_reaches_all_keys_only_by_the_wildcard() {
        let admin = recognised(|_| {}).unwrap();
        assert_eq!(admin.permit::<needs::ApiKeysRead>().unwrap().reach(), Reach::Everything);
        assert!(admin.platform_permit::<needs::All>().is_ok());
        let reader = recognised(|key| key.permissions = Permission::ApiKeysRead.into()).unwrap();
        assert_eq!(reader.permit::<needs::ApiKeysRead>().unwrap().reach(), Reach::Platform);
        assert_eq!(reader.platform_permit::<needs::All>().unwrap_err(), Denied::Permission(Permission::All));
        assert_eq!(reader.permit::<needs::ApiKeysRead>().unwrap().tenant(), TenantId::DEFAULT);
    }
}
