//! Mail that waits for its time, is put off or called off: exactly one of an attempt and a cancellation wins.

mod race;

use selfmx_auth::{Allowed, ApiKey, Authority, Permission, Principal};
use selfmx_domain::Clock as _;
use selfmx_domain::{
    Address, EmailFilter, EmailId, EmailStatus, Mode, PageLimit, PageRequest, PageStart, Problem, RecipientState, TenantId, Unchangeable,
};
use selfmx_storage::{Acceptance, Accepted, Error, Recalled, Settlement};
use selfmx_testing::SystemClock;
use time::{Duration, OffsetDateTime};

use crate::place::{LONG, Place, acceptance, admin, draft, permit, principal, principal_of, system, tenant_admin};
use crate::settle::{deferred, delivered};

/// The database's time, moved.
async fn at(place: &Place, moved: Duration) -> OffsetDateTime {
    let now: f64 = place.ask("SELECT extract(epoch FROM clock_timestamp())").await.parse().unwrap();
    OffsetDateTime::UNIX_EPOCH + Duration::seconds_f64(now) + moved
}

async fn scheduled(place: &Place, holder: &Principal, moved: Duration) -> Result<Accepted, Error> {
    let at = at(place, moved).await;
    place.store.email_accept(acceptance(&holder.permit().unwrap(), draft(|parts| parts.scheduled_at = Some(at)))).await
}

async fn status(place: &Place, id: EmailId) -> EmailStatus {
    let email = place.store.email_find(&admin().permit().unwrap(), id).await.unwrap().unwrap();
    let mut listed = Vec::new();
    for status in EmailStatus::ALL {
        let page = PageRequest { start: PageStart::First, limit: PageLimit::default() };
        let filter = EmailFilter { status: Some(status), ..EmailFilter::default() };
        let found = place.store.email_list(&admin().permit().unwrap(), &filter, page).await.unwrap();
        listed.extend(found.items.into_iter().filter(|found| found.id == id).map(|found| (found.status, status)));
    }
    // A list shows what it was asked for, and nothing twice.
    assert_eq!(listed, [(email.summary.status, email.summary.status)]);
    email.summary.status
}

async fn cancel(place: &Place, id: EmailId) -> Result<Option<Recalled>, Error> {
    place.store.email_cancel(&permit(), id).await
}

async fn reschedule(place: &Place, id: EmailId, moved: Duration) -> Result<Option<Recalled>, Error> {
    place.store.email_reschedule(&permit(), id, at(place, moved).await).await
}

fn is_unchangeable<T: std::fmt::Debug>(result: Result<T, Error>, expected: Unchangeable) {
    assert!(matches!(&result, Err(Error::Unchangeable(reason)) if *reason == expected), "{result:?}, not {expected:?}");
}

/// As if so much time had passed.
async fn pass(place: &Place, time: &str) {
    place
        .database
        .execute(&format!(
            "UPDATE queue SET due_at = due_at - interval '{time}'; \
             UPDATE emails SET created_at = created_at - interval '{time}', scheduled_at = scheduled_at - interval '{time}'"
        ))
        .await;
}

async fn settle(place: &Place, settlements: &[Settlement]) {
    assert_eq!(place.store.queue_settle(&system(), settlements).await.unwrap().len(), settlements.len());
}

#[tokio::test]
async fn what_is_scheduled_waits_for_its_time_and_is_queued_then() {
    let place = Place::new().await;
    let accepted = scheduled(&place, &admin(), Duration::hours(1)).await.unwrap();
    assert_eq!(accepted.status(), EmailStatus::Scheduled);
    let email = place.store.email_find(&admin().permit().unwrap(), accepted.id).await.unwrap().unwrap();
    assert_eq!(email.scheduled_at, accepted.scheduled_at);
    assert_eq!(status(&place, accepted.id).await, EmailStatus::Scheduled);
    assert!(place.lease(10).await.is_empty());
    assert_eq!(place.ask("SELECT count(*) FROM queue JOIN emails ON id = email_id WHERE due_at = scheduled_at").await, "1");
    pass(&place, "1 hour").await;
    assert_eq!(status(&place, accepted.id).await, EmailStatus::Queued);
    let lease = place.lease_one().await;
    assert_eq!(status(&place, accepted.id).await, EmailStatus::Sending);
    settle(&place, &[delivered(lease)]).await;
    assert_eq!(status(&place, accepted.id).await, EmailStatus::Delivered);
}

