//! Decides, purely, who an API key is and what it may do.
//!
//! The model on one page:
//!
//! 1. A caller presents a [`Secret`]. Only its [`Digest`] leaves this crate for a store, which answers with the [`StoredKey`] that has it, or with nothing.
//! 2. [`Principal::recognise`] compares the two in constant time, then looks at the key's state and at where it is presented from. So a [`Principal`] is
//!    made, and in one way more: by [`Principal::acting_for`], where a platform key that holds `*` confines itself to one tenant.
//! 3. A principal that holds permission `P` can be asked for a [`Permit<P>`](Permit); [`PlatformPermit<P>`](PlatformPermit) is another type, which no tenant's key ever gets.
//! 4. Whatever reads or changes data takes the permit, and the tenant comes out of it. There is nothing else to take it from. Who has locked the key's row
//!    asks for the permit [`renewed`](Permit::renewed): by what the key is now.
//! 5. What a key may do is its [`Authority`], and [`Authority::covers`] is the one comparison of two of them, in every dimension. By it a permit to write keys
//!    makes a [`Grant`] of what is [`Wanted`], an [`Amendment`] of a [`KeyChange`], or a [`Rotation`]: what comes of them can do no more than the key that asked.
//! 6. A permit to send makes a draft [`Consented`], after checking the tenant, the sender and the template.
//!
//! Nobody has to remember a check, because what is checked is a value: whatever stores a key takes a grant, and nothing but its check makes one.
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
//! # To embed it
//!
//! It does no I/O, has no features, and wants nothing of a runtime: keys come from any store, time and chance are arguments ([`selfmx_domain::Entropy`],
//! [`Moment`]). `examples/hyper_service.rs` verifies these keys in a small HTTP service and answers as RFC 6750 has it; `examples/own_scopes.rs` has
//! permissions of its own by [`permissions!`], and a proof that a caller holds one. `cargo bench --package selfmx-auth` tells what a decision costs.
//!
//! # What is stable
//!
//! Versions follow Semantic Versioning. A permission that is added, a field of a struct that is public all over, and a variant of [`Denied`], [`Refused`],
//! [`GrantError`], [`Excess`], [`SecretError`], [`KeySource`] or [`Reach`] each make a new major version, and none of these is `#[non_exhaustive]`, on purpose:
//! a `_ =>` would give a new refusal the wrong answer, and a store that fills in a field by `..` would widen a key; the compiler is to show every such
//! place. Stable are also the form of a secret ([`Secret::PATTERN`]), that its digest is SHA-256, and the texts of permissions. Not stable are the words of
//! error messages and what `Debug` shows.
//!
//! # What holds
//!
//! Invariant: no I/O, no clock, no randomness of its own.
//!
//! Invariant: a [`Permit`] proves that a key which was recognised holds the permission; it can be neither copied nor made from outside.
//!
//! Invariant: whatever keys do to keys, none ever can do more than those that made or changed it could, in any dimension.
//!
//! Invariant: lists of networks compare one by one: of several that only together hold another, none covers it. So a comparison may refuse too much, never too little.
//!
//! Invariant: a [`Secret`] has neither `Display` nor `Serialize`, its `Debug` shows no more than its prefix, and it is wiped from memory when dropped.

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
