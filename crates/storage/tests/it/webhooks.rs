//! Webhooks: their secrets lie sealed, events are queued for them in the same commit, and no endpoint delays another.

use std::time::Duration;

use selfmx_auth::{Permission, needs};
use selfmx_domain::{
    EmailId, NewWebhook, PageLimit, PageRequest, PageStart, Webhook, WebhookChange, WebhookEvent, WebhookEvents, WebhookFault, WebhookId,
    WebhookSecret, WebhookState,
};
use selfmx_storage::{Lease, Posted, Tidings, WebhookDelivery, WebhookSettled};
use selfmx_testing::OsEntropy;

use crate::place::{LONG, Place, accept, acceptance, admin, draft, permit, system, tenant_admin};
use crate::settle::{bounced, deferred, delivered};

mod standing;

const ALL: [WebhookEvent; 10] = WebhookEvent::ALL;

fn wanted(kinds: &[WebhookEvent]) -> NewWebhook {
    NewWebhook {
        url: "https://hooks.example/in?token=canary-url".parse().unwrap(),
        events: WebhookEvents::new(kinds.to_vec()).unwrap(),
        secret: WebhookSecret::generate(&OsEntropy),
        active: true,
    }
}

async fn webhook(place: &Place, kinds: &[WebhookEvent]) -> (Webhook, WebhookSecret) {
    let wanted = wanted(kinds);
    (place.store.webhook_create(&admin().permit().unwrap(), &wanted).await.unwrap(), wanted.secret)
}

async fn leased(place: &Place) -> Vec<Lease<WebhookDelivery>> {
    leased_at_most(place, 100).await
}

/// Up to so many of each webhook's.
async fn leased_at_most(place: &Place, each: u16) -> Vec<Lease<WebhookDelivery>> {
    let due = place.store.webhook_look(&system(), None).await.unwrap().due;
    let wanted: Vec<_> = due.into_iter().map(|due| (due.id, each)).collect();
    place.store.webhook_lease(&system(), &wanted, LONG).await.unwrap()
}

fn answered(status: u16) -> Posted {
    let accepted = status < 300;
    let retry_after = (!accepted && status != 410).then_some(Duration::from_secs(60));
    let took = Duration::from_millis(12);
    Posted {
        asked: true,
        accepted,
        gone: status == 410,
        retry_after,
        status: Some(status),
        error: None,
        answer: Some("said".to_owned()),
        took,
    }
}

/// Whether it was recorded, and what of its webhook was found wrong.
async fn settled(place: &Place, lease: Lease<WebhookDelivery>, status: u16) -> Option<Option<WebhookFault>> {
    let (id, webhook) = (lease.work().id, lease.work().webhook_id);
    let settled = place.store.webhook_settle(&system(), &[lease.settle(answered(status))]).await.unwrap();
    let fault = settled.disabled.into_iter().find(|(disabled, _)| *disabled == webhook).map(|(_, fault)| fault);
    settled.recorded.contains(&id).then_some(fault)
}

async fn state(place: &Place, id: WebhookId) -> WebhookState {
    place.store.webhook_find(&admin().permit::<needs::WebhooksRead>().unwrap(), id).await.unwrap().unwrap().state
}

const FIRST_PAGE: PageRequest<WebhookId> = PageRequest { start: PageStart::First, limit: PageLimit::MOST };

