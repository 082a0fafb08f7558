//! Tenants' own DKIM keys: sealed at rest, opened for who sends, sealed again with a new key, erased with their tenant.

use selfmx_auth::{Permission, Permit, needs};
use selfmx_domain::{
    Change, Dkim, DkimAlgorithm, DkimChange, DkimKey, DkimPublicKey, Mode, NewTenant, Tenant, TenantChange, TenantId, TenantProfile,
};
use selfmx_storage::{Error, OpenedDkim, Resealed, SecretKey, Store, VaultError};

use crate::erase::{erase_all, settle_deletions};
use crate::place::{Place, principal, system};
use crate::tenant_relay::{key, node, with_password};
use crate::tenants::platform;

const CANARY: &str = "canary-key-of-the-shop";

fn private(text: &str, public: &str) -> DkimKey {
    DkimKey::new(text.to_owned().into(), DkimPublicKey::new(DkimAlgorithm::RsaSha256, public.to_owned()))
}

fn whole(text: &str, public: &str) -> DkimChange {
    let (domain, selector) = ("shop.example".parse().ok(), "mail2026".parse().ok());
    DkimChange { domain, selector, key: Some(private(text, public)) }
}

async fn tenant(store: &Store, dkim: DkimChange) -> TenantId {
    let (dkim_key, dkim) = (dkim.key.clone(), dkim.apply(None).ok());
    let profile = TenantProfile { dkim, ..TenantProfile::named("Shop".parse().unwrap()) };
    store.tenant_create(&platform(), &NewTenant { dkim_key, ..profile.into() }).await.unwrap().id
}

async fn changed(store: &Store, tenant: TenantId, dkim: Change<DkimChange>) -> Tenant {
    store.tenant_update(&platform(), tenant, TenantChange { dkim, ..TenantChange::default() }).await.unwrap().unwrap()
}

fn sender(tenant: TenantId) -> Permit<needs::Send> {
    principal(Some(tenant), Permission::Send, Mode::Live).permit().unwrap()
}

async fn opened(store: &Store, tenant: TenantId) -> Result<Option<OpenedDkim>, Error> {
    store.tenant_dkim(&sender(tenant)).await
}

fn told(opened: Option<OpenedDkim>) -> Option<(String, String, String)> {
    let shown = |dkim: Dkim| (dkim.record_name(), dkim.record_value());
    opened.map(|opened| {
        assert_eq!(opened.key.public(), &opened.dkim.public_key);
        let text = opened.key.reveal().to_owned();
        let (name, value) = shown(opened.dkim);
        (name, value, text)
    })
}

#[tokio::test]
async fn the_key_is_sealed_in_its_row_and_changes_with_what_is_said() {
    let place = Place::new().await;
    let tenant = tenant(&place.store, whole(CANARY, "AAAA")).await;
    let expected = |selector: &str, public: &str, text: &str| {
        Some((format!("{selector}._domainkey.shop.example"), format!("v=DKIM1; k=rsa; p={public}"), text.to_owned()))
    };
    assert_eq!(told(opened(&place.store, tenant).await.unwrap()), expected("mail2026", "AAAA", CANARY));
    let renamed = DkimChange { selector: "next".parse().ok(), ..DkimChange::default() };
    let after = changed(&place.store, tenant, Change::Set(renamed)).await;
    assert_eq!(after.profile.dkim.unwrap().record_name(), "next._domainkey.shop.example");
    assert_eq!(told(opened(&place.store, tenant).await.unwrap()), expected("next", "AAAA", CANARY));
    let rotated = DkimChange { key: Some(private("canary-key-number-two", "BBBB")), ..DkimChange::default() };
    changed(&place.store, tenant, Change::Set(rotated)).await;
    assert_eq!(told(opened(&place.store, tenant).await.unwrap()), expected("next", "BBBB", "canary-key-number-two"));

    let dumped = place.database.query_texts("SELECT t::text FROM tenants t UNION ALL SELECT a::text FROM audit_logs a").await.join("\n");
    let hexadecimal: String = "canary".bytes().map(|byte| format!("{byte:02x}")).collect();
    assert!(dumped.contains("shop.example") && !dumped.contains("canary") && !dumped.contains(&hexadecimal), "{dumped}");
    let noted = "SELECT string_agg(concat_ws(' ', before->'dkim'->>'selector', before->'dkim'->>'public_key', '->', after->'dkim'->>'selector', \
         after->'dkim'->>'public_key'), '; ' ORDER BY id) FROM audit_logs WHERE action LIKE 'tenant.%'";
    assert_eq!(place.ask(noted).await, "-> mail2026 AAAA; mail2026 AAAA -> next AAAA; next AAAA -> next BBBB");

    assert!(changed(&place.store, tenant, Change::Clear).await.profile.dkim.is_none());
    assert!(opened(&place.store, tenant).await.unwrap().is_none());
    assert_eq!(place.ask("SELECT count(*) FROM tenants WHERE dkim_key IS NOT NULL OR dkim_public_key IS NOT NULL").await, "0");
    assert!(opened(&place.store, TenantId::DEFAULT).await.unwrap().is_none());
}

