//! Keys as they are once they were recognised, for tests that need a permit and no store.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use selfmx_auth::{ApiKey, KeyDigests, Moment, Origin, Principal, Secret, StoredKey};
use selfmx_domain::{Clock, Mode, Name, RateLimit, Tenant, TenantId, TenantProfile, TenantStatus};

use crate::{OsEntropy, SystemClock};

/// The key, recognised by a secret that nobody else knows, in a tenant of which nothing is said.
///
/// # Panics
///
/// Where the key is not to be recognised: revoked, expired, switched off, or not from 192.0.2.7.
#[must_use]
#[expect(clippy::unwrap_used, reason = "a test whose key is not recognised is to fail")]
pub fn principal(key: ApiKey) -> Principal {
    let (secret, now) = (Secret::generate(Mode::Live, &OsEntropy), SystemClock.now());
    let id = key.authority.tenant.unwrap_or(TenantId::DEFAULT);
    let profile = TenantProfile::named(Name::default_key());
    let tenant = Arc::new(Tenant { id, status: TenantStatus::Active, profile, created_at: now, updated_at: now });
    let stored = StoredKey { digests: KeyDigests::only(secret.digest()), key, tenant };
    let origin = Arc::new(Origin::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)), Some("test"), "req_test"));
    let moment = Moment { now, origin, usual_rate: RateLimit::per_minute(100) };
    Principal::recognise(&secret, &Arc::new(stored), &moment).unwrap()
}
