//! What a tenant may send at the moment in which its mail is accepted, by the database and by nothing else.

use std::sync::Arc;
use std::time::Duration;

use selfmx_auth::{Denied, Moment, Permission, Permit, Principal, Secret, Wanted, needs};
use selfmx_domain::{Mode, RateLimit, TenantId};
use selfmx_storage::{Accepted, Error, QuotaStanding, Store};
use selfmx_testing::OsEntropy;
use time::OffsetDateTime;
use tokio::task::JoinSet;

use crate::place::{Place, acceptance, admin, draft, new_tenant, permit, principal, system, tenant_admin};

impl Place {
    /// A tenant that may send so many emails a day; `None`: nothing is said.
    async fn limited(&self, per_day: Option<u32>) -> TenantId {
        let id = self.tenant().await;
        self.limit(id, per_day).await;
        id
    }

    async fn limit(&self, id: TenantId, per_day: Option<u32>) {
        let per_day = per_day.map_or("NULL".to_owned(), |per_day| per_day.to_string());
        self.alter(id, &format!("emails_per_day = {per_day}")).await;
    }

    async fn alter(&self, id: TenantId, set: &str) {
        self.database.execute(&format!("UPDATE tenants SET {set} WHERE id = '{}'", id.as_uuid())).await;
    }

    /// How many emails of a tenant there are, and how many are counted as today's.
    async fn counts(&self, id: TenantId) -> String {
        let id = id.as_uuid();
        let sql = format!(
            "SELECT (SELECT count(*) FROM emails WHERE tenant_id = '{id}') || ' ' || \
             coalesce((SELECT emails FROM quota_days WHERE tenant_id = '{id}' AND day = (now() AT TIME ZONE 'UTC')::date), -1)"
        );
        self.ask(&sql).await
    }
}

/// A key of this tenant, recognised by what stands in the database: it knows of the quota.
async fn signed_in(place: &Place, tenant: TenantId) -> Principal {
    let secret = Secret::generate(Mode::Live, &OsEntropy);
    let wanted = Wanted { tenant: Some(tenant), ..Wanted::new("key".parse().unwrap(), Permission::All.into()) };
    place.store.key_create(&admin().permit().unwrap(), wanted, &secret).await.unwrap();
    let found = place.store.key_find_by_digest(secret.digest()).await.unwrap().unwrap();
    let moment = Moment { now: found.at, origin: Arc::clone(admin().origin()), usual_rate: RateLimit::Unlimited };
    Principal::recognise(&secret, &found.stored, &moment).unwrap()
}

async fn send(store: &Store, permit: &Permit<needs::Send>) -> Result<Accepted, Error> {
    store.email_accept(acceptance(permit, draft(|_| {}))).await
}

fn is_exceeded(result: &Result<Accepted, Error>) -> bool {
    let day = Duration::from_secs(86_400);
    matches!(result, Err(Error::QuotaExceeded { retry_after }) if *retry_after <= day)
}

/// So many tries at once, over two nodes: how many were accepted, and how many went beyond the quota.
async fn race(place: &Place, holder: &Principal, tries: usize) -> (usize, usize) {
    let nodes = [place.store.clone(), place.other_store()];
    let mut sending = JoinSet::new();
    for n in 0..tries {
        let (store, permit) = (nodes[n % 2].clone(), holder.permit().unwrap());
        sending.spawn(async move { send(&store, &permit).await });
    }
    let results = sending.join_all().await;
    (results.iter().filter(|result| result.is_ok()).count(), results.iter().filter(|result| is_exceeded(result)).count())
}

#[tokio::test]
async fn of_two_hundred_at_once_over_two_nodes_the_quota_is_accepted_and_no_more() {
    let place = Place::new().await;
    let tenant = place.limited(Some(50)).await;
    assert_eq!(race(&place, &tenant_admin(tenant), 200).await, (50, 150));
    assert_eq!(place.counts(tenant).await, "50 50");
    assert_eq!(place.rows().await, "50 50 50 50 50");
    assert_eq!(race(&place, &tenant_admin(tenant), 20).await, (0, 20));
    // Whether the node knows of the quota makes no difference.
    place.limit(tenant, Some(100)).await;
    assert_eq!(race(&place, &signed_in(&place, tenant).await, 200).await, (50, 150));
    assert_eq!(place.counts(tenant).await, "100 100");
}

/// What fails while others wait for the counter gives its share back.
#[tokio::test]
async fn what_fails_counts_nothing() {
    let place = Place::new().await;
    let tenant = place.limited(Some(50)).await;
    let refuse = "CREATE SEQUENCE tries; \
         CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF nextval('tries') % 3 = 0 THEN RAISE EXCEPTION 'no'; END IF; RETURN NULL; END $$; \
         CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON events DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()";
    place.database.execute(refuse).await;
    // Each third that gets that far fails, alone or with those that it shares a statement with, which are then tried alone.
    let (accepted, exceeded) = race(&place, &tenant_admin(tenant), 200).await;
    assert!(accepted == 50 && (100..150).contains(&exceeded), "{accepted} {exceeded}");
    assert_eq!(place.counts(tenant).await, "50 50");
}