#[tokio::test]
async fn a_webhook_is_made_changed_and_deleted_and_is_its_tenant_s_alone() {
    let place = Place::new().await;
    let (made, _) = webhook(&place, &[WebhookEvent::Bounced]).await;
    let tenant = place.tenant().await;
    let (read, stranger) = (tenant_admin(tenant).permit().unwrap(), place.keyed(Some(tenant), Permission::WebhooksWrite).await);
    let write = stranger.permit().unwrap();
    assert!(place.store.webhook_find(&read, made.id).await.unwrap().is_none());
    assert!(place.store.webhook_list(&read, FIRST_PAGE).await.unwrap().items.is_empty());
    let off = WebhookChange { active: Some(false), ..WebhookChange::default() };
    assert!(place.store.webhook_update(&write, made.id, &off).await.unwrap().is_none());
    assert!(place.store.webhook_rotate(&write, made.id, LONG, &WebhookSecret::generate(&OsEntropy)).await.unwrap().is_none());
    assert!(place.store.webhook_test(&write, made.id).await.unwrap().is_none());
    assert!(!place.store.webhook_delete(&write, made.id).await.unwrap());
    let mine = admin().permit().unwrap();
    let changed = place.store.webhook_update(&mine, made.id, &off).await.unwrap().unwrap();
    assert_eq!((changed.state, changed.events, changed.url), (WebhookState::Inactive, made.events.clone(), made.url.clone()));
    assert_eq!(place.store.webhook_list(&admin().permit().unwrap(), FIRST_PAGE).await.unwrap().items.len(), 1);
    assert!(place.store.webhook_delete(&mine, made.id).await.unwrap() && !place.store.webhook_delete(&mine, made.id).await.unwrap());
    let audited = place.ask("SELECT string_agg(action, ' ' ORDER BY id) FROM audit_logs WHERE action LIKE 'webhook%'").await;
    assert_eq!(audited, "webhook.create webhook.update webhook.delete");
    assert_eq!(
        place.ask("SELECT count(*) FROM audit_logs WHERE coalesce(before, '{}')::text || coalesce(after, '{}') LIKE '%canary%'").await,
        "0"
    );
}

#[tokio::test]
async fn secrets_lie_sealed_and_a_rotated_one_signs_until_its_grace_ends() {
    let place = Place::new().await;
    let (made, first) = webhook(&place, &ALL).await;
    let write = admin().permit().unwrap();
    let secrets = async || {
        place.store.webhook_test(&write, made.id).await.unwrap().unwrap();
        let lease = leased(&place).await.remove(0);
        let work = lease.work();
        assert_eq!(work.tidings, Tidings::Test);
        let both = (work.secret.reveal().to_owned(), work.previous_secret.as_ref().map(|secret| secret.reveal().to_owned()));
        assert_eq!(settled(&place, lease, 200).await, Some(None));
        both
    };
    assert_eq!(secrets().await, (first.reveal().to_owned(), None));
    let second = WebhookSecret::generate(&OsEntropy);
    let rotated = place.store.webhook_rotate(&write, made.id, LONG, &second).await.unwrap().unwrap();
    assert!(rotated.previous_secret_until.is_some());
    assert_eq!(secrets().await, (second.reveal().to_owned(), Some(first.reveal().to_owned())));
    place.database.execute("UPDATE webhooks SET previous_until = now()").await;
    assert_eq!(secrets().await, (second.reveal().to_owned(), None));
    let third = WebhookSecret::generate(&OsEntropy);
    place.store.webhook_rotate(&write, made.id, Duration::ZERO, &third).await.unwrap().unwrap();
    assert_eq!(secrets().await, (third.reveal().to_owned(), None));
    for secret in [first, second, third] {
        let found = format!("SELECT count(*) FROM webhooks w WHERE w::text LIKE '%' || '{}' || '%'", secret.reveal());
        assert_eq!(place.ask(&found).await, "0");
    }
}

#[tokio::test]
async fn what_happens_is_queued_in_the_same_commit_for_those_who_want_it() {
    let place = Place::new().await;
    let (all, _) = webhook(&place, &ALL).await;
    let (bounces, _) = webhook(&place, &[WebhookEvent::Bounced]).await;
    let (off, _) = webhook(&place, &ALL).await;
    let inactive = WebhookChange { active: Some(false), ..WebhookChange::default() };
    place.store.webhook_update(&admin().permit().unwrap(), off.id, &inactive).await.unwrap().unwrap();
    let tenant = place.tenant().await;
    accept(&place.store, &tenant_admin(tenant).permit().unwrap(), |_| {}).await;
    let email = place.accept(|parts| parts.to = vec!["a@y.example".parse().unwrap(), "gone@y.example".parse().unwrap()]).await;
    let mails = place.lease(2).await;
    for mail in mails {
        let settlement = if mail.work().email_id == email { bounced(mail, &["gone@y.example"]) } else { delivered(mail) };
        place.store.queue_settle(&system(), &[settlement]).await.unwrap();
    }
    let mut told: Vec<_> = leased(&place).await.iter().map(|lease| (lease.work().webhook_id, kind(lease, email))).collect();
    told.sort();
    let mut expected = [
        (all.id, "queued -"),
        (all.id, "sending -"),
        (all.id, "delivered a@y.example"),
        (all.id, "bounced gone@y.example"),
        (bounces.id, "bounced gone@y.example"),
    ]
    .map(|(id, text)| (id, text.to_owned()));
    expected.sort();
    assert_eq!(told, expected);
    assert_eq!(place.ask("SELECT count(*) FROM webhook_deliveries WHERE substr(id::text, 15, 1) <> '7'").await, "0");
}

