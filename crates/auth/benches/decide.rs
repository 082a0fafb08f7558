//! What a decision costs: a permission, a key that is recognised, two keys compared.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use selfmx_auth::{Allowed, ApiKey, Authority, KeyDigests, Moment, Origin, Permission, Principal, Secret, StoredKey, needs};
use selfmx_domain::{Mode, RateLimit, Tenant, TenantId, TenantProfile, TenantStatus};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

const NOW: OffsetDateTime = datetime!(2026-01-01 00:00 UTC);
/// As long as a made one.
const SECRET: &str = "sk_live_0000000000000000000000000000000000000000000000000";

/// A key that is confined in every dimension and was rotated not long ago: none costs more.
fn authority() -> Authority {
    Authority {
        tenant: Some(TenantId::DEFAULT),
        permissions: [Permission::Send, Permission::ApiKeysWrite].into_iter().collect(),
        mode: Mode::Live,
        expires_at: Some(NOW + Duration::DAY),
        allowed_ips: Allowed::Only(parsed(&["198.51.100.0/24", "2001:db8::/32", "192.0.2.0/24"])),
        allowed_senders: Allowed::Only(parsed(&["a@x.example", "b@x.example", "@y.example"])),
        allowed_templates: Allowed::Only(parsed(&["tmpl_01h455vb4pex5vsknk084sn021", "tmpl_01h455vb4pex5vsknk084sn022"])),
        rate_limit: Some(RateLimit::per_minute(60)),
    }
}

fn parsed<T: std::str::FromStr>(texts: &[&str]) -> Vec<T> {
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}

fn secret(text: &str) -> Secret {
    Secret::presented(text).unwrap_or_else(|| std::process::abort())
}

fn stored() -> Arc<StoredKey> {
    let name = "Tenant".parse().unwrap_or_else(|_| std::process::abort());
    let tenant = Tenant {
        id: TenantId::DEFAULT,
        status: TenantStatus::Active,
        profile: TenantProfile::named(name),
        created_at: NOW,
        updated_at: NOW,
    };
    let key = ApiKey { authority: authority(), ..ApiKey::environment(NOW) };
    let former = secret("the-secret-before-it").digest();
    let digests = KeyDigests { current: secret(SECRET).digest(), previous: Some((former, NOW + Duration::HOUR)) };
    Arc::new(StoredKey { digests, key, tenant: Arc::new(tenant) })
}

fn moment() -> Moment {
    let origin = Origin::new(std::net::IpAddr::from([192, 0, 2, 7]), None, "req_1");
    Moment { now: NOW, origin: Arc::new(origin), usual_rate: RateLimit::per_minute(100) }
}

fn decide(c: &mut Criterion) {
    let (secret, stored, moment, authority) = (secret(SECRET), stored(), moment(), authority());
    let principal = Principal::recognise(&secret, &stored, &moment).unwrap_or_else(|_| std::process::abort());
    c.bench_function("permit: does the key hold the permission", |b| b.iter(|| black_box(&principal).permit::<needs::Send>().is_ok()));
    c.bench_function("permit: it does not", |b| b.iter(|| black_box(&principal).permit::<needs::LogsRead>().is_err()));
    c.bench_function("secret: presented and digested", |b| b.iter(|| Secret::presented(black_box(SECRET)).map(|secret| secret.digest())));
    c.bench_function("recognise: digest, comparison, state, address", |b| {
        b.iter(|| Principal::recognise(black_box(&secret), black_box(&stored), &moment).is_ok());
    });
    c.bench_function("covers: two keys in every dimension", |b| {
        b.iter(|| black_box(&authority).covers(black_box(&authority), RateLimit::per_minute(100)).is_ok());
    });
}

criterion_group!(benches, decide);
criterion_main!(benches);
