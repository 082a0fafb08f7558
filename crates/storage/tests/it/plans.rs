//! Statements are planned once and used for long: what they read must not grow with the tables.

use selfmx_auth::Principal;
use selfmx_domain::{
    EmailFilter, EventPosition, FeedbackOutcome, LogFilter, PageLimit, PageRequest, PageStart, TenantId, TenantProfile, WebhookSecret,
};
use selfmx_storage::{Erasing, Lease, Place as Sealing, PoolSettings, Posted, Store};
use selfmx_testing::OsEntropy;
use tokio::time::timeout;

use crate::feedback::{all, complaint};
use crate::place::{LONG, Place, accept, admin, new_tenant, permit, store, system, tenant, tenant_admin};
use crate::settle::{deferred, delivered};
use crate::tenants::platform;

/// A plan that is made while the queue is nearly empty, which it is most of the time, is the one that a sudden burst meets.
#[tokio::test]
async fn plans_made_while_the_queue_was_short_read_little_when_it_is_long() {
    let (short, long) = (blocks_read_with(1).await, blocks_read_with(50_000).await);
    assert!(long - short < 1_000, "{short} blocks were read while the queue was short, {long} when it was long");
}

/// How much is read of the queue and the emails by work on a few mails, for which the plans were made before `burst` others came.
async fn blocks_read_with(burst: usize) -> i64 {
    let place = Place::new().await;
    // The worst case: one plan for good, and no autovacuum that happens to have it made again.
    place.database.execute(&format!("ALTER DATABASE {} SET plan_cache_mode = force_generic_plan", place.database.name())).await;
    place.database.execute(REPORT).await;
    for table in ["emails", "messages", "recipients", "queue"] {
        place.database.execute(&format!("ALTER TABLE {table} SET (autovacuum_enabled = off)")).await;
    }
    place.fill(60, "1", "now()").await;
    place.database.execute("DELETE FROM queue WHERE email_id <> (SELECT min(email_id::text)::uuid FROM queue)").await;
    place.database.execute("UPDATE queue SET due_at = now() + interval '1 hour'").await;
    place.database.execute("VACUUM ANALYZE").await;
    let one = store(&place.address(), PoolSettings { size: 1, ..PoolSettings::default() });
    work(&one, 12).await;
    place.fill(burst, "n % 3", "now()").await;
    let before = blocks_read_so_far(&place, &one).await;
    work(&one, 1).await;
    drop(one);
    blocks_read_in_the_end(&place).await - before
}

/// Everything that is done to the queue, `times` times.
async fn work(store: &Store, times: usize) {
    for _ in 0..times {
        for _ in 0..20 {
            accept(store, &permit(), |_| {}).await;
        }
        let mut leases = store.queue_lease(&system(), 20, LONG, &[]).await.unwrap();
        assert_eq!(leases.len(), 20);
        let keys: Vec<_> = leases.iter().map(Lease::key).collect();
        assert_eq!(store.queue_renew(&system(), &keys, LONG).await.unwrap().len(), 20);
        store.queue_release(&system(), leases.split_off(19)).await.unwrap();
        let late = leases.split_off(18).into_iter().map(deferred);
        let settlements: Vec<_> = leases.into_iter().map(delivered).chain(late).collect();
        assert_eq!(store.queue_settle(&system(), &settlements).await.unwrap().len(), 19);
    }
}

