//! What the unit tests of this crate have in common.

use std::sync::Arc;

use selfmx_domain::{RateLimit, Tenant, TenantId, TenantProfile, TenantStatus};
use time::OffsetDateTime;
use time::macros::datetime;

use crate::{ApiKey, KeyDigests, Moment, Origin, Principal, Refused, Secret, StoredKey};

pub(crate) const NOW: OffsetDateTime = datetime!(2026-01-01 00:00 UTC);
/// The rate where nobody says another.
pub(crate) const USUAL: u32 = 100;

/// Two tenants.
pub(crate) fn tenants() -> [TenantId; 2] {
    ["tenant_01h455vb4pex5vsknk084sn02q", "tenant_01h455vb4pex5vsknk084sn03q"].map(|text| text.parse().unwrap())
}

/// A tenant of which nothing is said.
pub(crate) fn tenant(id: TenantId) -> Arc<Tenant> {
    let profile = TenantProfile::named("Tenant".parse().unwrap());
    Arc::new(Tenant { id, status: TenantStatus::Active, profile, created_at: NOW, updated_at: NOW })
}

/// A request from 192.0.2.7, now.
pub(crate) fn moment() -> Moment {
    let origin = Origin::new("192.0.2.7".parse().unwrap(), Some("test"), "req_test");
    Moment { now: NOW, origin: Arc::new(origin), usual_rate: RateLimit::per_minute(USUAL) }
}

/// The key, recognised.
pub(crate) fn recognised(key: ApiKey) -> Result<Principal, Refused> {
    let id = key.authority.tenant.unwrap_or(TenantId::DEFAULT);
    recognised_in(key, tenant(id))
}

/// The key, recognised as one of this tenant.
pub(crate) fn recognised_in(key: ApiKey, tenant: Arc<Tenant>) -> Result<Principal, Refused> {
    let secret = Secret::chosen("0123456789abcdef").unwrap();
    let stored = StoredKey { digests: KeyDigests::only(secret.digest()), key, tenant };
    Principal::recognise(&secret, &Arc::new(stored), &moment())
}