/// What a delivery tells of this email.
fn kind(lease: &Lease<WebhookDelivery>, email: EmailId) -> String {
    let Tidings::Happened(happened) = &lease.work().tidings else { panic!("{lease:?}") };
    assert_eq!((happened.email_id, happened.subject.is_empty()), (email, false));
    format!("{} {}", happened.kind, happened.recipient.as_deref().unwrap_or("-"))
}

#[tokio::test]
async fn where_the_commit_fails_nothing_is_told() {
    let place = Place::new().await;
    webhook(&place, &ALL).await;
    place.refuse_commits().await;
    let accepted = place.store.email_accept(acceptance(&permit(), draft(|_| {}))).await;
    assert!(accepted.is_err());
    assert_eq!(place.ask("SELECT count(*) FROM webhook_deliveries").await, "0");
}

#[tokio::test]
async fn of_each_webhook_the_first_are_leased_and_no_more_than_are_asked_for() {
    let place = Place::new().await;
    let (busy, _) = webhook(&place, &ALL).await;
    let first = place.accept_many(20).await;
    let (other, _) = webhook(&place, &ALL).await;
    place.accept_many(1).await;
    let of = |leases: &[Lease<WebhookDelivery>], id| leases.iter().filter(|lease| lease.work().webhook_id == id).count();
    let leases = leased_at_most(&place, 3).await;
    assert_eq!((of(&leases, busy.id), of(&leases, other.id)), (3, 1));
    let again = leased_at_most(&place, 100).await;
    assert_eq!((of(&again, busy.id), of(&again, other.id)), (18, 0), "what is leased is nobody else's");
    let told: Vec<_> = leases.iter().filter(|lease| lease.work().webhook_id == busy.id).map(email).collect();
    assert!(told.iter().all(|email| first[..3].contains(email)), "{told:?} of {first:?}");
    // What has just failed is not due, and its webhook is not looked at again before it is.
    for lease in leases.into_iter().chain(again) {
        assert_eq!(settled(&place, lease, 500).await, Some(None));
    }
    assert!(place.store.webhook_look(&system(), None).await.unwrap().due.is_empty());
    place.database.execute("UPDATE webhook_deliveries SET due_at = now()").await;
    assert!(place.store.webhook_look(&system(), None).await.unwrap().due.iter().all(|due| due.failing));
}

fn email(lease: &Lease<WebhookDelivery>) -> EmailId {
    let Tidings::Happened(happened) = &lease.work().tidings else { panic!("{lease:?}") };
    happened.email_id
}

/// Those that wait for their next attempt, that are switched off or gone, lie before the one that has something due.
#[tokio::test]
async fn however_many_webhooks_wait_each_gets_its_turn() {
    let place = Place::new().await;
    let fill = "INSERT INTO webhooks (id, tenant_id, url, events, secret, active) SELECT ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, \
        tenant_id, url, events, secret, n % 3 > 0 FROM webhooks, generate_series(1, 2500) AS n; \
        INSERT INTO webhook_deliveries (webhook_id, id, tenant_id, event_id, due_at) SELECT ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, \
        gen_random_uuid(), w.tenant_id, gen_random_uuid(), CASE WHEN n % 3 = 1 THEN now() + interval '1 hour' ELSE now() END \
        FROM webhooks w, generate_series(1, 2500) AS n WHERE w.id::text LIKE '00000000%' AND lpad(n::text, 12, '0') = right(w.id::text, 12); \
        DELETE FROM webhooks w USING generate_series(2, 2500, 3) AS n WHERE w.id::text = '00000000-0000-7000-8000-' || lpad(n::text, 12, '0')";
    let (last, _) = webhook(&place, &ALL).await;
    place.accept_many(1).await;
    place.database.execute(fill).await;
    let (mut after, mut looks, mut due) = (None, 0, Vec::new());
    loop {
        let look = place.store.webhook_look(&system(), after).await.unwrap();
        (after, looks) = (look.after, looks + 1);
        due.extend(look.due.into_iter().map(|due| due.id));
        if after.is_none() {
            break;
        }
    }
    assert_eq!((due, looks), (vec![last.id], 3));
}