/// A list is made of the tenant's own rows, wherever they lie, and looks at the queue for those that it shows.
#[tokio::test]
async fn an_idle_tenant_s_lists_read_nobody_else_s_rows() {
    let place = Place::new().await;
    let filler = place.other_store();
    let idle = tenant_admin(tenant(&filler).await);
    for _ in 0..5 {
        accept(&filler, &idle.permit().unwrap(), |_| {}).await;
    }
    drop(filler);
    place.fill(20_000, "1", "now() + interval '1 hour'").await;
    place.database.execute("UPDATE queue SET lease_token = gen_random_uuid()").await;
    place.database.execute("VACUUM ANALYZE").await;
    for (reader, shown) in [(idle, 5), (admin(), 20)] {
        let one = store(&place.address(), PoolSettings { size: 1, ..PoolSettings::default() });
        let before = blocks_read(&place).await;
        let page = PageRequest { start: PageStart::First, limit: PageLimit::default() };
        let page = one.email_list(&reader.permit().unwrap(), &EmailFilter::default(), page).await.unwrap();
        assert_eq!(page.items.len(), shown);
        drop(one);
        let read = blocks_read_in_the_end(&place).await - before;
        assert!(read < 200, "{read} blocks were read to show {shown}");
        let one = store(&place.address(), PoolSettings { size: 1, ..PoolSettings::default() });
        let before = blocks_read(&place).await;
        let page = PageRequest { start: PageStart::First, limit: PageLimit::default() };
        let log = one.log_list(&reader.permit().unwrap(), &LogFilter::default(), page).await.unwrap();
        assert_eq!(log.page.items.len(), shown);
        drop(one);
        let read = blocks_read_in_the_end(&place).await - before;
        assert!(read < 500, "{read} blocks were read to show {shown} of the log");
        let one = store(&place.address(), PoolSettings { size: 1, ..PoolSettings::default() });
        let last = one.event_place(&reader.permit().unwrap()).await.unwrap();
        let before = blocks_read(&place).await;
        for at in [EventPosition { xact: 0, ..last }, last] {
            one.event_place(&reader.permit().unwrap()).await.unwrap();
            one.event_follow(&reader.permit().unwrap(), at).await.unwrap().unwrap();
        }
        drop(one);
        let read = blocks_read_in_the_end(&place).await - before;
        assert!(read < 900, "{read} blocks were read to follow events");
    }
}

/// A suspended tenant's backlog is set aside in bounded steps, once; whoever comes after it is as fast as without it, and so are the looks for what
/// is to come back.
#[tokio::test]
async fn a_suspended_tenant_s_backlog_at_the_head_of_the_queue_costs_the_others_little() {
    let place = Place::new().await;
    place.database.execute(&format!("ALTER DATABASE {} SET plan_cache_mode = force_generic_plan", place.database.name())).await;
    place.database.execute("ALTER TABLE queue SET (autovacuum_enabled = off)").await;
    let one = store(&place.address(), PoolSettings { size: 1, ..PoolSettings::default() });
    let profile = TenantProfile::named("Other".parse().unwrap());
    let other = tenant_admin(one.tenant_create(&platform(), &profile.into()).await.unwrap().id);
    // The plans are made while there is next to nothing.
    work_as(&one, &other, 12).await;
    place.fill(100_000, "1", "now() - interval '1 hour'").await;
    one.tenant_suspend(&platform(), TenantId::DEFAULT).await.unwrap();
    let mut looks = 0;
    while place.ask("SELECT count(*) FROM queue WHERE NOT held").await != "0" {
        assert!(one.queue_lease(&system(), 20, LONG, &[]).await.unwrap().is_empty());
        looks += 1;
    }
    assert!(looks < 20, "{looks}");
    drop(one);
    let mut read = Vec::new();
    for step in 0..3 {
        let one = store(&place.address(), PoolSettings { size: 1, ..PoolSettings::default() });
        let before = blocks_read_in_the_end(&place).await;
        match step {
            0 => work_as(&one, &other, 1).await,
            1 => assert_eq!(one.queue_resume(&system()).await.unwrap(), 0),
            _ => {
                one.tenant_resume(&platform(), TenantId::DEFAULT).await.unwrap();
                assert_eq!(one.queue_resume(&system()).await.unwrap(), 200);
            }
        }
        drop(one);
        read.push(blocks_read_in_the_end(&place).await - before);
    }
    assert!(read[0] < 3_000 && read[1] < 50 && read[2] < 5_000, "{read:?}");
}

/// Twenty mails of a tenant's, accepted, leased and settled, `times` times.
async fn work_as(store: &Store, key: &Principal, times: usize) {
    for _ in 0..times {
        for _ in 0..20 {
            accept(store, &key.permit().unwrap(), |_| {}).await;
        }
        let leases = store.queue_lease(&system(), 20, LONG, &[]).await.unwrap();
        assert_eq!(leases.len(), 20);
        let settlements: Vec<_> = leases.into_iter().map(delivered).collect();
        assert_eq!(store.queue_settle(&system(), &settlements).await.unwrap().len(), 20);
    }
}