#[tokio::test]
async fn the_database_s_clock_says_what_is_past_and_what_is_too_far_ahead() {
    let place = Place::new().await;
    for (moved, expected) in [
        (Duration::seconds(-61), Err(Problem::Past)),
        (Duration::seconds(-30), Ok(EmailStatus::Queued)),
        (Duration::days(30) + Duration::minutes(1), Err(Problem::TooFarAhead)),
        (Duration::days(30) - Duration::minutes(1), Ok(EmailStatus::Scheduled)),
    ] {
        let seen = |result: Result<_, Error>| match result {
            Ok(status) => Ok(status),
            Err(Error::Invalid(error)) if error.field == "scheduled_at" => Err(error.problem),
            Err(error) => panic!("{error}"),
        };
        let accepted = scheduled(&place, &admin(), moved).await;
        assert_eq!(seen(accepted.map(|accepted| accepted.status())), expected, "{moved}");
        let id = scheduled(&place, &admin(), Duration::hours(1)).await.unwrap().id;
        let rescheduled = reschedule(&place, id, moved).await;
        assert_eq!(seen(rescheduled.map(|rescheduled| rescheduled.unwrap().status)), expected, "{moved}");
    }
    // Of those that are queued, both at once.
    assert_eq!(place.lease(10).await.len(), 2);
    assert_eq!(place.ask("SELECT count(*) || ' ' || count(scheduled_at) FROM emails").await, "6 4");
}

#[tokio::test]
async fn a_wrong_time_leaves_the_key_free_and_the_day_uncounted_and_a_repetition_may_come_later() {
    let place = Place::new().await;
    let tenant = place.tenant().await;
    place.database.execute(&format!("UPDATE tenants SET emails_per_day = 2 WHERE id = '{}'", tenant.as_uuid())).await;
    for holder in [tenant_admin(tenant), admin()] {
        let asked = async |moved: Duration| {
            let at = at(&place, moved).await;
            let plain = acceptance(&holder.permit().unwrap(), draft(|parts| parts.scheduled_at = Some(at)));
            let idempotency =
                selfmx_domain::Idempotency { key: "order-7".parse().unwrap(), fingerprint: selfmx_domain::Fingerprint([1; 32]), part: 0 };
            Acceptance { idempotency: Some(idempotency), ..plain }
        };
        let verdicts =
            place.store.email_accept_each(vec![asked(Duration::hours(-1)).await, asked(Duration::hours(1)).await]).await.unwrap();
        let [Ok(repeated), Ok(first)] = verdicts.as_slice() else { panic!("{verdicts:?}") };
        assert_eq!((repeated.id, repeated.repeated, first.repeated), (first.id, true, false));
        // Its time passes, and whoever repeats the request has not heard of the answer yet.
        let late = place.store.email_accept(asked(Duration::hours(-2)).await).await.unwrap();
        assert_eq!(late, Accepted { repeated: true, ..*first });
        place.database.execute("DELETE FROM idempotency_keys").await;
        let refused = place.store.email_accept(asked(Duration::hours(-2)).await).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
        assert_eq!(place.ask("SELECT count(*) FROM idempotency_keys").await, "0");
    }
    assert_eq!(place.ask("SELECT string_agg(emails::text, ' ') FROM quota_days").await, "1");
}

