//! Making a key from a key: the new one can do no more than its maker.

use selfmx_domain::{Mode, Name, Problem, RateLimit, TemplateId, TenantId};
use time::OffsetDateTime;

use crate::{Allowed, Authority, GrantError, Network, PermissionSet, Permit, Sender, System, needs};

/// A key that somebody asks for. What is absent is as its maker's.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The name.
    pub name: Name,
    /// What it is to be allowed.
    pub permissions: PermissionSet,
    /// The tenant that it is to be confined to.
    pub tenant: Option<TenantId>,
    /// Whether its mail goes to a relay.
    pub mode: Option<Mode>,
    /// From when on it is no longer to be recognised.
    pub expires_at: Option<OffsetDateTime>,
    /// Where it may be used from.
    pub allowed_ips: Option<Vec<Network>>,
    /// Whom its mail may come from.
    pub allowed_senders: Option<Vec<Sender>>,
    /// Which templates it may send.
    pub allowed_templates: Option<Vec<TemplateId>>,
    /// How many requests it may make.
    pub rate_limit: Option<RateLimit>,
}

impl Wanted {
    /// A key of which nothing else is said.
    #[must_use]
    pub const fn new(name: Name, permissions: PermissionSet) -> Self {
        Self {
            name,
            permissions,
            tenant: None,
            mode: None,
            expires_at: None,
            allowed_ips: None,
            allowed_senders: None,
            allowed_templates: None,
            rate_limit: None,
        }
    }
}

/// A key that may be made: it was checked against its maker. Only [`Permit::grant`] makes one, and the server itself.
#[must_use = "a grant is there to be stored"]
#[derive(Clone, Debug)]
pub struct Grant {
    name: Name,
    authority: Authority,
}

impl Grant {
    /// The first key of a server that has none: a platform key that holds `*`.
    ///
    /// It needs no maker, so it takes the server's own authority.
    pub fn first(_system: &System, name: Name) -> Self {
        Self { name, authority: Authority::everything() }
    }

    /// A key that the operator makes on the machine itself, by the server's own authority: nothing is beyond it.
    ///
    /// # Errors
    ///
    /// [`GrantError::Invalid`] where it makes no sense.
    pub fn by_system(_system: &System, wanted: Wanted, now: OffsetDateTime) -> Result<Self, GrantError> {
        granted(&Authority::everything(), None, wanted, now)
    }

    /// The name.
    #[must_use]
    pub const fn name(&self) -> &Name {
        &self.name
    }

    /// What the key may do.
    #[must_use]
    pub const fn authority(&self) -> &Authority {
        &self.authority
    }
}

impl Permit<needs::ApiKeysWrite> {
    /// Checks a wanted key against its maker: child <= parent in every dimension.
    ///
    /// # Errors
    ///
    /// [`GrantError`] names the first dimension in which the new key would do more than its maker, or a value that makes no sense.
    pub fn grant(&self, wanted: Wanted, now: OffsetDateTime) -> Result<Grant, GrantError> {
        let holder = self.holder();
        let grant = granted(&holder.key().authority, holder.confined_to(), wanted, now)?;
        self.check_covered(&grant.authority)?;
        Ok(grant)
    }

    /// Whether the holder may give this authority away: it is no greater than its own, and within the tenant that it is confined to.
    pub(crate) fn check_covered(&self, authority: &Authority) -> Result<(), GrantError> {
        let holder = self.holder();
        holder.key().authority.covers(authority, holder.inherited_rate())?;
        match holder.confined_to() {
            Some(tenant) if authority.tenant != Some(tenant) => Err(crate::Excess::Tenant.into()),
            _ => Ok(()),
        }
    }
}

/// The wanted key with what its maker gives where nothing is said.
fn granted(maker: &Authority, tenant: Option<TenantId>, wanted: Wanted, now: OffsetDateTime) -> Result<Grant, GrantError> {
    check_permissions(wanted.permissions)?;
    check_end(wanted.expires_at, now)?;
    let authority = Authority {
        tenant: wanted.tenant.or(tenant),
        permissions: wanted.permissions,
        mode: wanted.mode.unwrap_or(maker.mode),
        expires_at: wanted.expires_at.or(maker.expires_at),
        allowed_ips: wanted.allowed_ips.map_or_else(|| maker.allowed_ips.clone(), Allowed::Only),
        allowed_senders: wanted.allowed_senders.map_or_else(|| maker.allowed_senders.clone(), Allowed::Only),
        allowed_templates: wanted.allowed_templates.map_or_else(|| maker.allowed_templates.clone(), Allowed::Only),
        rate_limit: wanted.rate_limit.or(maker.rate_limit),
    };
    Ok(Grant { name: wanted.name, authority })
}

/// A key has to hold something.
pub(crate) fn check_permissions(permissions: PermissionSet) -> Result<(), GrantError> {
    if permissions.is_empty() {
        return Err(GrantError::Invalid { field: "permissions", problem: Problem::Empty });
    }
    Ok(())
}

/// An end has to be in the future when it is set.
pub(crate) fn check_end(wanted: Option<OffsetDateTime>, now: OffsetDateTime) -> Result<(), GrantError> {
    if wanted.is_some_and(|wanted| wanted <= now) {
        return Err(GrantError::Invalid { field: "expires_at", problem: Problem::Past });
    }
    Ok(())
}
