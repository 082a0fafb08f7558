//! Decides, purely, who an API key is and what it may do.
//!
//! The model on one page:
//!
//! 1. A caller presents a [`Secret`]. Only its [`Digest`] leaves this crate for a store, which answers with the [`StoredKey`] that has it, or with nothing.
//! 2. [`Principal::recognise`] compares the two in constant time and looks at the key's state. A [`Principal`] is made nowhere else.
//! 3. A principal that holds permission `P` can be asked for a [`Permit<P>`](Permit); [`PlatformPermit<P>`](PlatformPermit) is another type, which no tenant's key ever gets.
//! 4. Whatever reads or changes data takes the permit, and the tenant comes out of it. There is nothing else to take it from.
//! 5. A permit to write keys makes a [`Grant`], after checking that the new key can do no more than its maker.
//!
//! ```
//! use std::sync::Arc;
//!
//! use selfmx_auth::{ApiKey, KeyDigests, Moment, Origin, Principal, Secret, StoredKey, needs};
//! use selfmx_domain::{RateLimit, Tenant, TenantId, TenantProfile, TenantStatus};
//! use time::macros::datetime;
//!
//! let now = datetime!(2026-01-01 00:00 UTC);
//! let profile = TenantProfile::named("Default".parse()?);
//! let tenant = Tenant { id: TenantId::DEFAULT, status: TenantStatus::Active, profile, created_at: now, updated_at: now };
//!
//! let secret = Secret::presented("a-default-key-of-one's-own").ok_or("malformed")?;
//! let stored = StoredKey { digests: KeyDigests::only(secret.digest()), key: ApiKey::environment(now), tenant: Arc::new(tenant) };
//! let origin = Origin::new("192.0.2.7".parse()?, Some("curl/8.5"), "req_1");
//! let moment = Moment { now, origin: Arc::new(origin), usual_rate: RateLimit::per_minute(100) };
//!
//! let principal = Principal::recognise(&secret, &Arc::new(stored), &moment)?;
//! let permit = principal.permit::<needs::Send>()?;
//! assert_eq!(permit.tenant().to_string(), "tenant_default");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Invariant: no I/O, no clock, no randomness of its own.
//!
//! Invariant: a [`Permit`] proves that a key which was recognised holds the permission; it can be neither copied nor made from outside.
//!
//! Invariant: a secret is never displayed, serialised or kept; `Debug` shows its prefix only.

mod allowed;
mod amend;
mod authority;
mod base62;
mod consent;
mod digest;
mod error;
mod grant;
mod key;
mod macros;
#[cfg(test)]
mod model;
mod origin;
mod permission;
mod permit;
mod principal;
mod secret;
mod system;

pub use allowed::{Allowed, Covers, Network, Sender};
pub use amend::{Amendment, KeyChange, Rotation};
pub use authority::{Authority, Excess};
pub use consent::Consented;
pub use digest::Digest;
pub use error::{Denied, GrantError, Refused, Unrecognised};
pub use grant::{Grant, Wanted};
pub use key::{ApiKey, KeyDigests, KeySource, KeyUse, StoredKey};
pub use origin::Origin;
pub use permission::{Permission, PermissionSet, Scope, UnknownPermission, needs};
pub use permit::{Permit, PlatformPermit, Reach};
pub use principal::{Moment, Principal};
pub use secret::{Secret, SecretError};
pub use system::System;
