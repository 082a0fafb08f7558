//! Suspending and resuming: what is queued is held from that instant on, and nothing is lost or sent twice.

mod walk;

use std::collections::BTreeMap;
use std::time::Duration;

use selfmx_auth::{Denied, Permission, Principal};
use selfmx_domain::{EmailId, EmailStatus, TenantId, TenantStatus};
use selfmx_storage::{Delivery, Error, Lease, Store};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::place::{LONG, Place, accept, acceptance, admin, draft, new_tenant, system, tenant_admin};
use crate::settle::{deferred, delivered};
use crate::tenants::{audited, platform, tenant};

/// A tenant, and a key of its own.
async fn tenant_with_key(place: &Place) -> (TenantId, Principal) {
    let id = tenant(place).await.id;
    (id, tenant_admin(id))
}

async fn send(store: &Store, key: &Principal) -> EmailId {
    accept(store, &key.permit().unwrap(), |_| {}).await
}

/// Sends, if that is allowed.
async fn offer(store: &Store, key: &Principal) -> Result<EmailId, Error> {
    Ok(store.email_accept(acceptance(&key.permit().unwrap(), draft(|_| {}))).await?.id)
}

async fn suspend(store: &Store, id: TenantId) {
    assert!(!store.tenant_suspend(&platform(), id).await.unwrap().unwrap().is_active());
}

async fn resume(store: &Store, id: TenantId) {
    assert!(store.tenant_resume(&platform(), id).await.unwrap().unwrap().is_active());
}

/// Brings back all that there is to bring back.
async fn bring_back(store: &Store) -> usize {
    let mut all = 0;
    loop {
        match store.queue_resume(&system()).await.unwrap() {
            0 => return all,
            some => all += some,
        }
    }
}

fn ids(leases: &[Lease<Delivery>]) -> Vec<EmailId> {
    leases.iter().map(|lease| lease.work().email_id).collect()
}

