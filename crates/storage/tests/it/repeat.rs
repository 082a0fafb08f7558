//! Requests that are repeated: one mail each, whoever repeats them where and when, and a key that nothing was accepted under is free.

mod walk;

use selfmx_auth::{Denied, Permission, Principal};
use selfmx_domain::{EmailId, Fingerprint, Idempotency, Mode, TenantId};
use selfmx_storage::{Acceptance, Accepted, Error, Store};
use tokio::task::JoinSet;

use crate::place::{Place, acceptance, admin, draft, principal, system, tenant_admin};

/// An email of the holder's under this key, that asks for `what`.
fn asked(holder: &Principal, key: &str, what: u8) -> Acceptance {
    let idempotency = Idempotency { key: key.parse().unwrap(), fingerprint: Fingerprint([what; 32]), part: 0 };
    Acceptance { idempotency: Some(idempotency), ..acceptance(&holder.permit().unwrap(), draft(|_| {})) }
}

async fn send(store: &Store, holder: &Principal, key: &str, what: u8) -> Result<Accepted, Error> {
    store.email_accept(asked(holder, key, what)).await
}

/// The id of what was accepted, and whether it had been before.
fn told(result: Result<Accepted, Error>) -> (EmailId, bool) {
    let accepted = result.unwrap();
    (accepted.id, accepted.repeated)
}

async fn limit(place: &Place, tenant: TenantId, per_day: u32) {
    place.database.execute(&format!("UPDATE tenants SET emails_per_day = {per_day} WHERE id = '{}'", tenant.as_uuid())).await;
}

async fn used(place: &Place, tenant: TenantId) -> String {
    place.ask(&format!("SELECT coalesce(sum(emails), 0) FROM quota_days WHERE tenant_id = '{}'", tenant.as_uuid())).await
}

async fn keys(place: &Place) -> String {
    place.ask("SELECT count(*) FROM idempotency_keys").await
}

#[tokio::test]
async fn a_request_that_is_repeated_is_told_what_the_first_one_was_and_writes_nothing() {
    let place = Place::new().await;
    let first = send(&place.store, &admin(), "order-7", 1).await.unwrap();
    assert!(!first.repeated);
    let committed = "SELECT count(DISTINCT xmin::text) FROM (SELECT xmin FROM emails UNION ALL SELECT xmin FROM queue UNION ALL SELECT xmin FROM idempotency_keys) AS every";
    assert_eq!(place.ask(committed).await, "1");
    let before = place.everything().await;
    for store in [&place.store, &place.other_store()] {
        assert_eq!(send(store, &admin(), "order-7", 1).await.unwrap(), Accepted { repeated: true, ..first });
        let other = send(store, &admin(), "order-7", 2).await;
        assert!(matches!(other, Err(Error::IdempotencyConflict)), "{other:?}");
    }
    assert_eq!((place.everything().await, keys(&place).await), (before, "1".to_owned()));
    // What was delivered and erased meanwhile makes no difference.
    place.database.execute("DELETE FROM emails; DELETE FROM queue").await;
    assert_eq!(send(&place.store, &admin(), "order-7", 1).await.unwrap(), Accepted { repeated: true, ..first });
    assert!(!send(&place.store, &admin(), "order-8", 1).await.unwrap().repeated);
}

#[tokio::test]
async fn of_fifty_at_once_over_two_nodes_one_is_written_and_all_are_told_of_it() {
    let place = Place::new().await;
    let limited = place.tenant().await;
    limit(&place, limited, 100).await;
    let nodes = [place.store.clone(), place.other_store()];
    for (round, holder) in [admin(), tenant_admin(limited)].into_iter().cycle().take(10).enumerate() {
        let mut sending = JoinSet::new();
        for n in 0..50 {
            let (store, asked) = (nodes[n % 2].clone(), asked(&holder, &format!("round {round}").replace(' ', "-"), 1));
            sending.spawn(async move { store.email_accept(asked).await });
        }
        let told: Vec<_> = sending.join_all().await.into_iter().map(told).collect();
        assert!(told.iter().all(|(id, _)| *id == told[0].0), "{told:?}");
        assert_eq!(told.iter().filter(|(_, repeated)| !repeated).count(), 1);
        let so_far = round + 1;
        assert_eq!(place.rows().await, format!("{so_far} {so_far} {so_far} {so_far} {so_far}"));
    }
    assert_eq!((used(&place, limited).await, keys(&place).await), ("5".to_owned(), "10".to_owned()));
}