#[tokio::test]
async fn a_sealed_key_opens_in_its_own_row_and_column_alone() {
    let place = Place::new().await;
    let (one, other) = (tenant(&place.store, whole(CANARY, "AAAA")).await, tenant(&place.store, whole("another", "BBBB")).await);
    let swap = "UPDATE tenants t SET dkim_key = o.dkim_key FROM tenants o WHERE t.dkim_key IS NOT NULL AND o.dkim_key IS NOT NULL AND o.id <> t.id";
    place.database.execute(swap).await;
    for tenant in [one, other] {
        assert!(matches!(opened(&place.store, tenant).await, Err(Error::Vault(VaultError::Damaged))));
    }
    let relay = TenantChange { relay: Change::Set(with_password("a.example", "password")), ..TenantChange::default() };
    place.store.tenant_update(&platform(), one, relay).await.unwrap().unwrap();
    place.database.execute("UPDATE tenants SET dkim_key = relay_pass WHERE relay_pass IS NOT NULL").await;
    assert!(matches!(opened(&place.store, one).await, Err(Error::Vault(VaultError::Damaged))));
}

#[tokio::test]
async fn keys_are_sealed_again_beside_passwords() {
    let place = Place::new().await;
    let (old, new, lost) = (key(), key(), key());
    let before = node(&place, &old, &[]);
    let both = tenant(&before, whole("one", "AAAA")).await;
    let relay = TenantChange { relay: Change::Set(with_password("a.example", "password")), ..TenantChange::default() };
    before.tenant_update(&platform(), both, relay).await.unwrap().unwrap();
    let mut tenants = vec![both];
    for _ in 0..120 {
        tenants.push(tenant(&before, whole("one", "AAAA")).await);
    }
    let unreadable = tenant(&node(&place, &lost, &[]), whole("gone", "BBBB")).await;
    let present = node(&place, &new, &[&old]);
    let fresh = tenant(&present, whole("fresh", "CCCC")).await;
    let missing = VaultError::MissingKey(lost.parse::<SecretKey>().unwrap().id());
    let unreadable_one = vec![(missing, 1)];
    let expected = |resealed, current| Resealed { resealed, current, unreadable: unreadable_one.clone() };
    assert_eq!(present.secrets_reseal(&system()).await.unwrap(), expected(122, 1));
    assert_eq!(present.secrets_reseal(&system()).await.unwrap(), expected(0, 123));
    let after = node(&place, &new, &[]);
    for tenant in tenants {
        assert_eq!(told(opened(&after, tenant).await.unwrap()).unwrap().2, "one");
    }
    assert_eq!(told(opened(&after, fresh).await.unwrap()).unwrap().2, "fresh");
    assert_eq!(after.tenant_relay(&system(), both).await.unwrap().unwrap().password.unwrap().reveal(), "password");
    assert!(matches!(opened(&after, unreadable).await, Err(Error::Vault(error)) if error == missing));
}

#[tokio::test]
async fn what_is_erased_takes_its_key_along() {
    let place = Place::new().await;
    let (gone, stays) = (tenant(&place.store, whole(CANARY, "AAAA")).await, tenant(&place.store, whole(CANARY, "BBBB")).await);
    assert!(place.store.tenant_delete(&platform(), gone).await.unwrap());
    erase_all(&place.store).await;
    settle_deletions(&place).await;
    erase_all(&place.store).await;
    let left = "SELECT string_agg(concat_ws(' ', erased_at IS NOT NULL, num_nonnulls(dkim_domain, dkim_selector, dkim_algorithm, dkim_public_key, \
         dkim_key)), '; ' ORDER BY id) FROM tenants WHERE name <> 'Default'";
    assert_eq!(place.ask(left).await, "t 0; f 5");
    assert!(opened(&place.store, stays).await.unwrap().is_some());
}
