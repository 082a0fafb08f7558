//! Tenants' own relays: sealed at rest, told with the lease, sealed again with a new key.

use std::sync::Arc;

use selfmx_domain::{Change, NewTenant, RelayChange, Tenant, TenantChange, TenantId, TenantProfile};
use selfmx_storage::{Error, OpenedRelay, PoolSettings, Resealed, SecretKey, Store, Vault, VaultError};
use selfmx_testing::{OsEntropy, SystemClock};

use crate::place::{Place, accept, admin, principal, system};

const CANARY: &str = "canary-password-of-the-shop";

/// A node with this key, and these old ones.
pub(crate) fn node(place: &Place, key: &str, old: &[&str]) -> Store {
    let vault = Vault::new(key.parse().unwrap(), old.iter().map(|key| key.parse().unwrap()).collect());
    Store::new(&place.address(), PoolSettings { size: 2, ..PoolSettings::default() }, vault, Arc::new(SystemClock), Arc::new(OsEntropy))
}

pub(crate) fn key() -> String {
    SecretKey::generate(&OsEntropy).reveal().to_string()
}

pub(crate) fn with_password(host: &str, pass: &str) -> RelayChange {
    RelayChange {
        host: Some(host.parse().unwrap()),
        user: Change::Set("mailer".parse().unwrap()),
        pass: Change::Set(pass.parse().unwrap()),
        ..RelayChange::default()
    }
}

async fn tenant(store: &Store, relay: Option<RelayChange>) -> TenantId {
    let relay_password = relay.as_ref().and_then(|relay| relay.pass.clone().apply(None));
    let relay = relay.map(|relay| relay.apply(None).unwrap());
    let profile = TenantProfile { relay, ..TenantProfile::named("Shop".parse().unwrap()) };
    store.tenant_create(&admin().platform_permit().unwrap(), &NewTenant { relay_password, ..profile.into() }).await.unwrap().id
}

async fn changed(store: &Store, tenant: TenantId, relay: Change<RelayChange>) -> Tenant {
    let change = TenantChange { relay, ..TenantChange::default() };
    store.tenant_update(&admin().platform_permit().unwrap(), tenant, change).await.unwrap().unwrap()
}

async fn opened(store: &Store, tenant: TenantId) -> OpenedRelay {
    store.tenant_relay(&system(), tenant).await.unwrap().unwrap()
}

async fn password(store: &Store, tenant: TenantId) -> Option<String> {
    opened(store, tenant).await.password.map(|password| password.reveal().to_owned())
}

#[tokio::test]
async fn the_password_is_sealed_in_its_row_and_nowhere_else() {
    let place = Place::new().await;
    let tenant = tenant(&place.store, Some(with_password("smtp.shop.example", CANARY))).await;
    assert_eq!(password(&place.store, tenant).await.as_deref(), Some(CANARY));
    changed(&place.store, tenant, Change::Set(with_password("smtp.other.example", "canary-password-number-two"))).await;
    assert_eq!(password(&place.store, tenant).await.as_deref(), Some("canary-password-number-two"));
    let dumped = place.database.query_texts("SELECT t::text FROM tenants t UNION ALL SELECT a::text FROM audit_logs a").await.join("\n");
    // As text, and as the octets that a dump writes in hexadecimal.
    let hexadecimal: String = "canary".bytes().map(|byte| format!("{byte:02x}")).collect();
    assert!(dumped.contains("smtp.other.example") && !dumped.contains("canary") && !dumped.contains(&hexadecimal), "{dumped}");
    assert_eq!(place.ask("SELECT after->'smtp'->>'new_pass' FROM audit_logs WHERE action = 'tenant.update'").await, "true");
    let shown = "SELECT (after->'smtp') - 'port'::text FROM audit_logs WHERE action = 'tenant.create'";
    assert_eq!(
        place.ask(&format!("SELECT ({shown})::text")).await,
        r#"{"tls": true, "host": "smtp.shop.example", "user": "mailer", "has_pass": true}"#
    );
}

#[tokio::test]
async fn a_sealed_password_opens_in_its_own_row_alone() {
    let place = Place::new().await;
    let (one, other) = (
        tenant(&place.store, Some(with_password("a.example", CANARY))).await,
        tenant(&place.store, Some(with_password("b.example", "another"))).await,
    );
    place
        .database
        .execute("UPDATE tenants t SET relay_pass = o.relay_pass FROM tenants o WHERE t.relay_pass IS NOT NULL AND o.relay_pass IS NOT NULL AND o.id <> t.id")
        .await;
    for tenant in [one, other] {
        assert!(matches!(place.store.tenant_relay(&system(), tenant).await, Err(Error::Vault(VaultError::Damaged))));
    }
}

