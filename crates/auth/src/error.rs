//! What this crate refuses, and why.

use selfmx_domain::Problem;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::Permission;

/// The secret is of no key that is to be recognised. It does not say why, so that no answer can: unknown, revoked and expired look the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the API key is not valid")]
pub struct Unrecognised;

/// The key was recognised and may not do this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// It does not hold the permission.
    #[error("this needs the permission `{0}`, which the API key does not hold")]
    Permission(Permission),
    /// It belongs to a tenant, and this is the platform's to do.
    #[error("this needs a platform key (one without a tenant) that holds `{0}`")]
    Platform(Permission),
}

impl Denied {
    /// The permission that is needed.
    #[must_use]
    pub const fn permission(self) -> Permission {
        match self {
            Self::Permission(permission) | Self::Platform(permission) => permission,
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
    Tenant(#[from] Denied),
    /// The maker expires, and the new key would outlive it.
    #[error("the new key must expire no later than the key that makes it, at {}", written(.0))]
    Expiry(OffsetDateTime),
    /// The maker is a test key, and the new key would send for real.
    #[error("a test key can only make test keys")]
    Mode,
    /// A value that makes no sense whoever asks.
    #[error("{problem}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        problem: Problem,
    },
}

/// A time as requests write it.
fn written(time: &OffsetDateTime) -> String {
    time.format(&Rfc3339).unwrap_or_else(|_| time.to_string())
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn the_latest_end_is_written_as_requests_write_it() {
        let refused = GrantError::Expiry(datetime!(2030-01-01 00:00 UTC)).to_string();
        assert!(refused.ends_with("at 2030-01-01T00:00:00Z"), "{refused}");
    }
}