#[tokio::test]
async fn each_day_has_a_quota_of_its_own() {
    let place = Place::new().await;
    let tenant = place.limited(Some(3)).await;
    assert_eq!(race(&place, &tenant_admin(tenant), 5).await, (3, 2));
    place.database.execute("UPDATE quota_days SET day = day - 1").await;
    assert_eq!(race(&place, &tenant_admin(tenant), 5).await, (3, 2));
    assert_eq!(place.counts(tenant).await, "6 3");
    assert_eq!(place.ask("SELECT string_agg(emails::text, ' ') FROM quota_days").await, "3 3");
}

#[tokio::test]
async fn a_quota_that_changes_counts_from_the_next_email() {
    let place = Place::new().await;
    let tenant = place.limited(Some(5)).await;
    let permit = tenant_admin(tenant).permit().unwrap();
    for (per_day, accepted) in [(Some(5), 3), (Some(4), 1), (Some(2), 0), (Some(5), 1), (Some(0), 4), (None, 4), (Some(5), 0), (Some(6), 1)]
    {
        place.limit(tenant, per_day).await;
        for n in 0..accepted {
            assert!(send(&place.store, &permit).await.is_ok(), "{per_day:?}: {n}");
        }
        if per_day.is_some_and(|limit| limit > 0 && accepted < 3) {
            assert!(is_exceeded(&send(&place.store, &permit).await), "{per_day:?}");
        }
    }
    assert_eq!(place.counts(tenant).await, "14 6");
}

#[tokio::test]
async fn tenants_are_counted_apart_and_those_without_a_quota_not_at_all() {
    let place = Place::new().await;
    let (one, other, free) = (place.limited(Some(2)).await, place.limited(Some(3)).await, place.limited(Some(0)).await);
    let knows = signed_in(&place, one).await;
    place.limit(one, None).await;
    assert!(send(&place.store, &knows.permit().unwrap()).await.is_ok());
    place.limit(one, Some(2)).await;
    for (tenant, seen) in [(one, (2, 3)), (other, (3, 2)), (free, (5, 0))] {
        assert_eq!(race(&place, &tenant_admin(tenant), 5).await, seen);
    }
    assert_eq!(race(&place, &admin(), 5).await, (5, 0));
    assert_eq!([place.counts(one).await, place.counts(other).await, place.counts(free).await], ["3 2", "3 3", "5 -1"]);
    assert_eq!(place.ask("SELECT count(*) FROM quota_days").await, "2");
}

#[tokio::test]
async fn test_mail_goes_nowhere_and_does_not_count() {
    let place = Place::new().await;
    let tenant = place.limited(Some(2)).await;
    let test = principal(Some(tenant), Permission::All, Mode::Test);
    assert_eq!(race(&place, &test, 5).await, (5, 0));
    assert_eq!(race(&place, &tenant_admin(tenant), 5).await, (2, 3));
    assert_eq!(race(&place, &test, 5).await, (5, 0));
    assert_eq!(place.counts(tenant).await, "12 2");
}

/// An email that takes part of a quota is the first, and what is refused in a commit leaves nothing beside what is accepted in it.
#[tokio::test]
async fn of_many_in_one_commit_each_tenant_s_first_are_accepted_as_far_as_its_quota_goes() {
    let place = Place::new().await;
    let (limited, free, halted) = (place.limited(Some(4)).await, place.limited(None).await, place.limited(Some(9)).await);
    place.alter(halted, "status = 'suspended', suspended_at = now()").await;
    let test = principal(Some(limited), Permission::All, Mode::Test);
    let holders = [tenant_admin(limited), test, tenant_admin(free), tenant_admin(halted), tenant_admin(new_tenant())];
    let each = async || {
        let permits = (0..15).map(|n| holders[n % 5].permit().unwrap());
        let asked: Vec<_> =
            permits.map(|permit| acceptance(&permit, draft(|parts| parts.cc = vec!["cc@y.example".parse().unwrap()]))).collect();
        let ids: Vec<_> = asked.iter().map(|asked| asked.id).collect();
        let verdicts = place.store.email_accept_each(asked).await.unwrap();
        assert_eq!(verdicts.len(), 15);
        let told = verdicts.iter().zip(ids).map(|(verdict, id)| match verdict {
            Ok(accepted) => {
                assert_eq!(accepted.id, id);
                'y'
            }
            Err(Error::QuotaExceeded { .. }) => 'q',
            Err(Error::Denied(Denied::Suspended)) => 's',
            Err(Error::NoSuchTenant) => 'd',
            Err(error) => panic!("{error}"),
        });
        told.collect::<String>()
    };
    assert_eq!(each().await, "yyysdyyysdyyysd");
    assert_eq!(each().await, "yyysdqyysdqyysd");
    assert_eq!(each().await, "qyysdqyysdqyysd");
    assert_eq!((place.counts(limited).await, place.counts(halted).await), ("13 4".to_owned(), "0 -1".to_owned()));
    assert_eq!(place.rows().await, "22 22 44 22 22");
    place.database.execute("UPDATE tenants SET emails_per_day = 6").await;
    assert_eq!(each().await, "yyysdyyysdqyysd");
    assert!(place.store.email_accept_each(vec![]).await.unwrap().is_empty());
}

