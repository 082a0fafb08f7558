//! Changing and rotating a key: what comes of it can do no more than the key that does it.

use std::time::Duration;

use selfmx_domain::{Change, Name, RateLimit, TemplateId};
use time::OffsetDateTime;

use crate::grant::{check_end, check_permissions};
use crate::{Allowed, ApiKey, Authority, GrantError, Network, PermissionSet, Permit, Sender, needs};

/// What is to be changed of a key. Its tenant and its mode stay what they are.
#[derive(Clone, Debug, Default)]
pub struct KeyChange {
    /// The name.
    pub name: Option<Name>,
    /// What it may do.
    pub permissions: Option<PermissionSet>,
    /// From when on it is no longer recognised.
    pub expires_at: Change<OffsetDateTime>,
    /// Where it may be used from.
    pub allowed_ips: Change<Vec<Network>>,
    /// Whom its mail may come from.
    pub allowed_senders: Change<Vec<Sender>>,
    /// Which templates it may send.
    pub allowed_templates: Change<Vec<TemplateId>>,
    /// How many requests it may make.
    pub rate_limit: Change<RateLimit>,
    /// Whether it is recognised at all.
    pub enabled: Option<bool>,
}

/// A key after a change that may be made: it was checked against the key that makes it. Only [`Permit::amend`] makes one.
#[must_use = "an amendment is there to be stored"]
#[derive(Clone, Debug)]
pub struct Amendment {
    name: Name,
    authority: Authority,
    enabled: bool,
}

impl Amendment {
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

    /// Whether it is recognised at all.
    #[must_use]
    pub const fn enabled(&self) -> bool {
        self.enabled
    }
}

/// A rotation that may be made. Only [`Permit::rotation`] makes one.
#[must_use = "a rotation is there to be stored"]
#[derive(Clone, Copy, Debug)]
pub struct Rotation {
    grace: Duration,
}

impl Rotation {
    /// The longest that a former secret may be recognised beside the new one.
    pub const MAX_GRACE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

    /// For how long the former secret is still recognised.
    #[must_use]
    pub const fn grace(self) -> Duration {
        self.grace
    }
}

impl Permit<needs::ApiKeysWrite> {
    /// Checks a change of the key `target`: afterwards it may do no more than the key that changes it. So no key widens itself.
    ///
    /// # Errors
    ///
    /// [`GrantError`] names the first dimension in which it would do more, or a value that makes no sense; [`GrantError::Revoked`] where it is revoked.
    pub fn amend(&self, target: &ApiKey, change: KeyChange, now: OffsetDateTime) -> Result<Amendment, GrantError> {
        check_alive(target)?;
        let old = target.authority.clone();
        let permissions = change.permissions.unwrap_or(old.permissions);
        check_permissions(permissions)?;
        check_end(change.expires_at.as_set().copied(), now)?;
        let authority = Authority {
            permissions,
            expires_at: change.expires_at.apply(old.expires_at),
            allowed_ips: changed(change.allowed_ips, old.allowed_ips),
            allowed_senders: changed(change.allowed_senders, old.allowed_senders),
            allowed_templates: changed(change.allowed_templates, old.allowed_templates),
            rate_limit: change.rate_limit.apply(old.rate_limit),
            ..old
        };
        self.check_covered(&authority)?;
        Ok(Amendment {
            name: change.name.unwrap_or_else(|| target.name.clone()),
            authority,
            enabled: change.enabled.unwrap_or(target.enabled),
        })
    }

    /// Checks a rotation of the key `target`: whoever gets its new secret gets all that it may do, so it may do no more than the key that rotates it.
    ///
    /// # Errors
    ///
    /// As for [`amend`](Self::amend); [`GrantError::Grace`] where the grace is too long.
    pub fn rotation(&self, target: &ApiKey, grace: Duration) -> Result<Rotation, GrantError> {
        check_alive(target)?;
        if grace > Rotation::MAX_GRACE {
            return Err(GrantError::Grace);
        }
        self.check_covered(&target.authority)?;
        Ok(Rotation { grace })
    }
}

const fn check_alive(target: &ApiKey) -> Result<(), GrantError> {
    match target.revoked_at {
        Some(_) => Err(GrantError::Revoked),
        None => Ok(()),
    }
}

fn changed<T>(change: Change<Vec<T>>, old: Allowed<T>) -> Allowed<T> {
    match change {
        Change::Keep => old,
        Change::Clear => Allowed::Any,
        Change::Set(members) => Allowed::Only(members),
    }
}