/// What is erased is found by the tenant, however much the others have.
#[tokio::test]
async fn erasing_a_small_tenant_reads_little_of_what_the_others_have() {
    let place = Place::new().await;
    place.database.execute(&format!("ALTER DATABASE {} SET plan_cache_mode = force_generic_plan", place.database.name())).await;
    let mut read = Vec::new();
    for others in [1, 30_000] {
        let one = store(&place.address(), PoolSettings { size: 1, ..PoolSettings::default() });
        let gone = tenant(&one).await;
        for _ in 0..20 {
            accept(&one, &tenant_admin(gone).permit().unwrap(), |_| {}).await;
        }
        place.fill(others, "1", "now() + interval '1 hour'").await;
        place.database.execute("VACUUM ANALYZE").await;
        one.tenant_delete(&platform(), gone).await.unwrap();
        drop(one);
        let before = blocks_read_in_the_end(&place).await;
        let one = store(&place.address(), PoolSettings { size: 1, ..PoolSettings::default() });
        while one.tenant_erase(&system()).await.unwrap() == Erasing::Some {}
        drop(one);
        read.push(blocks_read_in_the_end(&place).await - before);
        assert_eq!(place.ask(&format!("SELECT count(*) FROM emails WHERE tenant_id = '{}'", gone.as_uuid())).await, "0");
    }
    assert!(read[1] - read[0] < 200, "{read:?}");
}

/// The mail that a report without our `Message-ID` is about is found among the newest to its recipient, however much that one has got.
#[tokio::test]
async fn a_report_by_recipient_reads_little_of_what_the_recipient_has() {
    let place = Place::new().await;
    // The plan is made without knowing how much that is.
    place
        .database
        .execute("ALTER TABLE recipients SET (autovacuum_enabled = off); ALTER TABLE emails SET (autovacuum_enabled = off)")
        .await;
    let one = store(&place.address(), PoolSettings { size: 1, ..PoolSettings::default() });
    let id = accept(&one, &permit(), |_| {}).await;
    drop(one);
    // Of the same moment, so that all of them may be meant.
    let fill = format!(
        "CREATE TEMPORARY TABLE fresh AS SELECT (left('{0}', 19) || substr(gen_random_uuid()::text, 20))::uuid AS id FROM generate_series(1, 5000); \
         INSERT INTO emails (id, tenant_id, api_key_id, mode, priority, smtputf8, from_address, subject, reply_to, tags, metadata) \
         SELECT f.id, e.tenant_id, api_key_id, mode, priority, smtputf8, from_address, subject, reply_to, tags, metadata FROM emails e, fresh f; \
         INSERT INTO recipients (email_id, ordinal, tenant_id, kind, address) SELECT id, 0, tenant_id, 'to', 'busy@y.example' FROM emails WHERE id <> '{0}'",
        id.as_uuid()
    );
    place.database.execute(&fill).await;
    let before = blocks_read_in_the_end(&place).await;
    let one = store(&place.address(), PoolSettings { size: 1, ..PoolSettings::default() });
    let results = one.feedback_record(&all(), &complaint(None, &["busy@y.example"])).await.unwrap();
    assert_eq!(results[0].outcome, FeedbackOutcome::NoMatch);
    drop(one);
    let read = blocks_read_in_the_end(&place).await - before;
    assert!((100..2_000).contains(&read), "{read}");
}

async fn blocks_read(place: &Place) -> i64 {
    // What filled the tables reports its counts when it ends, which may be after its answer.
    let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' \
         AND application_name <> 'selfmx' AND pid <> pg_backend_pid()";
    timeout(LONG, async { while place.ask(others).await != "0" {} }).await.unwrap();
    place
        .ask("SELECT sum(heap_blks_read + heap_blks_hit + idx_blks_read + idx_blks_hit) FROM pg_statio_user_tables WHERE relname IN ('queue', 'emails')")
        .await
        .parse()
        .unwrap()
}

