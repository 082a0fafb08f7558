//! Deleting a tenant: gone at once, erased bit by bit, and nobody else's loss.

use std::time::Duration;

use selfmx_auth::{Digest, Permission, Principal, Secret, Wanted};
use selfmx_domain::{EmailStatus, Mode, PageLimit, PageRequest, PageStart, TenantChange, TenantId};
use selfmx_storage::{Erasing, Error, RevokedKeys, Store};
use selfmx_testing::OsEntropy;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::place::{LONG, Place, accept, admin, new_tenant, principal_of, system, tenant_admin};
use crate::settle::delivered;
use crate::tenants::{audited, platform, tenant};

/// A tenant with a key of its own.
struct Theirs {
    id: TenantId,
    key: Principal,
    digest: Digest,
}

async fn theirs(place: &Place) -> Theirs {
    let id = tenant(place).await.id;
    let secret = Secret::generate(Mode::Live, &OsEntropy);
    let key = key_for(&place.store, &admin(), id, &secret).await.unwrap();
    Theirs { id, key, digest: secret.digest() }
}

async fn key_for(store: &Store, maker: &Principal, tenant: TenantId, secret: &Secret) -> Result<Principal, Error> {
    let wanted = Wanted { tenant: Some(tenant), ..Wanted::new("made".parse().unwrap(), Permission::All.into()) };
    Ok(principal_of(store.key_create(&maker.permit().unwrap(), wanted, secret).await?))
}

/// Whether somebody who has the secret is recognised.
async fn is_live(store: &Store, digest: &Digest) -> bool {
    let found = store.key_find_by_digest(*digest).await.unwrap().unwrap();
    found.stored.digests.matches(digest, found.at) && found.stored.key.is_live(found.at)
}

async fn send(store: &Store, key: &Principal, count: usize) {
    for _ in 0..count {
        accept(store, &key.permit().unwrap(), |_| {}).await;
    }
}

pub(crate) async fn erase_all(store: &Store) -> usize {
    let mut steps = 0;
    while store.tenant_erase(&system()).await.unwrap() == Erasing::Some {
        steps += 1;
    }
    steps
}

/// As if the deletion lay so far back that no request can be under way that began before it.
pub(crate) async fn settle_deletions(place: &Place) {
    place
        .database
        .execute("UPDATE tenants SET deleted_at = deleted_at - interval '1 hour', erase_due_at = now() WHERE erase_due_at IS NOT NULL")
        .await;
}

/// How many rows of each table are this tenant's.
async fn left(place: &Place, id: TenantId) -> String {
    let own = format!("WHERE tenant_id = '{}'", id.as_uuid());
    let tables = ["emails", "recipients", "queue", "events", "api_keys", "quota_days", "usage_months", "idempotency_keys"];
    let mut counts: Vec<_> = tables.iter().map(|table| format!("(SELECT count(*) FROM {table} {own})")).collect();
    counts.push("(SELECT count(*) FROM messages m WHERE NOT EXISTS (SELECT FROM emails WHERE id = m.email_id))".to_owned());
    place.ask(&format!("SELECT concat_ws(' ', {})", counts.join(", "))).await
}