#[tokio::test]
async fn suspending_and_resuming_are_told_once_and_repeated_without_effect() {
    let place = Place::new().await;
    let id = tenant(&place).await.id;
    let first = place.store.tenant_suspend(&platform(), id).await.unwrap().unwrap();
    assert_eq!(first.status, TenantStatus::Suspended { since: first.updated_at });
    let again = place.store.tenant_suspend(&platform(), id).await.unwrap().unwrap();
    assert_eq!((again.status, again.updated_at), (first.status, first.updated_at));
    let found = place.store.tenant_find(&platform(), id).await.unwrap().unwrap();
    assert_eq!((found.status, found.updated_at), (first.status, first.updated_at));
    let resumed = place.store.tenant_resume(&platform(), id).await.unwrap().unwrap();
    assert!(resumed.is_active() && resumed.updated_at > first.updated_at);
    let again = place.store.tenant_resume(&platform(), id).await.unwrap().unwrap();
    assert_eq!((again.status, again.updated_at), (resumed.status, resumed.updated_at));
    let entries = audited(&place).await;
    assert_eq!(entries.len(), 3, "{entries:?}");
    assert!(entries[1].starts_with(r#"tenant.suspend t {"name": "Acme"} {"name": "Acme", "suspended_at": "#), "{entries:?}");
    assert!(entries[2].starts_with("tenant.resume t ") && entries[2].ends_with(r#" {"name": "Acme"}"#), "{entries:?}");
    assert!(place.store.tenant_suspend(&platform(), new_tenant()).await.unwrap().is_none());
    assert!(place.store.tenant_resume(&platform(), new_tenant()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_key_that_was_revoked_meanwhile_suspends_and_resumes_nothing() {
    let place = Place::new().await;
    let id = tenant(&place).await.id;
    let maker = place.keyed(None, Permission::All).await;
    let permit = maker.platform_permit().unwrap();
    place.store.key_revoke(&admin().permit().unwrap(), maker.key().id).await.unwrap();
    assert!(matches!(place.store.tenant_suspend(&permit, id).await, Err(Error::Denied(_))));
    suspend(&place.store, id).await;
    assert!(matches!(place.store.tenant_resume(&permit, id).await, Err(Error::Denied(_))));
    assert!(!place.store.tenant_find(&platform(), id).await.unwrap().unwrap().is_active());
}

#[tokio::test]
async fn a_suspended_tenant_s_mail_is_not_leased_and_comes_back_in_order_when_it_is_resumed() {
    let place = Place::new().await;
    let (id, key) = tenant_with_key(&place).await;
    let (mut own, mut others) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        own.push(send(&place.store, &key).await);
        others.push(place.accept(|_| {}).await);
    }
    suspend(&place.store, id).await;
    // Also what was accepted by a statement that had begun before.
    place.fill_for(id, 1, "1", "now()").await;
    let late = place.ask("SELECT email_id FROM queue ORDER BY due_at DESC LIMIT 1").await;
    own.push(EmailId::from_uuid(late.parse().unwrap()));
    let mut leased = place.lease(3).await;
    while leased.len() < 5 {
        leased.extend(place.lease(3).await);
    }
    assert_eq!(ids(&leased), others);
    assert!(place.lease(100).await.is_empty() && place.other_store().queue_lease(&system(), 100, LONG, &[]).await.unwrap().is_empty());
    assert_eq!(place.ask("SELECT concat(count(*) FILTER (WHERE held), ' ', count(*)) FROM queue").await, "6 11");
    assert_eq!(place.store.queue_depth().await.unwrap(), 11);
    assert_eq!(bring_back(&place.store).await, 0);
    resume(&place.other_store(), id).await;
    assert!(place.lease(100).await.is_empty());
    place.store.work_arrived().await;
    assert_eq!(bring_back(&place.store).await, 6);
    timeout(LONG, place.store.work_arrived()).await.unwrap();
    assert_eq!(ids(&place.lease(100).await), own);
}

#[tokio::test]
async fn what_is_on_its_way_when_its_tenant_is_suspended_is_recorded_even_late() {
    let place = Place::new().await;
    let (id, key) = tenant_with_key(&place).await;
    for _ in 0..4 {
        send(&place.store, &key).await;
    }
    let mut leases = place.lease(4).await;
    suspend(&place.store, id).await;
    let keys: Vec<_> = leases.iter().map(Lease::key).collect();
    assert_eq!(place.store.queue_renew(&system(), &keys, LONG).await.unwrap().len(), 4);
    let settle = async |settlement| place.store.queue_settle(&system(), &[settlement]).await.unwrap().len();
    assert_eq!(settle(delivered(leases.remove(0))).await, 1);
    // Leases that run out are not passed on.
    place.database.execute("UPDATE queue SET due_at = now()").await;
    assert!(place.lease(10).await.is_empty());
    assert_eq!(place.ask("SELECT count(*) FROM queue WHERE held").await, "3");
    let late = leases.remove(0);
    let late_id = late.work().email_id;
    assert_eq!(settle(delivered(late)).await, 1);
    let email = place.store.email_find(&key.permit().unwrap(), late_id).await.unwrap().unwrap();
    assert_eq!(email.summary.status, EmailStatus::Delivered);
    assert_eq!(settle(deferred(leases.remove(0))).await, 1);
    place.store.queue_release(&system(), vec![leases.remove(0)]).await.unwrap();
    assert!(place.lease(10).await.is_empty());
    resume(&place.store, id).await;
    assert_eq!(bring_back(&place.store).await, 2);
    assert_eq!(place.lease(10).await.len(), 1);
    place.database.execute("UPDATE queue SET due_at = now() WHERE lease_token IS NULL").await;
    assert_eq!(place.lease(10).await.len(), 1);
}

/// Whoever looks finds the work behind what has to be set aside, however much that is.
#[tokio::test]
async fn work_behind_a_long_row_of_held_mail_is_found_without_waiting() {
    for held in [3_000, 20_000] {
        let place = Place::new().await;
        let (_, key) = tenant_with_key(&place).await;
        place.fill(held, "1", "now() - interval '1 hour'").await;
        suspend(&place.store, TenantId::DEFAULT).await;
        let id = send(&place.store, &key).await;
        assert_eq!(ids(&place.lease(10).await), [id]);
    }
}

#[tokio::test]
async fn what_an_outdated_claim_set_aside_comes_back_by_itself() {
    let place = Place::new().await;
    let (id, key) = tenant_with_key(&place).await;
    let (other, suspended) = tenant_with_key(&place).await;
    for _ in 0..3 {
        send(&place.store, &key).await;
        send(&place.store, &suspended).await;
    }
    suspend(&place.store, other).await;
    // As a claim leaves it that saw the tenant before it was resumed.
    place.database.execute("UPDATE queue SET held = true").await;
    assert!(place.lease(10).await.is_empty());
    assert_eq!(place.other_store().queue_resume(&system()).await.unwrap(), 3);
    assert!(place.lease(10).await.iter().all(|lease| lease.work().tenant == id));
    assert_eq!(place.store.queue_resume(&system()).await.unwrap(), 0);
}

/// Steps are bounded, any node takes the next, and a tenant with much does not keep another from coming back.
#[tokio::test]
async fn a_node_that_dies_while_it_brings_mail_back_leaves_the_rest_to_the_next() {
    let place = Place::new().await;
    place.fill(2_500, "n % 3", "now() - n * interval '1 second'").await;
    suspend(&place.store, TenantId::DEFAULT).await;
    while place.ask("SELECT count(*) FROM queue WHERE NOT held").await != "0" {
        assert!(place.lease(10).await.is_empty());
    }
    for _ in 0..15 {
        let (other, key) = tenant_with_key(&place).await;
        send(&place.store, &key).await;
        suspend(&place.store, other).await;
    }
    assert!(place.lease(20).await.is_empty());
    resume(&place.store, TenantId::DEFAULT).await;
    // A small one beside the large one.
    let small = place.ask("SELECT tenant_id FROM queue WHERE tenant_id <> '00000000-0000-0000-0000-000000000000' LIMIT 1").await;
    resume(&place.store, TenantId::from_uuid(small.parse().unwrap())).await;
    {
        let dying = place.other_store();
        assert_eq!(dying.queue_resume(&system()).await.unwrap(), 201);
        // Cut off in the middle: it has happened or not.
        let _ = timeout(Duration::from_millis(1), dying.queue_resume(&system())).await;
    }
    let rest = bring_back(&place.other_store()).await;
    assert!([2_100, 2_300].contains(&rest), "{rest}");
    assert_eq!(place.ask("SELECT count(*) FROM queue WHERE held").await, "14");
}

/// Two nodes work while a third accepts, and the tenant is suspended and resumed as fast as that goes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn suspending_and_resuming_quickly_loses_nothing_and_sends_nothing_twice() {
    let place = Place::new().await;
    let (id, key) = tenant_with_key(&place).await;
    // Never empty until all is accepted.
    let last = place.accept(|_| {}).await;
    place.database.execute("UPDATE queue SET due_at = now() + interval '1 hour'").await;
    let mut nodes = JoinSet::new();
    for _ in 0..2 {
        let store = place.other_store();
        nodes.spawn(async move {
            let mut sent: BTreeMap<EmailId, u32> = BTreeMap::new();
            while store.queue_depth().await.unwrap() > 0 {
                store.queue_resume(&system()).await.unwrap();
                for lease in store.queue_lease(&system(), 3, LONG, &[]).await.unwrap() {
                    *sent.entry(lease.work().email_id).or_default() += 1;
                    assert_eq!(store.queue_settle(&system(), &[delivered(lease)]).await.unwrap().len(), 1);
                }
            }
            sent
        });
    }
    let toggling = tokio::spawn({
        let store = place.other_store();
        async move {
            for _ in 0..60 {
                suspend(&store, id).await;
                resume(&store, id).await;
            }
        }
    });
    let mut accepted = 0;
    while accepted < 200 {
        match offer(&place.store, &key).await {
            Ok(_) => accepted += 1,
            Err(error) => assert!(matches!(error, Error::Denied(Denied::Suspended)), "{error:?}"),
        }
    }
    timeout(LONG, toggling).await.unwrap().unwrap();
    place.database.execute(&format!("UPDATE queue SET due_at = now() WHERE email_id = '{}'", last.as_uuid())).await;
    let sent = timeout(LONG, nodes.join_all()).await.unwrap();
    let times: Vec<_> = sent.iter().flat_map(BTreeMap::values).copied().collect();
    assert_eq!((times.len(), times.iter().max()), (201, Some(&1)));
    assert_eq!(place.ask("SELECT count(*) FROM emails WHERE status = 'delivered'").await, "201");
}