/// A server's process that goes on reports its counts now and then, and leaves those for later that another process is at just then: which happens on a busy
/// machine. With this trigger, which has to be there before plans are made, it reports all that it has whenever it has accepted an email.
const REPORT: &str = "CREATE FUNCTION report() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_stat_force_next_flush(); RETURN NULL; END $$; \
     CREATE TRIGGER report AFTER INSERT ON emails FOR EACH STATEMENT EXECUTE FUNCTION report()";

async fn blocks_read_so_far(place: &Place, one: &Store) -> i64 {
    accept(one, &permit(), |_| {}).await;
    blocks_read(place).await
}

/// A process reports its counts at the latest when it ends: no store has a connection any more.
async fn blocks_read_in_the_end(place: &Place) -> i64 {
    let gone = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'selfmx'";
    while place.ask(gone).await != "0" {}
    blocks_read(place).await
}

#[tokio::test]
async fn what_is_done_for_each_mail_is_prepared_once_for_each_connection() {
    let place = Place::with_pool(PoolSettings { size: 1, ..PoolSettings::default() }).await;
    let ask = "CREATE TABLE prepared (word text); \
         CREATE FUNCTION ask() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN TRUNCATE prepared; INSERT INTO prepared SELECT left(statement, 400) FROM pg_prepared_statements; RETURN NEW; END $$; \
         CREATE TRIGGER ask BEFORE INSERT ON emails FOR EACH ROW EXECUTE FUNCTION ask()";
    place.database.execute(ask).await;
    for _ in 0..3 {
        work(&place.store, 1).await;
    }
    let prepared = place.database.query_texts("SELECT word FROM prepared").await;
    for statement in [
        "WITH input AS (SELECT",
        "WITH due AS MATERIALIZED",
        "WITH RECURSIVE walk(",
        "UPDATE queue SET due_at = now() + ",
        "UPDATE queue SET lease_token = NULL, unsettled = greatest",
        "WITH input AS MATERIALIZED",
    ] {
        assert_eq!(prepared.iter().filter(|word| word.contains(statement)).count(), 1, "{statement}: {prepared:#?}");
    }
    assert_eq!(prepared.len(), 6, "{prepared:#?}");
}

/// A claim from tenant to tenant looks once at each tenant that waits, and not at the mail of one that is passed over.
#[tokio::test]
async fn a_backlog_that_is_passed_over_and_many_tenants_that_wait_cost_a_claim_little() {
    let (short, long) = (blocks_read_around(1, 1).await, blocks_read_around(100_000, 2_000).await);
    assert!(long - short < 5 * 2_000 * 5, "{short} blocks were read among few, {long} among many");
}

/// How much is read by five claims of a mail each, for which the plans were made before others had `passed_over` mails due, and so many tenants were `waiting`.
async fn blocks_read_around(passed_over: usize, waiting: usize) -> i64 {
    let place = Place::new().await;
    place.database.execute(&format!("ALTER DATABASE {} SET plan_cache_mode = force_generic_plan", place.database.name())).await;
    place.database.execute(REPORT).await;
    place.database.execute("ALTER TABLE queue SET (autovacuum_enabled = off)").await;
    let one = store(&place.address(), PoolSettings { size: 1, ..PoolSettings::default() });
    let key = tenant_admin(tenant(&one).await);
    claim_around(&one, &key).await;
    place.fill(passed_over, "1", "now() - interval '1 hour'").await;
    place.fill_for(new_tenant(), waiting, "1", "now() + interval '1 hour'").await;
    place.database.execute("UPDATE queue SET tenant_id = email_id WHERE due_at > now()").await;
    let before = blocks_read_so_far(&place, &one).await;
    for _ in 0..5 {
        claim_around(&one, &key).await;
    }
    drop(one);
    blocks_read_in_the_end(&place).await - before
}

/// One mail, accepted, leased and settled while the default tenant is passed over.
async fn claim_around(store: &Store, key: &Principal) {
    accept(store, &key.permit().unwrap(), |_| {}).await;
    let mut leases = Vec::new();
    while leases.is_empty() {
        leases = store.queue_lease(&system(), 20, LONG, &[TenantId::DEFAULT]).await.unwrap();
    }
    let settlements: Vec<_> = leases.into_iter().map(delivered).collect();
    assert_eq!(store.queue_settle(&system(), &settlements).await.unwrap().len(), 1);
}

