//! Any key, any change, any request: what the properties are asked about.

use std::num::NonZeroU32;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use selfmx_auth::{
    Allowed, ApiKey, Authority, KeyDigests, Moment, Network, Origin, Permission, PermissionSet, Principal, Secret, Sender, StoredKey,
};
use selfmx_domain::{ApiKeyId, Mode, Rate, RateLimit, TemplateId, Tenant, TenantId, TenantProfile, TenantStatus};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use crate::facts;

pub(crate) const NOW: OffsetDateTime = datetime!(2026-01-01 00:00 UTC);
/// The rate where nobody says another.
pub(crate) const USUAL: RateLimit = RateLimit::per_minute(100);

const NETWORKS: [&str; 16] = [
    "0.0.0.0/0",
    "::/0",
    "10.0.0.0/29",
    "10.0.0.0/30",
    "10.0.0.4/30",
    "10.0.0.0/31",
    "10.0.0.2/31",
    "10.0.0.6/31",
    "10.0.0.0",
    "10.0.0.1",
    "10.0.0.7",
    "2001:db8::/126",
    "2001:db8::/127",
    "2001:db8::2/127",
    "2001:db8::3",
    "::ffff:10.0.0.0/125",
];
const SENDERS: [&str; 7] = ["a@x.example", "A@X.EXAMPLE", "b@x.example", "a@y.example", "@x.example", "@y.example", "@Y.Example"];

/// Every rate of the universe.
pub(crate) fn limits() -> Vec<RateLimit> {
    let number = |number: u32| NonZeroU32::new(number).unwrap();
    let rates = facts::RATES.into_iter().map(|(requests, seconds)| RateLimit::AtMost(Rate::new(number(requests), number(seconds))));
    rates.chain([RateLimit::Unlimited]).collect()
}

pub(crate) fn tenants() -> Vec<Option<TenantId>> {
    facts::TENANTS.into_iter().map(|text| text.parse().ok()).collect()
}

/// The tenants that have an id.
pub(crate) fn named_tenants() -> Vec<TenantId> {
    tenants().into_iter().flatten().collect()
}

pub(crate) fn permissions() -> impl Strategy<Value = PermissionSet> {
    let some = subsequence(Permission::ALL, 0..=Permission::ALL.len()).prop_map(PermissionSet::from_iter);
    prop_oneof![3 => some, 1 => Just(PermissionSet::from(Permission::All))]
}

pub(crate) fn mode() -> impl Strategy<Value = Mode> {
    select(vec![Mode::Live, Mode::Live, Mode::Test])
}

/// An end within the universe; the first is already past.
pub(crate) fn end() -> impl Strategy<Value = OffsetDateTime> {
    (0_i64..5).prop_map(|minutes| NOW + Duration::minutes(minutes))
}

pub(crate) fn networks() -> impl Strategy<Value = Vec<Network>> {
    prop_oneof![1 => several(&NETWORKS, 0..4), 2 => several(&NETWORKS, 1..2)]
}

pub(crate) fn senders() -> impl Strategy<Value = Vec<Sender>> {
    several(&SENDERS, 0..4)
}

pub(crate) fn templates() -> impl Strategy<Value = Vec<TemplateId>> {
    several(&facts::TEMPLATES[..3], 0..4)
}

pub(crate) fn limit() -> impl Strategy<Value = RateLimit> {
    select(limits())
}

fn several<T: std::str::FromStr<Err: std::fmt::Debug> + std::fmt::Debug>(
    texts: &'static [&'static str],
    count: std::ops::Range<usize>,
) -> impl Strategy<Value = Vec<T>> {
    subsequence(texts, count).prop_map(|texts| texts.into_iter().map(|text| text.parse().unwrap()).collect())
}

fn allowed<T: std::fmt::Debug + Clone>(some: impl Strategy<Value = Vec<T>>) -> impl Strategy<Value = Allowed<T>> {
    proptest::option::of(some).prop_map(Allowed::from)
}