/// The permit was given while the tenant could send, as from a cache.
#[tokio::test]
async fn a_tenant_that_was_suspended_or_deleted_meanwhile_sends_nothing() {
    let place = Place::new().await;
    for per_day in [None, Some(5)] {
        let tenant = place.limited(per_day).await;
        let permit = tenant_admin(tenant).permit().unwrap();
        let before = place.everything().await;
        place.alter(tenant, "status = 'suspended', suspended_at = now()").await;
        let refused = send(&place.store, &permit).await;
        assert!(matches!(refused, Err(Error::Denied(Denied::Suspended))), "{refused:?}");
        place.alter(tenant, "status = 'deleted', deleted_at = now()").await;
        let refused = send(&place.store, &permit).await;
        assert!(matches!(refused, Err(Error::NoSuchTenant)), "{refused:?}");
        assert_eq!(place.counts(tenant).await, "0 -1");
        assert_eq!(place.everything().await, before);
        place.alter(tenant, "status = 'active', suspended_at = NULL, deleted_at = NULL").await;
        assert!(send(&place.store, &permit).await.is_ok());
    }
    let refused = send(&place.store, &tenant_admin(new_tenant()).permit().unwrap()).await;
    assert!(matches!(refused, Err(Error::NoSuchTenant)), "{refused:?}");
}

/// Whoever holds a tenant's row, or the counters of others, keeps no mail waiting that has no quota.
#[tokio::test]
async fn mail_without_a_quota_waits_for_no_lock() {
    let place = Place::new().await;
    let tenant = place.limited(Some(5)).await;
    assert_eq!(race(&place, &tenant_admin(tenant), 1).await, (1, 0));
    let mut other = place.database.connect().await;
    let transaction = other.transaction().await.unwrap();
    transaction.batch_execute("UPDATE tenants SET name = 'changed'; LOCK TABLE quota_days IN ACCESS EXCLUSIVE MODE").await.unwrap();
    assert_eq!(race(&place, &admin(), 5).await, (5, 0));
    transaction.rollback().await.unwrap();
    assert!(send(&place.store, &permit()).await.is_ok());
}

#[tokio::test]
async fn what_is_left_is_told_to_those_with_a_quota_and_asks_nothing_for_the_others() {
    let place = Place::new().await;
    let (tenant, free) = (place.limited(Some(3)).await, place.limited(Some(0)).await);
    let (holder, other) = (signed_in(&place, tenant).await, signed_in(&place, free).await);
    let left = async || place.store.quota_left(&holder).await.unwrap();
    let tomorrow = place.ask("SELECT extract(epoch FROM current_date + 1)::bigint").await.parse().unwrap();
    let resets_at = OffsetDateTime::from_unix_timestamp(tomorrow).unwrap();
    assert_eq!(left().await, Some(QuotaStanding { limit: 3, used: 0, resets_at }));
    assert_eq!(race(&place, &holder, 5).await, (3, 2));
    assert_eq!(left().await, Some(QuotaStanding { limit: 3, used: 3, resets_at }));
    place.limit(tenant, Some(2)).await;
    assert_eq!(left().await, Some(QuotaStanding { limit: 2, used: 3, resets_at }));
    place.limit(tenant, None).await;
    assert_eq!(left().await, None);
    place.limit(tenant, Some(7)).await;
    place.database.execute("UPDATE quota_days SET day = day - 1").await;
    assert_eq!(left().await, Some(QuotaStanding { limit: 7, used: 0, resets_at }));
    place.database.execute("ALTER TABLE tenants RENAME TO elsewhere").await;
    assert_eq!(place.store.quota_left(&other).await.unwrap(), None);
    assert!(place.store.quota_left(&holder).await.is_err());
}

#[tokio::test]
async fn the_counts_of_days_that_are_over_are_forgotten_in_steps() {
    let place = Place::new().await;
    let fill = "INSERT INTO quota_days SELECT gen_random_uuid(), current_date + day, 1, 1 FROM generate_series(-3, 1) AS day, generate_series(1, 5)";
    place.database.execute(fill).await;
    let mut forgotten = Vec::new();
    for _ in 0..4 {
        forgotten.push(place.store.quota_days_forget(&system(), 4).await.unwrap());
    }
    assert_eq!(forgotten, [4, 4, 2, 0]);
    assert_eq!(place.ask("SELECT count(*) || ' ' || (min(day) = current_date - 1) FROM quota_days").await, "15 true");
}
