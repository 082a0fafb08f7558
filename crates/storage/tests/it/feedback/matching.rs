//! Which mail a report is about, and whose mail a caller may report on.

use std::sync::Arc;

use selfmx_auth::{Allowed, ApiKey, Authority, Permission, Principal};
use selfmx_domain::{Clock as _, Mode, TenantId};
use selfmx_testing::SystemClock;
use time::{Duration, OffsetDateTime};

use super::*;
use crate::place::{accept, principal, principal_of};
use crate::tenants::platform;

/// As if it had been delivered so long ago.
async fn delivered_ago(place: &Place, id: EmailId, ago: &str) {
    let event = format!("UPDATE events SET at = now() - interval '{ago}' WHERE kind = 'delivered' AND email_id = '{}'", id.as_uuid());
    place.database.execute(&event).await;
}

async fn found(place: &Place, by: &Principal, report: &FeedbackReport) -> Option<EmailId> {
    place.store.feedback_record(&by.permit().unwrap(), report).await.unwrap()[0].email
}

#[tokio::test]
async fn without_our_message_id_it_is_the_last_mail_that_was_delivered_to_the_address() {
    let place = Place::new().await;
    let (old, new) = (taken(&place, &["a@y.example"]).await, taken(&place, &["b@y.example", "a@y.example"]).await);
    delivered_ago(&place, old, "1 day").await;
    let waiting = place.accept(|parts| parts.to = vec!["a@y.example".parse().unwrap()]).await;
    let report = bounce(None, &["A@y.EXAMPLE"], &full());
    let results = record(&place.store, &report).await;
    assert_eq!((told(&results), results[0].email), (one("a@y.example", Some(EventKind::Bounced), FeedbackOutcome::Recorded), Some(new)));
    // The same report is about the same mail, and not about the one before it.
    let again = record(&place.store, &report).await;
    assert_eq!((again[0].email, again[0].outcome), (Some(new), FeedbackOutcome::AlreadyRecorded));
    // One from before the last mail is about the one before it.
    let earlier = FeedbackReport { at: Some(SystemClock.now() - Duration::hours(2)), ..report.clone() };
    assert_eq!(found(&place, &admin(), &earlier).await, Some(old));
    assert_ne!(new, waiting);
}

#[tokio::test]
async fn what_was_delivered_long_before_is_not_meant() {
    let place = Place::new().await;
    let id = taken(&place, &["a@y.example"]).await;
    delivered_ago(&place, id, "5 days 1 hour").await;
    assert_eq!(found(&place, &admin(), &complaint(None, &["a@y.example"])).await, None);
    delivered_ago(&place, id, "4 days 23 hours").await;
    assert_eq!(found(&place, &admin(), &complaint(None, &["a@y.example"])).await, Some(id));
    // By any date that a report may have, nothing breaks.
    for at in [OffsetDateTime::UNIX_EPOCH - Duration::days(700_000), time::macros::datetime!(9999-12-31 23:59 UTC)] {
        let report = FeedbackReport { at: Some(at), ..bounce(None, &["a@y.example"], &full()) };
        assert_eq!(found(&place, &admin(), &report).await.is_some(), at.year() == 9999);
    }
}

#[tokio::test]
async fn a_tenant_reports_on_its_own_mail_and_the_platform_on_everybody_s() {
    let place = Place::new().await;
    let (own, other) = (place.tenant().await, place.tenant().await);
    let (owner, stranger) = (place.keyed(Some(own), Permission::All).await, place.keyed(Some(other), Permission::All).await);
    let send = |tenant: TenantId| principal(Some(tenant), Permission::Send, Mode::Live).permit().unwrap();
    let id = accept(&place.store, &send(own), |parts| parts.to = vec!["a@y.example".parse().unwrap()]).await;
    settle(&place).await;
    for report in [complaint(Some(id), &["a@y.example"]), complaint(None, &["a@y.example"]), bounce(Some(id), &["a@y.example"], &gone())] {
        let before = place.everything().await;
        let foreign = place.store.feedback_record(&stranger.permit().unwrap(), &report).await.unwrap();
        let nobodys = FeedbackReport { email: "msg_01h455vb4pex5vsknk084sn02q".parse().ok(), ..report.clone() };
        let absent = place.store.feedback_record(&stranger.permit().unwrap(), &nobodys).await.unwrap();
        assert_eq!((&foreign, foreign[0].outcome), (&absent, FeedbackOutcome::NoMatch));
        let acting = Principal::acting_for(&platform(), Arc::new(place.store.tenant_find(&platform(), other).await.unwrap().unwrap()));
        assert_eq!(found(&place, &acting, &report).await, None);
        assert_eq!(place.everything().await, before);
    }
    assert_eq!(found(&place, &owner, &complaint(Some(id), &[])).await, Some(id));
    for report in [bounce(None, &["a@y.example"], &gone()), bounce(Some(id), &["a@y.example"], &gone())] {
        assert_eq!(found(&place, &admin(), &report).await, Some(id));
    }
    // What follows is the tenant's.
    assert_eq!(place.ask("SELECT string_agg(DISTINCT tenant_id::text, ' ') FROM suppressions").await, own.as_uuid().to_string());
    let noted = place.ask("SELECT string_agg(DISTINCT tenant_id::text, ' ') FROM audit_logs WHERE action = 'feedback.report'").await;
    assert_eq!(noted, own.as_uuid().to_string());
    place.store.tenant_delete(&platform(), own).await.unwrap();
    for report in [complaint(Some(id), &[]), complaint(None, &["a@y.example"])] {
        assert_eq!(found(&place, &admin(), &report).await, None, "its tenant is deleted");
    }
}

#[tokio::test]
async fn a_key_reports_on_what_it_could_have_sent() {
    let place = Place::new().await;
    let id = taken(&place, &["a@y.example"]).await;
    let with = |authority| principal_of(ApiKey { authority, ..admin().key().clone() });
    let test = with(Authority { mode: Mode::Test, ..Authority::everything() });
    let bounded =
        |senders: &str| with(Authority { allowed_senders: Allowed::Only(vec![senders.parse().unwrap()]), ..Authority::everything() });
    for report in [complaint(Some(id), &[]), complaint(None, &["a@y.example"])] {
        for key in [&test, &bounded("other@z.example")] {
            assert_eq!(found(&place, key, &report).await, None);
        }
    }
    assert_eq!(found(&place, &bounded("@x.example"), &complaint(Some(id), &[])).await, Some(id));
    // A test key's mail goes nowhere: it is reported on by its id alone.
    let sends = principal(None, Permission::Send, Mode::Test).permit().unwrap();
    let tried = accept(&place.store, &sends, |parts| parts.to = vec!["t@y.example".parse().unwrap()]).await;
    settle(&place).await;
    assert_eq!(found(&place, &admin(), &complaint(None, &["t@y.example"])).await, None);
    assert_eq!(found(&place, &test, &complaint(None, &["t@y.example"])).await, Some(tried));
    assert_eq!(found(&place, &admin(), &complaint(Some(tried), &[])).await, Some(tried));
}
