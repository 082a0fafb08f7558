//! What a tenant has used in a month: its emails, counted one by one, and its requests, written behind.

use selfmx_auth::Permission;
use selfmx_domain::{Mode, Month, TenantId, TenantUsage};
use selfmx_storage::{PoolSettings, Store};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use crate::place::{Place, accept, admin, new_tenant, principal, store, tenant, tenant_admin};

/// Emails of one tenant without the store: `TENANT`, `COUNT` of them at `AT` (`n` counts them), whose ids were made `APART` from then.
const FILL: &str = "INSERT INTO emails (id, tenant_id, api_key_id, mode, priority, status, smtputf8, from_address, subject, reply_to, tags, metadata, created_at) \
     SELECT (lpad(to_hex((extract(epoch FROM at + interval 'APART') * 1000)::bigint), 12, '0') || '70008000' || lpad(to_hex(n), 12, '0'))::uuid, 'TENANT', 'TENANT', \
     'live', 1, (ARRAY['queued', 'delivered', 'bounced', 'failed'])[n % 4 + 1], false, 'from@x.example', 's', '[]', '[]', '{}', at \
     FROM (SELECT n, AT AS at FROM generate_series(1, COUNT) AS n) AS fresh";

async fn fill(place: &Place, tenant: TenantId, count: usize, at: &str, apart: &str) {
    let sql = FILL.replace("TENANT", &tenant.as_uuid().to_string()).replace("COUNT", &count.to_string());
    place.database.execute(&sql.replace("APART", apart).replace("AT AS", &format!("{at} AS"))).await;
}

async fn usage_of(store: &Store, tenant: TenantId, period: Option<&str>) -> Option<TenantUsage> {
    let period = period.map(|period| period.parse().unwrap());
    store.tenant_usage(&admin().platform_permit().unwrap(), tenant, period).await.unwrap()
}

/// Sent, delivered, bounced, and requests.
async fn counts(place: &Place, tenant: TenantId, period: &str) -> [u64; 4] {
    let usage = usage_of(&place.store, tenant, Some(period)).await.unwrap();
    assert_eq!((usage.tenant_id, usage.period.to_string().as_str()), (tenant, period));
    [usage.emails_sent, usage.emails_delivered, usage.emails_bounced, usage.api_requests]
}

#[tokio::test]
async fn a_month_s_emails_are_counted_from_its_first_instant_to_its_last() {
    let place = Place::new().await;
    let (mine, theirs) = (place.tenant().await, place.tenant().await);
    // 8 emails: the last two of January, four of February, the first two of March.
    let at = "(ARRAY['2026-01-31 23:59:59.999998', '2026-01-31 23:59:59.999999', '2026-02-01 00:00:00', '2026-02-10', '2026-02-28 12:00', '2026-02-28 23:59:59.999999', '2026-03-01', '2026-03-01 00:00:00.000001'])[n]::timestamp AT TIME ZONE 'UTC'";
    for apart in ["0 seconds", "23 hours", "-23 hours"] {
        fill(&place, mine, 8, at, apart).await;
    }
    fill(&place, theirs, 8, at, "0 seconds").await;
    for (period, expected) in [
        ("2026-01", [6, 3, 3, 0]),
        ("2026-02", [12, 3, 3, 0]),
        ("2026-03", [6, 0, 0, 0]),
        ("2025-02", [0; 4]),
        ("2026-04", [0; 4]),
        ("0000-01", [0; 4]),
        ("9999-12", [0; 4]),
    ] {
        assert_eq!(counts(&place, mine, period).await, expected, "{period}");
    }
    assert_eq!(counts(&place, theirs, "2026-02").await, [4, 1, 1, 0]);
    place.database.execute("UPDATE emails SET mode = 'test' WHERE status = 'delivered'").await;
    assert_eq!(counts(&place, mine, "2026-02").await, [9, 0, 3, 0]);
}

