//! What attempts say of a webhook: when it is disabled, and what is not held against it.

use crate::tenants::platform;

use super::*;

#[tokio::test]
async fn whoever_is_gone_or_fails_for_five_days_is_disabled_until_somebody_says_otherwise() {
    let place = Place::new().await;
    let (hook, _) = webhook(&place, &[WebhookEvent::Queued]).await;
    let on = WebhookChange { active: Some(true), ..WebhookChange::default() };
    let attempt = async |status| {
        place.accept_many(1).await;
        let lease = leased(&place).await.remove(0);
        settled(&place, lease, status).await
    };
    assert_eq!(attempt(410).await, Some(Some(WebhookFault::Gone)));
    assert!(matches!(state(&place, hook.id).await, WebhookState::Disabled { fault: WebhookFault::Gone, .. }));
    place.accept_many(1).await;
    assert!(leased(&place).await.is_empty());
    place.store.webhook_update(&admin().permit().unwrap(), hook.id, &on).await.unwrap().unwrap();
    assert_eq!(attempt(500).await, Some(None));
    place.database.execute("UPDATE webhooks SET failing_since = now() - interval '119 hours'").await;
    assert_eq!(attempt(500).await, Some(None));
    assert_eq!(attempt(200).await, Some(None));
    assert_eq!(place.ask("SELECT count(*) FROM webhooks WHERE failing_since IS NULL").await, "1");
    assert_eq!(attempt(500).await, Some(None));
    place.database.execute("UPDATE webhooks SET failing_since = now() - interval '120 hours'").await;
    assert_eq!(attempt(500).await, Some(Some(WebhookFault::Failing)));
}

/// Its URL may have been another, or what was wrong be mended.
#[tokio::test]
async fn what_had_begun_before_a_webhook_was_changed_says_nothing_of_it() {
    let place = Place::new().await;
    let (hook, _) = webhook(&place, &[WebhookEvent::Queued]).await;
    let failing = async || place.ask("SELECT count(failing_since) FROM webhooks").await;
    place.accept_many(3).await;
    let (former, gone) = (leased_at_most(&place, 1).await.remove(0), leased_at_most(&place, 1).await.remove(0));
    let moved = WebhookChange { url: Some("https://other.example/".parse().unwrap()), ..WebhookChange::default() };
    place.store.webhook_update(&admin().permit().unwrap(), hook.id, &moved).await.unwrap().unwrap();
    assert_eq!((settled(&place, former, 500).await, failing().await.as_str()), (Some(None), "0"));
    let fresh = leased_at_most(&place, 1).await.remove(0);
    let both = [gone.settle(answered(410)), fresh.settle(answered(500))];
    assert_eq!(place.store.webhook_settle(&system(), &both).await.unwrap().disabled, []);
    assert_eq!((state(&place, hook.id).await, failing().await.as_str()), (WebhookState::Active, "1"), "the other result counts");
    assert_eq!(place.ask("SELECT count(*) FROM webhook_attempts").await, "3", "each is told of");
}

#[tokio::test]
async fn an_event_that_could_not_be_posted_is_not_held_against_its_webhook() {
    let place = Place::new().await;
    let (hook, _) = webhook(&place, &[WebhookEvent::Queued]).await;
    let never = Posted { asked: false, retry_after: None, status: None, error: Some("the email is erased".to_owned()), ..answered(500) };
    for standing in ["NULL", "now() - interval '6 days'"] {
        place.accept_many(1).await;
        place.database.execute(&format!("UPDATE webhooks SET failing_since = {standing}")).await;
        let lease = leased(&place).await.remove(0);
        assert_eq!(place.store.webhook_settle(&system(), &[lease.settle(never.clone())]).await.unwrap().disabled, []);
        assert_eq!(place.ask("SELECT count(*) FROM webhooks WHERE coalesce(failing_since < now() - interval '5 days', true)").await, "1");
    }
    assert_eq!(state(&place, hook.id).await, WebhookState::Active);
    assert_eq!(place.ask("SELECT string_agg(status, ' ') FROM webhook_deliveries").await, "failed failed");
}

#[tokio::test]
async fn many_results_are_one_commit_and_the_last_of_them_is_how_a_webhook_stands() {
    let place = Place::new().await;
    let (hook, _) = webhook(&place, &[WebhookEvent::Queued]).await;
    place.accept_many(6).await;
    let failing = async || place.ask("SELECT count(failing_since) FROM webhooks").await;
    for (statuses, expected) in [([200, 500], "1"), ([500, 200], "0")] {
        let leases = leased_at_most(&place, 2).await;
        let settlements: Vec<_> = leases.into_iter().zip(statuses).map(|(lease, status)| lease.settle(answered(status))).collect();
        let settled = place.store.webhook_settle(&system(), &settlements).await.unwrap();
        assert_eq!((settled.recorded.len(), settled.disabled.len(), failing().await.as_str()), (2, 0, expected), "{statuses:?}");
        let again = place.store.webhook_settle(&system(), &settlements).await.unwrap();
        assert_eq!(again, WebhookSettled::default(), "once");
    }
    let leases = leased_at_most(&place, 2).await;
    let settlements: Vec<_> = leases.into_iter().zip([410, 200]).map(|(lease, status)| lease.settle(answered(status))).collect();
    let settled = place.store.webhook_settle(&system(), &settlements).await.unwrap();
    assert_eq!(settled.disabled, [(hook.id, WebhookFault::Gone)]);
    assert_eq!(place.ask("SELECT count(*) FROM webhook_attempts").await, "6");
}

#[tokio::test]
async fn the_webhooks_of_a_deleted_tenant_are_told_nothing_more() {
    let place = Place::new().await;
    let (tenant, other) = (place.tenant().await, webhook(&place, &ALL).await.0);
    let writing = place.keyed(Some(tenant), Permission::WebhooksWrite).await;
    let write = writing.permit().unwrap();
    let theirs = place.store.webhook_create(&write, &wanted(&ALL)).await.unwrap();
    place.store.webhook_test(&write, theirs.id).await.unwrap().unwrap();
    accept(&place.store, &tenant_admin(tenant).permit().unwrap(), |_| {}).await;
    place.store.webhook_test(&admin().permit().unwrap(), other.id).await.unwrap().unwrap();
    assert_eq!(place.store.webhook_look(&system(), None).await.unwrap().due.len(), 2);
    assert!(place.store.tenant_delete(&platform(), tenant).await.unwrap());
    let told: Vec<_> = leased(&place).await.iter().map(|lease| lease.work().webhook_id).collect();
    assert_eq!(told, [other.id], "that of another alone");
}