#[tokio::test]
async fn a_stale_worker_records_nothing() {
    let place = Place::new().await;
    let (hook, _) = webhook(&place, &[WebhookEvent::Queued]).await;
    place.accept_many(1).await;
    let stale = leased(&place).await.remove(0);
    place.database.execute("UPDATE webhook_deliveries SET due_at = now()").await;
    let fresh = leased(&place).await.remove(0);
    assert_eq!(settled(&place, stale, 410).await, None);
    assert_eq!(state(&place, hook.id).await, WebhookState::Active);
    assert_eq!(settled(&place, fresh, 204).await, Some(None));
    assert_eq!(place.ask("SELECT string_agg(attempt || ' ' || status, ',') FROM webhook_attempts").await, "1 204");
}

#[tokio::test]
async fn each_attempt_is_told_of_and_an_event_can_be_replayed() {
    let place = Place::new().await;
    let (hook, _) = webhook(&place, &[WebhookEvent::Queued]).await;
    place.accept_many(1).await;
    for status in [500, 200] {
        let lease = leased(&place).await.remove(0);
        assert_eq!(settled(&place, lease, status).await, Some(None));
        place.database.execute("UPDATE webhook_deliveries SET due_at = now() WHERE due_at IS NOT NULL").await;
    }
    assert!(leased(&place).await.is_empty());
    let page = PageRequest { start: PageStart::First, limit: PageLimit::MOST };
    let listed = place.store.webhook_deliveries(&admin().permit().unwrap(), hook.id, page).await.unwrap().items;
    let attempts: Vec<_> = listed[0].attempts.iter().map(|attempt| (attempt.attempt, attempt.status)).collect();
    assert_eq!((listed.len(), listed[0].status.as_str(), attempts), (1, "delivered", vec![(1, Some(500)), (2, Some(200))]));
    let write = admin().permit().unwrap();
    let again = place.store.webhook_replay(&write, hook.id, listed[0].id).await.unwrap().unwrap();
    let lease = leased(&place).await.remove(0);
    assert_eq!((lease.work().id, lease.work().event_id, lease.work().attempts), (again, listed[0].event_id, 0));
    let tenant = place.tenant().await;
    let (stranger, writing) = (tenant_admin(tenant), place.keyed(Some(tenant), Permission::WebhooksWrite).await);
    assert!(place.store.webhook_replay(&writing.permit().unwrap(), hook.id, again).await.unwrap().is_none());
    assert!(place.store.webhook_deliveries(&stranger.permit().unwrap(), hook.id, page).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn what_nobody_needs_any_more_goes_step_by_step_and_nothing_else() {
    let place = Place::new().await;
    let write = admin().permit().unwrap();
    let (kept, off, gone) = (webhook(&place, &ALL).await.0, webhook(&place, &ALL).await.0, webhook(&place, &ALL).await.0);
    for id in [kept.id, kept.id, off.id, gone.id] {
        place.store.webhook_test(&write, id).await.unwrap().unwrap();
    }
    let one = leased(&place).await.into_iter().find(|lease| lease.work().webhook_id == kept.id).unwrap();
    assert_eq!(settled(&place, one, 200).await, Some(None));
    let inactive = WebhookChange { active: Some(false), ..WebhookChange::default() };
    place.store.webhook_update(&write, off.id, &inactive).await.unwrap().unwrap();
    assert!(place.store.webhook_delete(&write, gone.id).await.unwrap());
    place.store.webhook_rotate(&write, kept.id, LONG, &WebhookSecret::generate(&OsEntropy)).await.unwrap().unwrap();
    let told = async || {
        let deliveries = "SELECT string_agg(d.status, ' ' ORDER BY d.webhook_id, d.id) FROM webhook_deliveries d";
        let rest = "SELECT count(*) || ' ' || (SELECT count(previous_secret) FROM webhooks) FROM webhook_attempts";
        (place.ask(deliveries).await, place.ask(rest).await)
    };
    // That of the deleted one has nobody to go to; the other may still be switched on again.
    assert_eq!(place.store.webhooks_forget(&system(), 100, 30).await.unwrap(), 1);
    assert_eq!(told().await, ("delivered pending pending canceled".to_owned(), "1 1".to_owned()));
    place.database.execute("UPDATE webhooks SET updated_at = now() - interval '6 days', previous_until = CASE WHEN previous_until IS NOT NULL THEN now() - interval '1 second' END").await;
    assert_eq!(place.store.webhooks_forget(&system(), 100, 30).await.unwrap(), 1);
    assert_eq!(told().await, ("delivered pending canceled canceled".to_owned(), "1 0".to_owned()));
    place.database.execute("UPDATE webhook_deliveries SET created_at = now() - interval '31 days'").await;
    for _ in 0..3 {
        assert_eq!(place.store.webhooks_forget(&system(), 1, 30).await.unwrap(), 1);
    }
    assert_eq!(told().await, ("pending".to_owned(), "0 0".to_owned()));
    assert_eq!(place.store.webhooks_forget(&system(), 1, 30).await.unwrap(), 0);
}

/// An attempt is told of where somebody asks for it: once, however often it is leased, and nowhere else.
#[tokio::test]
async fn that_an_attempt_begins_is_told_once_to_those_who_ask_for_it() {
    let place = Place::new().await;
    let told = "SELECT coalesce(string_agg(kind || ' ' || attempt, ',' ORDER BY attempt, id), '') FROM events WHERE kind = 'sending'";
    let tenant = place.tenant().await;
    accept(&place.store, &tenant_admin(tenant).permit().unwrap(), |_| {}).await;
    let (hook, _) = webhook(&place, &[WebhookEvent::Sending]).await;
    place.accept_many(1).await;
    let mails = place.lease(2).await;
    assert_eq!(place.ask(told).await, "sending 1", "the other tenant has asked for nothing");
    place.store.queue_release(&system(), mails).await.unwrap();
    let mails = place.lease(2).await;
    assert_eq!(place.ask(told).await, "sending 1", "what was given back unbegun begins once");
    let settlements: Vec<_> = mails.into_iter().map(deferred).collect();
    place.store.queue_settle(&system(), &settlements).await.unwrap();
    place.database.execute("UPDATE queue SET due_at = now()").await;
    let mails = place.lease(2).await;
    assert_eq!(place.ask(told).await, "sending 1,sending 2");
    let kinds: Vec<_> = leased(&place).await.iter().map(|lease| (lease.work().webhook_id, kind(lease, email(lease)))).collect();
    assert_eq!(kinds, vec![(hook.id, "sending -".to_owned()); 2]);
    let off = WebhookChange { active: Some(false), ..WebhookChange::default() };
    place.store.webhook_update(&admin().permit().unwrap(), hook.id, &off).await.unwrap().unwrap();
    let settlements: Vec<_> = mails.into_iter().map(deferred).collect();
    place.store.queue_settle(&system(), &settlements).await.unwrap();
    place.database.execute("UPDATE queue SET due_at = now()").await;
    place.lease(2).await;
    assert_eq!(place.ask(told).await, "sending 1,sending 2", "nobody asks any more");
    assert_eq!(place.ask("SELECT count(*) FROM events WHERE substr(id::text, 15, 1) <> '7' OR abs(extract(epoch FROM at) * 1000 - ('x' || lpad(replace(left(id::text, 13), '-', ''), 16, '0'))::bit(64)::bigint) > 60000").await, "0");
}