#[tokio::test]
async fn what_waits_is_canceled_once_and_for_all() {
    let place = Place::new().await;
    let (soon, later) = (place.accept(|_| {}).await, scheduled(&place, &admin(), Duration::hours(1)).await.unwrap());
    for id in [soon, later.id] {
        let canceled = cancel(&place, id).await.unwrap().unwrap();
        assert_eq!((canceled.id, canceled.status), (id, EmailStatus::Canceled));
        assert_eq!(cancel(&place, id).await.unwrap(), Some(canceled));
        assert_eq!(status(&place, id).await, EmailStatus::Canceled);
        is_unchangeable(reschedule(&place, id, Duration::hours(2)).await, Unchangeable::Done(EmailStatus::Canceled));
        let email = place.store.email_find(&admin().permit().unwrap(), id).await.unwrap().unwrap();
        assert_eq!(email.recipients[0].state, RecipientState::Canceled { attempts: 0 });
        let kinds: Vec<_> = email.events.iter().map(|event| (event.kind.as_str(), event.attempt)).collect();
        assert_eq!(kinds, [("queued", 0), ("canceled", 0)]);
    }
    pass(&place, "2 hours").await;
    assert!(place.lease(10).await.is_empty());
    assert_eq!(place.store.queue_depth().await.unwrap(), 0);
}

#[tokio::test]
async fn what_somebody_has_or_may_have_is_not_canceled() {
    let place = Place::new().await;
    let two = |parts: &mut selfmx_domain::DraftParts| parts.cc = vec!["cc@y.example".parse().unwrap()];
    let id = place.accept(two).await;
    let lease = place.lease_one().await;
    is_unchangeable(cancel(&place, id).await, Unchangeable::Sending);
    is_unchangeable(reschedule(&place, id, Duration::hours(1)).await, Unchangeable::Sending);
    // Whoever had the lease may have handed the mail over before it ran out.
    place.database.execute("UPDATE queue SET due_at = now() - interval '1 second'").await;
    is_unchangeable(cancel(&place, id).await, Unchangeable::Sending);
    settle(&place, &[deferred(lease)]).await;
    is_unchangeable(reschedule(&place, id, Duration::hours(1)).await, Unchangeable::Attempted);
    place.database.execute("UPDATE recipients SET status = 'delivered' WHERE ordinal = 1").await;
    is_unchangeable(cancel(&place, id).await, Unchangeable::PartlyDelivered);
    place.database.execute("UPDATE recipients SET status = 'bounced' WHERE ordinal = 1").await;
    assert_eq!(cancel(&place, id).await.unwrap().unwrap().status, EmailStatus::Canceled);
    assert_eq!(place.ask("SELECT string_agg(status, ' ' ORDER BY ordinal) FROM recipients").await, "canceled bounced");
    let id = place.accept(|_| {}).await;
    let lease = place.lease_one().await;
    settle(&place, &[delivered(lease)]).await;
    is_unchangeable(cancel(&place, id).await, Unchangeable::Done(EmailStatus::Delivered));
    is_unchangeable(reschedule(&place, id, Duration::hours(1)).await, Unchangeable::Done(EmailStatus::Delivered));
    assert_eq!(place.ask("SELECT count(*) FROM events WHERE kind = 'canceled'").await, "1");
}

#[tokio::test]
async fn what_was_given_back_untouched_and_what_is_held_is_canceled() {
    let place = Place::new().await;
    let id = place.accept(|_| {}).await;
    let leases = place.lease(1).await;
    place.store.queue_release(&system(), leases).await.unwrap();
    assert!(cancel(&place, id).await.unwrap().is_some());
    let id = place.accept(|_| {}).await;
    place.database.execute("UPDATE tenants SET status = 'suspended', suspended_at = now()").await;
    assert!(place.lease(1).await.is_empty());
    assert_eq!(place.ask("SELECT held FROM queue").await, "t");
    assert_eq!(reschedule(&place, id, Duration::hours(1)).await.unwrap().unwrap().status, EmailStatus::Scheduled);
    assert!(cancel(&place, id).await.unwrap().is_some());
    assert_eq!(place.store.queue_depth().await.unwrap(), 0);
}