/// A look passes each webhook once, whatever waits for it; a lease and what came of it read what is leased.
#[tokio::test]
async fn what_is_read_for_webhooks_does_not_grow_with_what_waits_for_them() {
    let (short, long) = (blocks_read_for_webhooks(1, 100).await, blocks_read_for_webhooks(100_000, 100).await);
    assert!(long - short < 2_000, "{short} blocks were read where one delivery waited, {long} where 100,000 did");
    let many = blocks_read_for_webhooks(1, 1_000).await;
    assert!(many - short < 900 * 5 * 12, "{short} blocks were read among 100 webhooks, {many} among 1,000");
}

/// How much is read by five rounds of posting 16 events to a webhook for which so many wait, among so many others that wait for their next attempt.
async fn blocks_read_for_webhooks(waiting: usize, others: usize) -> i64 {
    let place = Place::new().await;
    place
        .database
        .execute("ALTER TABLE webhook_deliveries SET (autovacuum_enabled = off); ALTER TABLE webhooks SET (autovacuum_enabled = off)")
        .await;
    let fill = format!(
        "INSERT INTO webhooks (id, tenant_id, url, events, secret) SELECT md5(n::text)::uuid, gen_random_uuid(), 'http://h.example/', '{{queued}}', '' \
         FROM generate_series(0, {others}) AS n; \
         INSERT INTO webhook_deliveries (webhook_id, id, tenant_id, event_id, due_at) SELECT w.id, gen_random_uuid(), w.tenant_id, gen_random_uuid(), \
         now() + interval '1 hour' FROM webhooks w WHERE w.id <> md5('0')::uuid; \
         INSERT INTO webhook_deliveries (webhook_id, id, tenant_id, event_id, email_id) SELECT w.id, gen_random_uuid(), w.tenant_id, gen_random_uuid(), \
         gen_random_uuid() FROM webhooks w, generate_series(1, {waiting} + 200) WHERE w.id = md5('0')::uuid"
    );
    place.database.execute(&fill).await;
    let secret = WebhookSecret::generate(&OsEntropy);
    let one = store(&place.address(), PoolSettings { size: 1, ..PoolSettings::default() });
    let busy = one.webhook_look(&system(), None).await.unwrap().due[0].id;
    let at = Sealing { table: "webhooks", column: "secret", row: busy.as_uuid() };
    let sealed = one.vault().seal(&OsEntropy, at, secret.reveal().as_bytes()).unwrap();
    let hex: String = sealed.as_bytes().iter().map(|octet| format!("{octet:02x}")).collect();
    place.database.execute(&format!("UPDATE webhooks SET secret = decode('{hex}', 'hex') WHERE id = md5('0')::uuid")).await;
    let before = webhook_blocks(&place).await;
    for _ in 0..5 {
        let due = one.webhook_look(&system(), None).await.unwrap().due;
        assert_eq!(due.len(), 1);
        let leases = one.webhook_lease(&system(), &[(busy, 16)], LONG).await.unwrap();
        assert_eq!(leases.len(), 16);
        let posted = Posted {
            asked: true,
            accepted: true,
            gone: false,
            retry_after: None,
            status: Some(200),
            error: None,
            answer: None,
            took: LONG,
        };
        let settlements: Vec<_> = leases.into_iter().map(|lease| lease.settle(posted.clone())).collect();
        assert_eq!(one.webhook_settle(&system(), &settlements).await.unwrap().recorded.len(), 16);
    }
    webhook_blocks(&place).await - before
}

/// Those who read report their counts at the latest when they end.
async fn webhook_blocks(place: &Place) -> i64 {
    place
        .database
        .execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'selfmx'",
        )
        .await;
    let gone = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'selfmx'";
    while place.ask(gone).await != "0" {}
    place
        .ask("SELECT sum(heap_blks_read + heap_blks_hit + idx_blks_read + idx_blks_hit) FROM pg_statio_user_tables WHERE relname LIKE 'webhook%'")
        .await
        .parse()
        .unwrap()
}
