//! What a key may do, in every dimension, and how two keys compare.

use selfmx_domain::{Mode, RateLimit, TemplateId, TenantId};
use time::OffsetDateTime;

use crate::{Allowed, Network, Permission, PermissionSet, Sender};

/// What a key may do, in every dimension in which one key can do more than another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// The tenant that the key is confined to; a platform key has none and acts on the default tenant.
    pub tenant: Option<TenantId>,
    /// What it may do there.
    pub permissions: PermissionSet,
    /// Whether its mail goes to a relay.
    pub mode: Mode,
    /// From when on it is no longer recognised.
    pub expires_at: Option<OffsetDateTime>,
    /// Where it may be used from.
    pub allowed_ips: Allowed<Network>,
    /// Whom its mail may come from.
    pub allowed_senders: Allowed<Sender>,
    /// Which templates it may send; a key with such a list sends nothing without a template.
    pub allowed_templates: Allowed<TemplateId>,
    /// How many requests it may make; absent: as many as its tenant's or the server's limit says.
    pub rate_limit: Option<RateLimit>,
}

/// The dimension in which a key would do more than another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excess {
    /// It would hold this permission.
    Permission(Permission),
    /// It would act for another tenant, or for the platform.
    Tenant,
    /// Its mail would go to a relay.
    Mode,
    /// It would be recognised beyond this time.
    Expiry(OffsetDateTime),
    /// It could be used from more addresses.
    Ips,
    /// Its mail could come from more senders.
    Senders,
    /// It could send more templates.
    Templates,
    /// It could make more requests than this.
    Rate(RateLimit),
}

impl Authority {
    /// All that there is: a platform key that holds `*`.
    #[must_use]
    pub fn everything() -> Self {
        Self {
            tenant: None,
            permissions: Permission::All.into(),
            mode: Mode::Live,
            expires_at: None,
            allowed_ips: Allowed::Any,
            allowed_senders: Allowed::Any,
            allowed_templates: Allowed::Any,
            rate_limit: None,
        }
    }

    /// Whether it is a platform key's that holds `*`: it reaches every tenant.
    #[must_use]
    pub const fn is_platform_admin(&self) -> bool {
        self.tenant.is_none() && self.permissions.holds(Permission::All)
    }

    /// Whether whoever has this authority may give `other` away: it is no greater in any dimension.
    ///
    /// `inherited` is the rate that counts for this authority where it says none itself.
    ///
    /// # Errors
    ///
    /// [`Excess`] is the first dimension in which `other` is greater.
    pub fn covers(&self, other: &Self, inherited: RateLimit) -> Result<(), Excess> {
        if let Some(missing) = other.permissions.iter().find(|permission| !self.permissions.holds(*permission)) {
            return Err(Excess::Permission(missing));
        }
        if self.tenant != other.tenant && !self.is_platform_admin() {
            return Err(Excess::Tenant);
        }
        if (self.mode, other.mode) == (Mode::Test, Mode::Live) {
            return Err(Excess::Mode);
        }
        if let Some(limit) = self.expires_at.filter(|limit| other.expires_at.is_none_or(|wanted| wanted > *limit)) {
            return Err(Excess::Expiry(limit));
        }
        if !self.allowed_ips.includes(&other.allowed_ips) {
            return Err(Excess::Ips);
        }
        if !self.allowed_senders.includes(&other.allowed_senders) {
            return Err(Excess::Senders);
        }
        if !self.allowed_templates.includes(&other.allowed_templates) {
            return Err(Excess::Templates);
        }
        self.covers_rate(other.rate_limit, inherited)
    }

    /// A rate that is not said is whatever the tenant or the server says, now and later. Only the operator, who sets those as well, goes beyond it.
    fn covers_rate(&self, other: Option<RateLimit>, inherited: RateLimit) -> Result<(), Excess> {
        let limit = match self.rate_limit {
            Some(limit) => limit,
            None if other.is_none() || self.is_platform_admin() => return Ok(()),
            None => inherited,
        };
        match other {
            Some(wanted) if wanted.is_within(limit) => Ok(()),
            _ => Err(Excess::Rate(limit)),
        }
    }
}