prop_compose! {
    pub(crate) fn authority()(
        tenant in select(tenants()), permissions in permissions(), mode in mode(), expires_at in proptest::option::of(end()),
        allowed_ips in allowed(networks()), allowed_senders in allowed(senders()), allowed_templates in allowed(templates()),
        rate_limit in proptest::option::of(limit()),
    ) -> Authority {
        Authority { tenant, permissions, mode, expires_at, allowed_ips, allowed_senders, allowed_templates, rate_limit }
    }
}

prop_compose! {
    /// An authority that differs from `base` in few dimensions, so that one often covers the other.
    pub(crate) fn like(base: Authority)(other in authority(), same in similarity()) -> Authority {
        mixed(&base, other, &same)
    }
}

/// In which of the dimensions two authorities are the same; in most.
pub(crate) fn similarity() -> impl Strategy<Value = [bool; 8]> {
    proptest::array::uniform8(proptest::bool::weighted(0.8))
}

/// `base` where it is to be the same, and otherwise `other`.
pub(crate) fn mixed(base: &Authority, other: Authority, same: &[bool; 8]) -> Authority {
    Authority {
        tenant: if same[0] { base.tenant } else { other.tenant },
        permissions: if same[1] { base.permissions } else { other.permissions },
        mode: if same[2] { base.mode } else { other.mode },
        expires_at: if same[3] { base.expires_at } else { other.expires_at },
        allowed_ips: if same[4] { base.allowed_ips.clone() } else { other.allowed_ips },
        allowed_senders: if same[5] { base.allowed_senders.clone() } else { other.allowed_senders },
        allowed_templates: if same[6] { base.allowed_templates.clone() } else { other.allowed_templates },
        rate_limit: if same[7] { base.rate_limit } else { other.rate_limit },
    }
}

/// Any authority whose holder can be recognised now and may write keys.
pub(crate) fn maker() -> impl Strategy<Value = Authority> {
    authority().prop_map(|authority| {
        let permissions = authority.permissions.iter().chain([Permission::ApiKeysWrite]).collect();
        let expires_at = authority.expires_at.filter(|end| *end > NOW);
        let allowed_ips = if authority.allowed_ips.listed() == Some(&[]) { Allowed::Any } else { authority.allowed_ips };
        Authority { permissions, expires_at, allowed_ips, ..authority }
    })
}

/// A key with this authority.
pub(crate) fn key(authority: Authority) -> ApiKey {
    let id: ApiKeyId = "key_01h455vb4pex5vsknk084sn02q".parse().unwrap();
    ApiKey { id, authority, ..ApiKey::environment(NOW) }
}

pub(crate) fn tenant(id: Option<TenantId>) -> Tenant {
    let profile = TenantProfile::named("Tenant".parse().unwrap());
    Tenant { id: id.unwrap_or(TenantId::DEFAULT), status: TenantStatus::Active, profile, created_at: NOW, updated_at: NOW }
}

pub(crate) fn moment(address: std::net::IpAddr, now: OffsetDateTime) -> Moment {
    Moment { now, origin: Arc::new(Origin::new(address, None, "req_test")), usual_rate: USUAL }
}

/// The key with this authority, recognised now from an address that it may be used from.
pub(crate) fn recognised(authority: &Authority) -> Principal {
    recognised_within(authority, None).unwrap()
}

/// The same within a tenant that allows so much; `None` where the key is not recognised now, or not from anywhere.
pub(crate) fn recognised_within(authority: &Authority, ceiling: Option<RateLimit>) -> Option<Principal> {
    let mut tenant = tenant(authority.tenant);
    tenant.profile.rate_limit = ceiling;
    recognised_in(authority, tenant)
}

/// The same as a key of this tenant.
pub(crate) fn recognised_in(authority: &Authority, tenant: Tenant) -> Option<Principal> {
    let address = facts::addresses().iter().copied().find(|address| facts::may_come_from(authority, *address))?;
    let secret = Secret::chosen("0123456789abcdef").unwrap();
    let stored = StoredKey { digests: KeyDigests::only(secret.digest()), key: key(authority.clone()), tenant: Arc::new(tenant) };
    Principal::recognise(&secret, &Arc::new(stored), &moment(address, NOW)).ok()
}
