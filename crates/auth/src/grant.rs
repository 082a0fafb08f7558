//! Making a key from a key: the new one can do no more than its maker.

use selfmx_domain::{Mode, Name, Problem, TenantId};
use time::OffsetDateTime;

use crate::{ApiKey, Denied, GrantError, Permission, PermissionSet, Permit, needs};

/// A key that somebody asks for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The name.
    pub name: Name,
    /// What it is to be allowed.
    pub permissions: PermissionSet,
    /// The tenant that it is to be confined to; absent: the maker's own, or the platform.
    pub tenant: Option<TenantId>,
    /// Whether its mail goes to a relay; absent: as its maker's.
    pub mode: Option<Mode>,
    /// From when on it is no longer to be recognised.
    pub expires_at: Option<OffsetDateTime>,
}

/// A key that may be made: it was checked against its maker. Only [`Permit::grant`] makes one.
#[must_use = "a grant is there to be stored"]
#[derive(Debug)]
pub struct Grant {
    name: Name,
    permissions: PermissionSet,
    tenant: Option<TenantId>,
    mode: Mode,
    expires_at: Option<OffsetDateTime>,
}

impl Grant {
    /// The first key of a server that has none: a platform key that holds `*`.
    ///
    /// It needs no maker, so it takes the server's own authority.
    pub fn first(_system: &crate::System, name: Name) -> Self {
        Self { name, permissions: Permission::All.into(), tenant: None, mode: Mode::Live, expires_at: None }
    }

    /// The name.
    #[must_use]
    pub const fn name(&self) -> &Name {
        &self.name
    }

    /// What the key may do.
    #[must_use]
    pub const fn permissions(&self) -> PermissionSet {
        self.permissions
    }

    /// The tenant that the key is confined to.
    #[must_use]
    pub const fn tenant(&self) -> Option<TenantId> {
        self.tenant
    }

    /// Whether its mail goes to a relay.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// From when on it is no longer recognised.
    #[must_use]
    pub const fn expires_at(&self) -> Option<OffsetDateTime> {
        self.expires_at
    }
}

impl Permit<needs::ApiKeysWrite> {
    /// Checks a wanted key against its maker: child <= parent in every dimension.
    ///
    /// # Errors
    ///
    /// [`GrantError`] names the first dimension in which the new key would do more than its maker, or a value that makes no sense.
    pub fn grant(&self, wanted: Wanted, now: OffsetDateTime) -> Result<Grant, GrantError> {
        let maker = self.holder();
        if wanted.permissions.is_empty() {
            return Err(GrantError::Invalid { field: "permissions", problem: Problem::Empty });
        }
        if let Some(missing) = wanted.permissions.iter().find(|permission| !maker.permissions.holds(*permission)) {
            return Err(GrantError::Permission(missing));
        }
        Ok(Grant {
            tenant: tenant(maker, wanted.tenant)?,
            mode: mode(maker, wanted.mode)?,
            expires_at: expires_at(maker, wanted.expires_at, now)?,
            name: wanted.name,
            permissions: wanted.permissions,
        })
    }
}

fn tenant(maker: &ApiKey, wanted: Option<TenantId>) -> Result<Option<TenantId>, GrantError> {
    match wanted {
        None => Ok(maker.tenant),
        Some(_) if wanted == maker.tenant || maker.is_platform_admin() => Ok(wanted),
        Some(_) => Err(GrantError::Tenant(Denied::Platform(Permission::All))),
    }
}

fn mode(maker: &ApiKey, wanted: Option<Mode>) -> Result<Mode, GrantError> {
    match (maker.mode, wanted) {
        (Mode::Test, Some(Mode::Live)) => Err(GrantError::Mode),
        (mode, None) => Ok(mode),
        (_, Some(mode)) => Ok(mode),
    }
}