/// What the first one becomes is not known before it has committed: the others wait.
#[tokio::test]
async fn whoever_repeats_a_request_that_is_not_done_waits_and_takes_its_place_where_it_fails() {
    let place = Place::new().await;
    for (end, repeated) in [("ROLLBACK", false), ("COMMIT", true)] {
        let mut other = place.database.connect().await;
        let transaction = other.transaction().await.unwrap();
        // Whatever digest the store gives it.
        send(&place.store, &admin(), end, 1).await.unwrap();
        place.database.execute("CREATE TABLE IF NOT EXISTS kept AS SELECT * FROM idempotency_keys; DELETE FROM idempotency_keys").await;
        transaction.batch_execute("INSERT INTO idempotency_keys SELECT * FROM kept").await.unwrap();
        let (store, asked) = (place.store.clone(), asked(&admin(), end, 1));
        let waiting = tokio::spawn(async move { store.email_accept(asked).await });
        place.until_blocked(1).await;
        match end {
            "COMMIT" => transaction.commit().await.unwrap(),
            _ => transaction.rollback().await.unwrap(),
        }
        assert_eq!(told(waiting.await.unwrap()).1, repeated, "{end}");
        place.database.execute("DROP TABLE kept; DELETE FROM idempotency_keys").await;
    }
}

#[tokio::test]
async fn tenants_have_keys_apart_from_each_other_and_so_have_test_keys() {
    let place = Place::new().await;
    let (one, other) = (tenant_admin(place.tenant().await), place.tenant().await);
    let (live, test) = (tenant_admin(other), principal(Some(other), Permission::All, Mode::Test));
    for holder in [&one, &live, &test, &admin()] {
        assert!(!send(&place.store, holder, "order-7", 1).await.unwrap().repeated);
    }
    // Two keys of one tenant's share them.
    assert!(send(&place.store, &tenant_admin(other), "order-7", 1).await.unwrap().repeated);
    assert_eq!(keys(&place).await, "4");
}

#[tokio::test]
async fn a_key_that_nothing_was_accepted_under_is_free() {
    let place = Place::new().await;
    let tenant = place.tenant().await;
    let holder = tenant_admin(tenant);
    let set = async |set: &str| place.database.execute(&format!("UPDATE tenants SET {set} WHERE id = '{}'", tenant.as_uuid())).await;
    for per_day in [0, 5] {
        limit(&place, tenant, per_day).await;
        set("status = 'suspended', suspended_at = now()").await;
        assert!(matches!(send(&place.store, &holder, "order-7", 1).await, Err(Error::Denied(Denied::Suspended))));
        set("status = 'deleted', deleted_at = now()").await;
        assert!(matches!(send(&place.store, &holder, "order-7", 1).await, Err(Error::NoSuchTenant)));
        set("status = 'active', suspended_at = NULL, deleted_at = NULL").await;
        assert_eq!((keys(&place).await, used(&place, tenant).await), ("0".to_owned(), "0".to_owned()));
    }
    limit(&place, tenant, 1).await;
    assert!(!send(&place.store, &holder, "order-8", 1).await.unwrap().repeated);
    for what in [1, 2] {
        assert!(matches!(send(&place.store, &holder, "order-7", what).await, Err(Error::QuotaExceeded { .. })));
    }
    // What was accepted is told however little is left, and what conflicts with it does.
    assert!(send(&place.store, &holder, "order-8", 1).await.unwrap().repeated);
    assert!(matches!(send(&place.store, &holder, "order-8", 2).await, Err(Error::IdempotencyConflict)));
    assert_eq!((keys(&place).await, used(&place, tenant).await), ("1".to_owned(), "1".to_owned()));
    limit(&place, tenant, 2).await;
    assert!(!send(&place.store, &holder, "order-7", 3).await.unwrap().repeated);
}

#[tokio::test]
async fn what_fails_at_the_very_end_of_the_commit_leaves_its_key_free() {
    let place = Place::new().await;
    let tenant = place.tenant().await;
    place.refuse_commits().await;
    for per_day in [0, 5] {
        limit(&place, tenant, per_day).await;
        assert!(send(&place.store, &tenant_admin(tenant), "order-7", 1).await.is_err());
        assert_eq!((place.rows().await, keys(&place).await), ("0 0 0 0 0".to_owned(), "0".to_owned()));
    }
    place.database.execute("DROP TRIGGER refuse ON events").await;
    assert!(!send(&place.store, &tenant_admin(tenant), "order-7", 2).await.unwrap().repeated);
}

