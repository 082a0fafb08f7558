//! What this crate refuses, and why.

use selfmx_domain::{ApiKeyId, Domain, Problem, RateLimit, TenantId};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::{Excess, Permission};

/// The secret is of no key that is to be recognised. It does not say why, so that no answer can: unknown, revoked and expired look the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the API key is not valid")]
pub struct Unrecognised;

/// Why a key that was presented is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is no key that is to be recognised.
    #[error(transparent)]
    Unrecognised(#[from] Unrecognised),
    /// It is valid, and may not be used from where it was presented.
    #[error("this API key may not be used from this address")]
    Address {
        /// The key.
        key: ApiKeyId,
        /// The tenant that it acts for.
        tenant: TenantId,
    },
}

/// The key was recognised and may not do this.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// It does not hold the permission.
    #[error("this needs the permission `{0}`, which the API key does not hold")]
    Permission(Permission),
    /// It belongs to a tenant, and this is the platform's to do.
    #[error("this needs a platform key (one without a tenant) that holds `{0}`")]
    Platform(Permission),
    /// Its mail may not come from this sender.
    #[error("this API key may not send mail from this address")]
    Sender,
    /// The tenant's mail has to come from its domain.
    #[error("mail of this tenant has to come from an address at {0}")]
    Domain(Domain),
    /// It may only send certain templates, and this is none of them.
    #[error("this API key may only send by the templates that it is limited to")]
    Template,
    /// The tenant is suspended.
    #[error("this tenant is suspended: it can send again when the platform resumes it")]
    Suspended,
}

impl Denied {
    /// The permission that is needed, where one is missing.
    #[must_use]
    pub const fn permission(&self) -> Option<Permission> {
        match self {
            Self::Permission(permission) | Self::Platform(permission) => Some(*permission),
            Self::Sender | Self::Domain(_) | Self::Template | Self::Suspended => None,
        }
    }
}

/// A key that was asked for would do more than its maker, or make no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// The maker does not hold the permission itself.
    #[error("a key can only grant permissions that it holds itself, and this one does not hold `{0}`")]
    Permission(Permission),
    /// The maker may not make keys for that tenant.
    #[error(transparent)]
    Tenant(Denied),
    /// The maker expires, and the key would outlive it.
    #[error("the key must expire no later than the key that grants it, at {}", written(.0))]
    Expiry(OffsetDateTime),
    /// The maker is a test key, and the key would send for real.
    #[error("a test key can only grant test keys")]
    Mode,
    /// The key could be used from more addresses than its maker.
    #[error("a key can only grant addresses that it may be used from itself")]
    Ips,
    /// The key's mail could come from more senders than its maker's.
    #[error("a key can only grant senders that its own mail may come from")]
    Senders,
    /// The key could send more templates than its maker.
    #[error("a key can only grant templates that it may send itself")]
    Templates,
    /// The key could make more requests than its maker.
    #[error("a key can only grant as many requests as it may make itself: {} per minute", per_minute(*.0))]
    Rate(RateLimit),
    /// The key is revoked, and stays what it was.
    #[error("this key is revoked: it can be neither changed nor rotated; make a new one")]
    Revoked,
    /// A former secret is not recognised for so long.
    #[error("must be 0..2592000 seconds (30 days)")]
    Grace,
    /// A value that makes no sense whoever asks.
    #[error("{problem}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        problem: Problem,
    },
}

impl From<Excess> for GrantError {
    fn from(excess: Excess) -> Self {
        match excess {
            Excess::Permission(permission) => Self::Permission(permission),
            Excess::Tenant => Self::Tenant(Denied::Platform(Permission::All)),
            Excess::Mode => Self::Mode,
            Excess::Expiry(limit) => Self::Expiry(limit),
            Excess::Ips => Self::Ips,
            Excess::Senders => Self::Senders,
            Excess::Templates => Self::Templates,
            Excess::Rate(limit) => Self::Rate(limit),
        }
    }
}

/// A time as requests write it.
fn written(time: &OffsetDateTime) -> String {
    time.format(&Rfc3339).unwrap_or_else(|_| time.to_string())
}

/// A rate as requests write it, rounded down.
fn per_minute(limit: RateLimit) -> String {
    match limit {
        RateLimit::Unlimited => "any number of".to_owned(),
        RateLimit::AtMost(rate) => (u64::from(rate.requests().get()) * 60 / u64::from(rate.seconds().get())).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use selfmx_domain::Rate;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn limits_are_written_as_requests_write_them() {
        let refused = GrantError::Expiry(datetime!(2030-01-01 00:00 UTC)).to_string();
        assert!(refused.ends_with("at 2030-01-01T00:00:00Z"), "{refused}");
        let rate = |requests, seconds| RateLimit::AtMost(Rate::new(NonZeroU32::new(requests).unwrap(), NonZeroU32::new(seconds).unwrap()));
        assert!(GrantError::Rate(rate(10, 20)).to_string().ends_with("30 per minute"));
    }

    #[test]
    fn only_a_missing_permission_is_named() {
        assert_eq!(Denied::Permission(Permission::Send).permission(), Some(Permission::Send));
        assert_eq!(Denied::Platform(Permission::All).permission(), Some(Permission::All));
        for denied in [Denied::Sender, Denied::Template, Denied::Suspended, Denied::Domain(Domain::localhost())] {
            assert_eq!(denied.permission(), None);
        }
    }
}