#[tokio::test]
async fn a_deleted_tenant_is_gone_at_once_and_deleting_it_again_changes_nothing() {
    let place = Place::new().await;
    let (gone, other) = (theirs(&place).await, theirs(&place).await);
    send(&place.store, &gone.key, 3).await;
    assert!(place.store.tenant_delete(&platform(), gone.id).await.unwrap());
    assert!(place.lease(10).await.is_empty());
    for store in [&place.store, &place.other_store()] {
        assert!(!is_live(store, &gone.digest).await);
        assert!(is_live(store, &other.digest).await);
        assert!(store.tenant_find(&platform(), gone.id).await.unwrap().is_none());
        assert!(store.tenant_update(&platform(), gone.id, TenantChange::default()).await.unwrap().is_none());
        assert!(store.tenant_suspend(&platform(), gone.id).await.unwrap().is_none());
        assert!(store.tenant_resume(&platform(), gone.id).await.unwrap().is_none());
        let page = PageRequest { start: PageStart::Number(1), limit: PageLimit::default() };
        let listed = store.tenant_list(&platform(), page).await.unwrap();
        assert_eq!(listed.items.iter().map(|tenant| tenant.id).collect::<Vec<_>>(), [other.id, TenantId::DEFAULT]);
        assert_eq!(format!("{:?}", listed.total), "Some(Exactly(2))");
        let keys = store.key_list(&admin().permit().unwrap(), RevokedKeys::Included, None).await.unwrap();
        assert_eq!(keys.items.iter().map(|key| key.id).collect::<Vec<_>>(), [other.key.key().id]);
        assert!(store.key_find(&admin().permit().unwrap(), gone.key.key().id).await.unwrap().is_none());
        assert!(!store.key_revoke(&admin().permit().unwrap(), gone.key.key().id).await.unwrap());
    }
    let refused = key_for(&place.store, &admin(), gone.id, &Secret::generate(Mode::Live, &OsEntropy)).await;
    assert!(matches!(refused, Err(Error::NoSuchTenant)), "{refused:?}");
    let refused = key_for(&place.store, &gone.key, gone.id, &Secret::generate(Mode::Live, &OsEntropy)).await;
    assert!(matches!(refused, Err(Error::Denied(_))), "{refused:?}");

    let entries = audited(&place).await;
    assert_eq!(entries.last().unwrap(), r#"tenant.delete t {"name": "Acme"} {"deleted": true, "keys_revoked": 1}"#);
    assert!(place.store.tenant_delete(&platform(), gone.id).await.unwrap());
    assert!(!place.store.tenant_delete(&platform(), new_tenant()).await.unwrap());
    assert_eq!(audited(&place).await.len(), entries.len());
}

#[tokio::test]
async fn the_default_tenant_is_not_deleted_nor_any_by_a_key_that_was_revoked_meanwhile() {
    let place = Place::new().await;
    assert!(matches!(place.store.tenant_delete(&platform(), TenantId::DEFAULT).await, Err(Error::DefaultTenant)));
    let (kept, maker) = (theirs(&place).await, place.keyed(None, Permission::All).await);
    let permit = maker.platform_permit().unwrap();
    place.store.key_revoke(&admin().permit().unwrap(), maker.key().id).await.unwrap();
    assert!(matches!(place.store.tenant_delete(&permit, kept.id).await, Err(Error::Denied(_))));
    assert!(is_live(&place.store, &kept.digest).await);
    assert!(place.store.tenant_find(&platform(), kept.id).await.unwrap().is_some());
}

/// Each key is made before the deletion, which revokes it, or refused: by a platform key that deletes and makes at once, and by keys of the tenant that make
/// further ones.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_are_made_while_their_tenant_is_deleted_do_not_outlive_it() {
    let place = Place::new().await;
    let maker = place.keyed(None, Permission::All).await;
    for _ in 0..10 {
        let gone = theirs(&place).await;
        let mut tasks = JoinSet::new();
        for key in [&maker, &gone.key, &maker, &gone.key] {
            let (store, mut key, id) = (place.other_store(), key.clone(), gone.id);
            tasks.spawn(async move {
                let mut made = 0;
                loop {
                    match key_for(&store, &key, id, &Secret::generate(Mode::Live, &OsEntropy)).await {
                        // The next is made by the one that was made last, which nobody had seen when the deletion began.
                        Ok(fresh) => (key, made) = (if key.key().authority.tenant.is_some() { fresh } else { key }, made + 1),
                        Err(Error::NoSuchTenant | Error::Denied(_)) => return made,
                        Err(error) => panic!("{error:?}"),
                    }
                }
            });
        }
        let (store, permit, id) = (place.other_store(), maker.platform_permit().unwrap(), gone.id);
        let deleting = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(20)).await;
            store.tenant_delete(&permit, id).await
        });
        assert!(timeout(LONG, deleting).await.unwrap().unwrap().unwrap());
        let made: u32 = timeout(LONG, tasks.join_all()).await.unwrap().into_iter().sum();
        let keys = format!("SELECT concat(count(*), ' ', count(revoked_at)) FROM api_keys WHERE tenant_id = '{}'", gone.id.as_uuid());
        assert_eq!(place.ask(&keys).await, format!("{0} {0}", made + 1));
    }
}

