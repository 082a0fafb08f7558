//! Suppression lists: who bounces for good is put there in the same commit, and whoever stands there is never attempted.

use std::sync::Arc;

use selfmx_auth::{Permission, Permit, needs};
use selfmx_domain::{
    Address, EmailStatus, EventKind, PageLimit, PageRequest, PageStart, RecipientState, SuppressionId, SuppressionReason, TenantId,
};
use selfmx_storage::{Erasing, Error, PoolSettings};
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::place::{LONG, Place, accept, acceptance, admin, draft, permit, store, system, tenant_admin};
use crate::settle::{bounced, delivered};
use crate::tenants::platform;

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

fn writer() -> Permit<needs::SuppressionsWrite> {
    admin().permit().unwrap()
}

async fn suppress(place: &Place, text: &str) -> SuppressionId {
    place.store.suppression_create(&writer(), &address(text), SuppressionReason::Manual).await.unwrap().suppression.id
}

async fn all(place: &Place, tenant: TenantId) -> Vec<String> {
    let reader = if tenant == TenantId::DEFAULT { admin() } else { tenant_admin(tenant) };
    let page = PageRequest { start: PageStart::First, limit: PageLimit::MOST };
    let listed = place.store.suppression_list(&reader.permit().unwrap(), None, page).await.unwrap();
    listed.items.iter().map(|item| format!("{} {}", item.reason.as_str(), item.address)).collect()
}

#[tokio::test]
async fn who_bounces_for_good_stands_on_the_list_of_that_tenant_once() {
    let place = Place::new().await;
    let tenant = place.tenant().await;
    for _ in 0..2 {
        place.accept(|parts| parts.to = vec!["Gone@y.example".parse().unwrap(), "a@y.example".parse().unwrap()]).await;
    }
    // Both were accepted before either bounced, and both bounce in one commit.
    let leases = place.lease(2).await;
    let first = leases[0].work().email_id;
    let settlements: Vec<_> = leases.into_iter().map(|lease| bounced(lease, &["gone@y.example"])).collect();
    assert_eq!(place.store.queue_settle(&system(), &settlements).await.unwrap().len(), 2);
    assert_eq!((all(&place, TenantId::DEFAULT).await, all(&place, tenant).await), (vec!["bounce Gone@y.example".to_owned()], vec![]));
    let found = place.store.suppression_find(&admin().permit().unwrap(), &address("gone@Y.example")).await.unwrap().unwrap();
    assert!(found.email_id == Some(first) || place.ask("SELECT count(DISTINCT email_id) FROM suppressions").await == "1");
    assert_eq!(found.response.as_deref(), Some("550 5.1.1 no such user"));
    assert_eq!(place.ask("SELECT count(*) FROM audit_logs WHERE action LIKE 'suppression%'").await, "0");
}

#[tokio::test]
async fn a_worker_whose_lease_was_taken_suppresses_nobody() {
    let place = Place::new().await;
    place.accept(|parts| parts.to = vec!["gone@y.example".parse().unwrap()]).await;
    let stale = place.lease_one().await;
    place.database.execute("UPDATE queue SET due_at = now()").await;
    let fresh = place.lease_one().await;
    assert!(place.store.queue_settle(&system(), &[bounced(stale, &["gone@y.example"])]).await.unwrap().is_empty());
    assert_eq!(all(&place, TenantId::DEFAULT).await, Vec::<String>::new());
    assert_eq!(place.store.queue_settle(&system(), &[delivered(fresh)]).await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_suppressed_are_recorded_and_the_others_wait() {
    let place = Place::new().await;
    suppress(&place, "b@y.example").await;
    suppress(&place, "Ä@y.example").await;
    let to = ["a@y.example", "B@y.example", "Ä@y.example"].map(|text| text.parse().unwrap());
    let some = place.accept(|parts| parts.to = to.to_vec()).await;
    let none = place.accept(|parts| parts.to = to[1..].to_vec()).await;
    let read = async |id| place.store.email_find(&admin().permit().unwrap(), id).await.unwrap().unwrap();
    let (some, none) = (read(some).await, read(none).await);
    let states: Vec<_> = some.recipients.iter().map(|recipient| recipient.state.as_str()).collect();
    assert_eq!((some.summary.status, states), (EmailStatus::Queued, vec!["queued", "suppressed", "suppressed"]));
    assert_eq!(none.summary.status, EmailStatus::Failed);
    assert!(none.recipients.iter().all(|recipient| recipient.state == RecipientState::Suppressed && recipient.last_response.is_none()));
    let kinds: Vec<_> = none.events.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::Queued, EventKind::Suppressed, EventKind::Suppressed]);
    let lease = place.lease_one().await;
    assert_eq!(lease.work().waiting.iter().map(|waiting| waiting.address.to_string()).collect::<Vec<_>>(), ["a@y.example"]);
    assert!(place.lease(10).await.is_empty());
    assert_eq!(place.store.queue_settle(&system(), &[delivered(lease)]).await.unwrap().len(), 1);
    assert_eq!(read(some.summary.id).await.summary.status, EmailStatus::Failed);
    assert_eq!(place.store.queue_depth().await.unwrap(), 0);
}