#[tokio::test]
async fn the_version_moves_with_each_change_of_relay_or_password_and_with_no_other() {
    let place = Place::new().await;
    let tenant = tenant(&place.store, Some(with_password("a.example", "one"))).await;
    let first = opened(&place.store, tenant).await.version;
    let permit = admin().platform_permit().unwrap();
    let renamed = TenantChange { name: Some("New".parse().unwrap()), ..TenantChange::default() };
    place.store.tenant_update(&permit, tenant, renamed).await.unwrap().unwrap();
    let same = RelayChange { host: Some("A.example".parse().unwrap()), ..RelayChange::default() };
    changed(&place.store, tenant, Change::Set(same)).await;
    assert_eq!((opened(&place.store, tenant).await.version, password(&place.store, tenant).await.as_deref()), (first, Some("one")));
    let only_password = RelayChange { pass: Change::Set("two".parse().unwrap()), ..RelayChange::default() };
    changed(&place.store, tenant, Change::Set(only_password)).await;
    let second = opened(&place.store, tenant).await.version;
    changed(&place.store, tenant, Change::Clear).await;
    assert!(place.store.tenant_relay(&system(), tenant).await.unwrap().is_none());
    assert_eq!(place.ask("SELECT count(*) FROM tenants WHERE relay_pass IS NOT NULL OR relay_user IS NOT NULL").await, "0");
    changed(&place.store, tenant, Change::Set(with_password("a.example", "one"))).await;
    let third = opened(&place.store, tenant).await.version;
    assert!(first < second && second < third);
}

#[tokio::test]
async fn a_kept_password_is_not_sent_elsewhere() {
    let place = Place::new().await;
    let tenant = tenant(&place.store, Some(with_password("a.example", "one"))).await;
    let elsewhere = RelayChange { host: Some("evil.example".parse().unwrap()), ..RelayChange::default() };
    let change = TenantChange { relay: Change::Set(elsewhere), ..TenantChange::default() };
    let refused = place.store.tenant_update(&admin().platform_permit().unwrap(), tenant, change).await;
    assert!(matches!(refused, Err(Error::Invalid(error)) if error.field == "smtp.pass"));
    assert_eq!(opened(&place.store, tenant).await.relay.host.as_str(), "a.example");
}

#[tokio::test]
async fn a_lease_tells_of_the_tenant_s_own_relay() {
    let place = Place::new().await;
    let own = tenant(&place.store, Some(with_password("a.example", "one"))).await;
    let bare = tenant(&place.store, None).await;
    for tenant in [own, bare, TenantId::DEFAULT] {
        let sender = principal(Some(tenant), selfmx_auth::Permission::Send, selfmx_domain::Mode::Live);
        accept(&place.store, &sender.permit().unwrap(), |_| {}).await;
    }
    let told: Vec<_> = place.lease(10).await.iter().map(|lease| (lease.work().tenant, lease.work().relay)).collect();
    let version = opened(&place.store, own).await.version;
    assert_eq!(told, [(own, Some(version)), (bare, None), (TenantId::DEFAULT, None)]);
}

#[tokio::test]
async fn work_of_those_who_are_passed_over_stays_where_it_is() {
    let place = Place::new().await;
    let (one, other) = (tenant(&place.store, None).await, tenant(&place.store, None).await);
    for tenant in [one, one, other] {
        let sender = principal(Some(tenant), selfmx_auth::Permission::Send, selfmx_domain::Mode::Live);
        accept(&place.store, &sender.permit().unwrap(), |_| {}).await;
    }
    let leased = place.store.queue_lease(&system(), 10, crate::place::LONG, &[one]).await.unwrap();
    assert_eq!(leased.iter().map(|lease| lease.work().tenant).collect::<Vec<_>>(), [other]);
    assert_eq!(place.lease(10).await.len(), 2);
}

#[tokio::test]
async fn secrets_are_sealed_again_with_a_new_key_until_the_old_one_can_go() {
    let place = Place::new().await;
    let (old, new, lost) = (key(), key(), key());
    let mut tenants = Vec::new();
    let before = node(&place, &old, &[]);
    for n in 0..230 {
        tenants.push(tenant(&before, Some(with_password("a.example", &format!("pass-{n}")))).await);
    }
    let unreadable = tenant(&node(&place, &lost, &[]), Some(with_password("a.example", "gone"))).await;
    let present = node(&place, &new, &[&old]);
    let fresh = tenant(&present, Some(with_password("a.example", "fresh"))).await;
    let missing = VaultError::MissingKey(lost.parse::<SecretKey>().unwrap().id());
    let told = |resealed, current| Resealed { resealed, current, unreadable: vec![(missing, 1)] };
    let versions = "SELECT sum(relay_version)::text FROM tenants";
    let version = place.ask(versions).await;
    assert_eq!(present.secrets_reseal(&system()).await.unwrap(), told(230, 1));
    assert_eq!(present.secrets_reseal(&system()).await.unwrap(), told(0, 231), "once more changes nothing");
    assert_eq!(place.ask(versions).await, version, "the relays are the same");
    let after = node(&place, &new, &[]);
    for (n, tenant) in tenants.iter().enumerate() {
        assert_eq!(password(&after, *tenant).await, Some(format!("pass-{n}")));
    }
    assert_eq!(password(&after, fresh).await.as_deref(), Some("fresh"));
    assert!(matches!(after.tenant_relay(&system(), unreadable).await, Err(Error::Vault(error)) if error == missing));
    assert!(matches!(before.tenant_relay(&system(), tenants[0]).await, Err(Error::Vault(VaultError::MissingKey(_)))));
}