#[tokio::test]
async fn erasing_goes_by_bounded_steps_and_takes_what_was_the_tenant_s_and_nothing_else() {
    let place = Place::new().await;
    let (gone, other) = (theirs(&place).await, theirs(&place).await);
    send(&place.store, &other.key, 3).await;
    let kept = place.everything().await;
    place.fill_for(gone.id, 1_200, "1", "now()").await;
    for id in [gone.id, other.id] {
        let counts = "INSERT INTO quota_days VALUES ('ID', current_date, 5, 1); INSERT INTO usage_months VALUES ('ID', current_date, 5); \
             INSERT INTO idempotency_keys (tenant_id, digest, fingerprint, email_id) SELECT 'ID', sha256('k'), sha256('f'), gen_random_uuid()";
        place.database.execute(&counts.replace("ID", &id.as_uuid().to_string())).await;
    }
    assert_eq!(place.store.tenant_erase(&system()).await.unwrap(), Erasing::Nothing);
    place.store.tenant_delete(&platform(), gone.id).await.unwrap();
    for emails in [700, 200, 0] {
        assert_eq!(place.store.tenant_erase(&system()).await.unwrap(), Erasing::Some);
        assert_eq!(left(&place, gone.id).await, format!("{emails} {emails} {emails} {emails} 1 1 1 1 0"));
    }
    erase_all(&place.store).await;
    assert_eq!(left(&place, gone.id).await, "0 0 0 0 0 0 0 0 0");
    assert_eq!((place.everything().await, left(&place, other.id).await), (kept, "3 3 3 3 1 1 1 1 0".to_owned()));

    // A statement that had begun before the deletion may bring an email yet: only later is the rest erased too.
    let row = "SELECT concat_ws('|', name, erased_at IS NULL) FROM tenants WHERE deleted_at IS NOT NULL";
    assert_eq!(place.ask(row).await, "Acme|t");
    place.fill_for(gone.id, 1, "1", "now()").await;
    settle_deletions(&place).await;
    assert_eq!(erase_all(&place.store).await, 2);
    assert_eq!((left(&place, gone.id).await.as_str(), place.ask(row).await.as_str()), ("0 0 0 0 0 0 0 0 0", "|f"));
    settle_deletions(&place).await;
    assert_eq!(place.store.tenant_erase(&system()).await.unwrap(), Erasing::Nothing);
    // It is known still, and what was done to it.
    assert!(place.store.tenant_delete(&platform(), gone.id).await.unwrap());
    assert!(place.store.tenant_find(&platform(), gone.id).await.unwrap().is_none());
    let entries = format!("SELECT count(*) FROM audit_logs WHERE tenant_id = '{}'", gone.id.as_uuid());
    assert_eq!(place.ask(&entries).await, "3");
}

#[tokio::test]
async fn an_attempt_that_is_under_way_finishes_before_its_email_is_erased() {
    let place = Place::new().await;
    let gone = theirs(&place).await;
    send(&place.store, &gone.key, 4).await;
    let mut leases = place.lease(3).await;
    let first = leases[0].work().email_id;
    place.store.tenant_delete(&platform(), gone.id).await.unwrap();
    assert_eq!(erase_all(&place.store).await, 2);
    assert!(left(&place, gone.id).await.starts_with("3 3 3 "));
    assert_eq!(place.store.queue_settle(&system(), &[delivered(leases.remove(0))]).await.unwrap().len(), 1);
    let email = place.store.email_find(&tenant_admin(gone.id).permit().unwrap(), first).await.unwrap().unwrap();
    assert_eq!(email.summary.status, EmailStatus::Delivered);
    // One is given back, one is lost with its worker.
    place.store.queue_release(&system(), vec![leases.remove(0)]).await.unwrap();
    assert!(place.lease(10).await.is_empty());
    place.database.execute("UPDATE tenants SET erase_due_at = now() WHERE erase_due_at IS NOT NULL").await;
    assert_eq!(place.store.tenant_erase(&system()).await.unwrap(), Erasing::Some);
    assert!(left(&place, gone.id).await.starts_with("1 1 1 "));
    place.database.execute("UPDATE queue SET due_at = now()").await;
    settle_deletions(&place).await;
    erase_all(&place.store).await;
    assert_eq!(left(&place, gone.id).await, "0 0 0 0 0 0 0 0 0");
}

#[tokio::test]
async fn a_step_takes_no_more_large_messages_than_64_mib() {
    let place = Place::new().await;
    let gone = theirs(&place).await;
    send(&place.store, &gone.key, 6).await;
    place.database.execute("UPDATE messages SET raw = convert_to(repeat('x', 20 * 1024 * 1024), 'UTF8')").await;
    place.store.tenant_delete(&platform(), gone.id).await.unwrap();
    place.store.tenant_erase(&system()).await.unwrap();
    assert!(left(&place, gone.id).await.starts_with("2 2 2 2 "));
}

/// Nodes share the work, and one that dies in the middle of a step leaves it whole to the others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_erase_at_once_and_one_that_dies_leaves_its_work_to_the_others() {
    let place = Place::new().await;
    let mut gone = Vec::new();
    for _ in 0..3 {
        let theirs = theirs(&place).await;
        send(&place.store, &theirs.key, 40).await;
        gone.push(theirs.id);
    }
    for id in &gone {
        assert!(place.store.tenant_delete(&platform(), *id).await.unwrap());
    }
    settle_deletions(&place).await;
    for _ in 0..5 {
        let dying = place.other_store();
        let _ = timeout(Duration::from_millis(2), dying.tenant_erase(&system())).await;
    }
    let mut nodes = JoinSet::new();
    for _ in 0..3 {
        let store = place.other_store();
        nodes.spawn(async move {
            erase_all(&store).await;
        });
    }
    timeout(LONG, nodes.join_all()).await.unwrap();
    // A node may have found the last one in another's hands.
    while place.ask("SELECT count(*) FROM tenants WHERE erase_due_at IS NOT NULL").await != "0" {
        erase_all(&place.store).await;
    }
    for id in gone {
        assert_eq!(left(&place, id).await, "0 0 0 0 0 0 0 0 0");
    }
}