#[tokio::test]
async fn a_time_is_changed_as_often_as_one_likes_until_it_has_come() {
    let place = Place::new().await;
    let id = scheduled(&place, &admin(), Duration::hours(1)).await.unwrap().id;
    for hours in [5, 3, 700] {
        let told = reschedule(&place, id, Duration::hours(hours)).await.unwrap().unwrap();
        assert_eq!((told.status, told.scheduled_at.is_some()), (EmailStatus::Scheduled, true));
        assert_eq!(place.ask("SELECT count(*) FROM queue JOIN emails ON id = email_id WHERE due_at = scheduled_at").await, "1");
    }
    place.store.work_arrived().await;
    let told = reschedule(&place, id, Duration::ZERO).await.unwrap().unwrap();
    assert_eq!((told.status, told.scheduled_at), (EmailStatus::Queued, None));
    tokio::time::timeout(LONG, place.store.work_arrived()).await.unwrap();
    assert_eq!(place.lease_one().await.work().email_id, id);
    // What was to be sent at once can be put off while nobody has begun.
    let id = place.accept(|_| {}).await;
    assert_eq!(reschedule(&place, id, Duration::hours(1)).await.unwrap().unwrap().status, EmailStatus::Scheduled);
    assert!(place.lease(10).await.is_empty());
}

#[tokio::test]
async fn nobody_changes_what_its_key_could_not_have_sent() {
    let place = Place::new().await;
    let tenant = place.tenant().await;
    let key = |change: fn(&mut Authority), tenant: Option<TenantId>| {
        let mut authority = Authority { tenant, permissions: Permission::Send.into(), ..Authority::everything() };
        change(&mut authority);
        principal_of(ApiKey { authority, ..ApiKey::environment(SystemClock.now()) })
    };
    let owner = tenant_admin(tenant);
    let at = at(&place, Duration::hours(1)).await;
    let send = async |holder: &Principal| {
        place.store.email_accept(acceptance(&holder.permit().unwrap(), draft(|parts| parts.scheduled_at = Some(at)))).await.unwrap().id
    };
    let live = send(&owner).await;
    let test = send(&principal(Some(tenant), Permission::All, Mode::Test)).await;
    let senders = |authority: &mut Authority| authority.allowed_senders = Allowed::Only(vec!["@z.example".parse().unwrap()]);
    let mode = |authority: &mut Authority| authority.mode = Mode::Test;
    let nothing = |_: &mut Authority| {};
    for (holder, ids) in [
        (key(nothing, None), vec![live, test]),
        (tenant_admin(place.tenant().await), vec![live, test]),
        (key(senders, Some(tenant)), vec![live, test]),
        (key(mode, Some(tenant)), vec![live]),
        (owner, vec![place.accept(|_| {}).await, EmailId::generate(&SystemClock, &selfmx_testing::OsEntropy)]),
    ] {
        for id in ids {
            let permit = holder.permit().unwrap();
            assert!(!place.store.email_is_reached(&permit, id).await.unwrap());
            assert_eq!(place.store.email_cancel(&permit, id).await.unwrap(), None);
            assert_eq!(place.store.email_reschedule(&permit, id, at).await.unwrap(), None);
        }
    }
    let plain = key(nothing, Some(tenant));
    let from_x: fn(&mut Authority) = |authority| {
        let sender: Address = "from@x.example".parse().unwrap();
        authority.allowed_senders = Allowed::Only(vec![sender.to_string().parse().unwrap()]);
    };
    for (holder, id) in [(key(mode, Some(tenant)), test), (key(from_x, Some(tenant)), live), (plain, test)] {
        assert!(place.store.email_is_reached(&holder.permit().unwrap(), id).await.unwrap());
        assert!(place.store.email_cancel(&holder.permit().unwrap(), id).await.unwrap().is_some());
    }
}