fn expires_at(maker: &ApiKey, wanted: Option<OffsetDateTime>, now: OffsetDateTime) -> Result<Option<OffsetDateTime>, GrantError> {
    if wanted.is_some_and(|wanted| wanted <= now) {
        return Err(GrantError::Invalid { field: "expires_at", problem: Problem::Past });
    }
    match maker.expires_at {
        Some(limit) if wanted.is_none_or(|wanted| wanted > limit) => Err(GrantError::Expiry(limit)),
        _ => Ok(wanted),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::Duration;
    use time::macros::datetime;

    use super::*;
    use crate::{Principal, Secret, StoredKey};

    const NOW: OffsetDateTime = datetime!(2026-01-01 00:00 UTC);

    fn tenants() -> [Option<TenantId>; 3] {
        [None, "tenant_01h455vb4pex5vsknk084sn02q".parse().ok(), "tenant_01h455vb4pex5vsknk084sn03q".parse().ok()]
    }

    fn maker(change: impl FnOnce(&mut ApiKey)) -> Permit<needs::ApiKeysWrite> {
        let secret = Secret::chosen("0123456789abcdef").unwrap();
        let mut key = ApiKey::environment(NOW);
        change(&mut key);
        Principal::recognise(&secret, StoredKey { digest: secret.digest(), key }, NOW).unwrap().permit().unwrap()
    }

    fn wanted() -> Wanted {
        Wanted { name: "n".parse().unwrap(), permissions: Permission::Send.into(), tenant: None, mode: None, expires_at: None }
    }

    #[test]
    fn no_permission_beyond_the_maker_s_own() {
        let writer = || maker(|key| key.permissions = [Permission::ApiKeysWrite, Permission::Send].into_iter().collect());
        assert!(writer().grant(wanted(), NOW).is_ok());
        let all = Wanted { permissions: Permission::All.into(), ..wanted() };
        assert_eq!(writer().grant(all.clone(), NOW).unwrap_err(), GrantError::Permission(Permission::All));
        assert!(maker(|_| {}).grant(all, NOW).is_ok());
        let none = Wanted { permissions: PermissionSet::default(), ..wanted() };
        assert!(matches!(maker(|_| {}).grant(none, NOW), Err(GrantError::Invalid { field: "permissions", .. })));
    }

    #[test]
    fn a_tenant_s_key_makes_keys_of_its_tenant() {
        let [_, mine, other] = tenants();
        let permit = maker(|key| key.tenant = mine);
        assert_eq!(permit.grant(wanted(), NOW).unwrap().tenant(), mine);
        assert_eq!(permit.grant(Wanted { tenant: mine, ..wanted() }, NOW).unwrap().tenant(), mine);
        assert!(matches!(permit.grant(Wanted { tenant: other, ..wanted() }, NOW), Err(GrantError::Tenant(_))));
        assert_eq!(maker(|_| {}).grant(Wanted { tenant: mine, ..wanted() }, NOW).unwrap().tenant(), mine);
        let narrow = maker(|key| key.permissions = [Permission::ApiKeysWrite, Permission::Send].into_iter().collect());
        assert!(matches!(narrow.grant(Wanted { tenant: mine, ..wanted() }, NOW), Err(GrantError::Tenant(_))));
    }

    proptest! {
        /// A naive model: whatever the child can do, at any time and in any tenant, its maker can.
        #[test]
        fn no_child_can_do_what_its_maker_cannot(
            parent_bits in 0_u32..512, child_bits in 1_u32..512, parent_tenant in 0_usize..3, child_tenant in 0_usize..3, test_parent: bool, child_mode in 0_usize..3,
            parent_expiry in proptest::option::of(1_i64..100), child_expiry in proptest::option::of(-50_i64..150),
        ) {
            let pick = |bits: u32| -> PermissionSet { Permission::ALL.iter().enumerate().filter(|(index, _)| bits >> index & 1 == 1).map(|(_, permission)| *permission).collect() };
            let held: PermissionSet = pick(parent_bits).iter().chain([Permission::ApiKeysWrite]).collect();
            let expiry = |seconds: Option<i64>| seconds.map(|seconds| NOW + Duration::seconds(seconds));
            let permit = maker(|key| {
                key.permissions = held;
                key.tenant = tenants()[parent_tenant];
                key.expires_at = expiry(parent_expiry);
                if test_parent {
                    key.mode = Mode::Test;
                }
            });
            let parent = permit.holder();
            let wanted = Wanted {
                permissions: pick(child_bits),
                tenant: tenants()[child_tenant],
                mode: [None, Some(Mode::Live), Some(Mode::Test)][child_mode],
                expires_at: expiry(child_expiry),
                ..wanted()
            };
            let allowed = wanted.permissions.iter().all(|permission| held.iter().any(|own| own == permission || own == Permission::All))
                && (wanted.tenant.is_none() || wanted.tenant == parent.tenant || (parent.tenant.is_none() && held.iter().any(|own| own == Permission::All)))
                && !(test_parent && wanted.mode == Some(Mode::Live))
                && wanted.expires_at.is_none_or(|at| at > NOW)
                && parent.expires_at.is_none_or(|limit| wanted.expires_at.is_some_and(|at| at <= limit));
            let grant = permit.grant(wanted.clone(), NOW);
            prop_assert_eq!(grant.is_ok(), allowed);
            let Ok(grant) = grant else { return Ok(()) };
            prop_assert_eq!(grant.permissions(), wanted.permissions);
            prop_assert_eq!(grant.tenant(), wanted.tenant.or(parent.tenant));
            prop_assert_eq!(grant.mode() == Mode::Live, wanted.mode.unwrap_or(parent.mode) == Mode::Live);
            prop_assert_eq!(grant.expires_at(), wanted.expires_at);
        }
    }
}