#[tokio::test]
async fn the_present_month_is_the_database_s_and_counts_what_is_accepted() {
    let place = Place::new().await;
    let mine = place.tenant().await;
    for (holder, count) in [(tenant_admin(mine), 3), (principal(Some(mine), Permission::Send, Mode::Test), 2)] {
        for _ in 0..count {
            accept(&place.store, &holder.permit().unwrap(), |_| {}).await;
        }
    }
    let usage = usage_of(&place.store, mine, None).await.unwrap();
    assert_eq!(usage.period.to_string(), place.ask("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM')").await);
    assert_eq!((usage.emails_sent, usage.emails_delivered, usage.emails_bounced, usage.api_requests), (3, 0, 0, 0));
    assert!(usage_of(&place.store, new_tenant(), None).await.is_none());
    place.database.execute(&format!("UPDATE tenants SET status = 'deleted', deleted_at = now() WHERE id = '{}'", mine.as_uuid())).await;
    assert!(usage_of(&place.store, mine, None).await.is_none());
}

#[tokio::test]
async fn requests_are_written_behind_by_every_node_and_kept_where_they_cannot_be() {
    let place = Place::new().await;
    let (mine, theirs, other) = (place.tenant().await, place.tenant().await, place.other_store());
    let march: OffsetDateTime = datetime!(2026-03-01 0:00 UTC);
    let note = |store: &Store, count: usize| {
        for _ in 0..count {
            store.request_counted(mine, march);
            store.request_counted(mine, march - Duration::MICROSECOND);
            store.request_counted(theirs, march);
            store.request_counted(new_tenant(), march);
        }
    };
    note(&place.store, 3);
    assert_eq!(counts(&place, mine, "2026-03").await[3], 0);
    place.database.execute("ALTER TABLE usage_months RENAME TO elsewhere").await;
    assert!(place.store.request_count_write().await.is_err());
    place.database.execute("ALTER TABLE elsewhere RENAME TO usage_months").await;
    note(&place.store, 1);
    note(&other, 5);
    for store in [&place.store, &other, &place.store] {
        store.request_count_write().await.unwrap();
    }
    assert_eq!((counts(&place, mine, "2026-03").await[3], counts(&place, mine, "2026-02").await[3]), (9, 9));
    assert_eq!((counts(&place, theirs, "2026-03").await[3], counts(&place, theirs, "2026-02").await[3]), (9, 0));
    assert_eq!(place.ask("SELECT count(*) FROM usage_months").await, "3");
}

/// Years of other months, and everybody else's, are not read.
#[tokio::test]
async fn a_month_reads_its_own_emails_and_a_few_more() {
    let place = Place::new().await;
    let filler = place.other_store();
    let (mine, theirs) = (tenant(&filler).await, tenant(&filler).await);
    drop(filler);
    // What the server itself reads of the table, of its own accord, would be counted too.
    place.database.execute("ALTER TABLE emails SET (autovacuum_enabled = false)").await;
    for tenant in [mine, theirs] {
        fill(&place, tenant, 30_000, "timestamp '2024-01-01' AT TIME ZONE 'UTC' + n * interval '30 minutes'", "0 seconds").await;
    }
    place.database.execute("VACUUM ANALYZE emails").await;
    let period: Month = "2025-03".parse().unwrap();
    for (times, mode) in [(1, "auto"), (8, "force_generic_plan")] {
        place.database.execute(&format!("ALTER DATABASE {} SET plan_cache_mode = {mode}", place.database.name())).await;
        let one = store(&place.address(), PoolSettings { size: 1, ..PoolSettings::default() });
        let before = blocks_read(&place).await;
        for _ in 0..times {
            let usage = one.tenant_usage(&admin().platform_permit().unwrap(), mine, Some(period)).await.unwrap().unwrap();
            assert_eq!((usage.emails_sent, usage.emails_delivered, usage.emails_bounced), (31 * 48, 31 * 12, 31 * 12));
        }
        drop(one);
        let gone = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'selfmx'";
        while place.ask(gone).await != "0" {}
        let read = (blocks_read(&place).await - before) / times;
        // All of the tenant's are more than 500 blocks.
        assert!(read < 100, "{read} blocks were read");
    }
}

async fn blocks_read(place: &Place) -> i64 {
    let sql =
        "SELECT sum(heap_blks_read + heap_blks_hit + idx_blks_read + idx_blks_hit) FROM pg_statio_user_tables WHERE relname = 'emails'";
    place.ask(sql).await.parse().unwrap()
}