#[tokio::test]
async fn of_many_in_one_commit_the_first_of_each_key_is_written() {
    let place = Place::new().await;
    let (free, limited) = (tenant_admin(place.tenant().await), place.tenant().await);
    let few = tenant_admin(limited);
    limit(&place, limited, 2).await;
    let plain = || acceptance(&free.permit().unwrap(), draft(|_| {}));
    for lists in [vec![&free], vec![&free, &few]] {
        place.database.execute("DELETE FROM idempotency_keys; DELETE FROM quota_days").await;
        for holder in lists {
            let list = vec![
                plain(),
                asked(holder, "a", 1),
                asked(holder, "b", 1),
                asked(holder, "a", 1),
                plain(),
                asked(holder, "a", 2),
                asked(holder, "c", 1),
            ];
            let ids: Vec<_> = list.iter().map(|asked| asked.id).collect();
            let mut verdicts = place.store.email_accept_each(list).await.unwrap();
            let last = verdicts.pop().unwrap();
            assert_eq!(last.is_ok(), holder.tenant().id != limited, "{last:?}");
            assert!(matches!(verdicts.remove(5), Err(Error::IdempotencyConflict)));
            let told: Vec<_> = verdicts.into_iter().map(told).collect();
            assert_eq!(told, [(ids[0], false), (ids[1], false), (ids[2], false), (ids[1], true), (ids[4], false)]);
        }
    }
    assert_eq!(used(&place, limited).await, "2");
}

#[tokio::test]
async fn a_key_is_forgotten_after_a_day_and_its_row_goes_in_steps() {
    let place = Place::new().await;
    let age = async |key: &str, by: &str| {
        let sql = format!("UPDATE idempotency_keys SET created_at = now() - interval '{by}' WHERE email_id = '{key}'");
        place.database.execute(&sql).await;
    };
    let (first, _) = told(send(&place.store, &admin(), "order-7", 1).await);
    age(&first.as_uuid().to_string(), "23 hours 59 minutes").await;
    assert_eq!(told(send(&place.store, &admin(), "order-7", 1).await), (first, true));
    assert_eq!(place.store.idempotency_keys_forget(&system(), 10).await.unwrap(), 0);
    age(&first.as_uuid().to_string(), "24 hours").await;
    let (second, repeated) = told(send(&place.store, &admin(), "order-7", 2).await);
    assert!(!repeated && second != first);
    assert_eq!(told(send(&place.store, &admin(), "order-7", 2).await), (second, true));
    assert!(matches!(send(&place.store, &admin(), "order-7", 1).await, Err(Error::IdempotencyConflict)));
    for n in 0..5 {
        let (old, _) = told(send(&place.store, &admin(), &format!("old-{n}"), 1).await);
        age(&old.as_uuid().to_string(), "25 hours").await;
    }
    let mut forgotten = Vec::new();
    for _ in 0..4 {
        forgotten.push(place.store.idempotency_keys_forget(&system(), 2).await.unwrap());
    }
    assert_eq!((forgotten, keys(&place).await), (vec![2, 2, 1, 0], "1".to_owned()));
}

/// A key that is too old is taken over by one of those who want it, whether or not it is being deleted just then.
#[tokio::test]
async fn an_old_key_is_taken_over_once() {
    let place = Place::new().await;
    let nodes = [place.store.clone(), place.other_store()];
    for round in 0..10_usize {
        told(send(&place.store, &admin(), "order-7", 1).await);
        place.database.execute("UPDATE idempotency_keys SET created_at = now() - interval '25 hours'").await;
        let (forgetting, system) = (nodes[round % 2].clone(), system());
        let forgetting = tokio::spawn(async move { forgetting.idempotency_keys_forget(&system, 10).await.unwrap() });
        let mut sending = JoinSet::new();
        for n in 0..10 {
            let (store, asked) = (nodes[n % 2].clone(), asked(&admin(), "order-7", 2));
            sending.spawn(async move { store.email_accept(asked).await });
        }
        let told: Vec<_> = sending.join_all().await.into_iter().map(told).collect();
        assert!(told.iter().all(|(id, _)| *id == told[0].0), "{told:?}");
        assert_eq!(told.iter().filter(|(_, repeated)| !repeated).count(), 1);
        forgetting.await.unwrap();
        assert_eq!(keys(&place).await, "1");
        place.database.execute("DELETE FROM idempotency_keys").await;
    }
}