#[tokio::test]
async fn another_tenant_s_list_bars_nobody_and_is_not_reached() {
    let place = Place::new().await;
    let tenant = place.tenant().await;
    let theirs = place.keyed(Some(tenant), Permission::All).await;
    suppress(&place, "a@y.example").await;
    accept(&place.store, &theirs.permit().unwrap(), |parts| parts.to = vec!["a@y.example".parse().unwrap()]).await;
    assert_eq!(place.lease(10).await.len(), 1);
    let wanted = address("a@y.example");
    assert!(place.store.suppression_find(&theirs.permit().unwrap(), &wanted).await.unwrap().is_none());
    assert!(!place.store.suppression_delete(&theirs.permit().unwrap(), &wanted).await.unwrap());
    assert!(place.store.suppression_delete(&writer(), &wanted).await.unwrap());
    assert!(!place.store.suppression_delete(&writer(), &wanted).await.unwrap());
}

#[tokio::test]
async fn a_key_that_was_revoked_meanwhile_changes_no_list() {
    let place = Place::new().await;
    let maker = place.keyed(None, Permission::SuppressionsWrite).await;
    let (permit, wanted) = (maker.permit().unwrap(), address("a@y.example"));
    assert!(place.store.suppression_create(&permit, &wanted, SuppressionReason::Complaint).await.unwrap().is_new);
    place.store.key_revoke(&admin().permit().unwrap(), maker.key().id).await.unwrap();
    assert!(matches!(
        place.store.suppression_create(&permit, &address("b@y.example"), SuppressionReason::Manual).await,
        Err(Error::Denied(_))
    ));
    assert!(matches!(place.store.suppression_delete(&permit, &wanted).await, Err(Error::Denied(_))));
    assert_eq!(all(&place, TenantId::DEFAULT).await, ["complaint a@y.example"]);
}

/// An address that many put on the list and take away at once is there or not, and each change is noted once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_suppress_and_release_at_once_do_not_fail() {
    let place = Place::new().await;
    let barrier = Arc::new(Barrier::new(8));
    let mut tasks = JoinSet::new();
    for n in 0..8 {
        let (store, barrier) = (place.store.clone(), Arc::clone(&barrier));
        tasks.spawn(async move {
            barrier.wait().await;
            for _ in 0..20 {
                if n % 2 == 0 {
                    store.suppression_create(&writer(), &address("a@y.example"), SuppressionReason::Manual).await.unwrap();
                } else {
                    store.suppression_delete(&writer(), &address("a@y.example")).await.unwrap();
                }
            }
        });
    }
    tasks.join_all().await;
    let counts = "SELECT count(*) FILTER (WHERE action = 'suppression.create') - count(*) FILTER (WHERE action = 'suppression.delete') FROM audit_logs";
    assert_eq!(place.ask(counts).await, place.ask("SELECT count(*) FROM suppressions").await);
}

#[tokio::test]
async fn a_deleted_tenant_s_list_is_erased() {
    let place = Place::new().await;
    let tenant = place.tenant().await;
    let fill = "INSERT INTO suppressions (tenant_id, id, address, folded, reason) SELECT 'ID', gen_random_uuid(), n || '@y.example', n || '@y.example', 'manual' FROM generate_series(1, 2500) AS n";
    place.database.execute(&fill.replace("ID", &tenant.as_uuid().to_string())).await;
    suppress(&place, "kept@y.example").await;
    place.store.tenant_delete(&platform(), tenant).await.unwrap();
    let mut steps = 0;
    while place.store.tenant_erase(&system()).await.unwrap() == Erasing::Some {
        steps += 1;
    }
    assert!(steps >= 3, "{steps}");
    assert_eq!(place.ask("SELECT string_agg(address, ' ') FROM suppressions").await, "kept@y.example");
}

/// Whoever is not on a long list pays no more than where there is none.
#[tokio::test]
async fn a_long_list_is_looked_up_and_not_read() {
    let place = Place::new().await;
    place.database.execute(&format!("ALTER DATABASE {} SET plan_cache_mode = force_generic_plan", place.database.name())).await;
    let one = store(&place.address(), PoolSettings { size: 1, ..PoolSettings::default() });
    let send = async || one.email_accept(acceptance(&permit(), draft(|_| {}))).await.unwrap();
    // The plan is made while the list is empty.
    send().await;
    let fill = "INSERT INTO suppressions (tenant_id, id, address, folded, reason) SELECT '00000000-0000-0000-0000-000000000000', gen_random_uuid(), n || '@y.example', n || '@y.example', 'manual' FROM generate_series(1, 30000) AS n";
    place.database.execute(fill).await;
    for _ in 0..10 {
        send().await;
    }
    drop(one);
    // A process tells at the latest when it ends what it has read.
    let gone = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'selfmx'";
    timeout(LONG, async { while place.ask(gone).await != "0" {} }).await.unwrap();
    let read = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_all_tables WHERE relname = 'suppressions'";
    assert_eq!(place.ask(read).await, "0");
}
