//! What a deleted tenant had is erased in the background, in bounded steps; each is one commit, so that a kill costs nothing but time.

use diesel::result::Error as DieselError;
use diesel::sql_types::{Bool, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryableByName};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use selfmx_auth::System;
use uuid::Uuid;

use crate::store::change;
use crate::{Error, Store};

/// A deleted tenant that nobody else is erasing. For so long after its deletion a statement may be under way that had begun before it, and bring an email.
const PICK: &str = "SELECT id, deleted_at < now() - interval '10 minutes' AS settled FROM tenants WHERE erase_due_at <= now() \
ORDER BY erase_due_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED";

/// Up to 500 emails, and no more than 64 MiB of messages but for the first. Those that are leased are left to the attempt; the rows of the queue are
/// locked before all others, as whoever settles does.
const ERASE_EMAILS: &str = "WITH found AS MATERIALIZED (SELECT ARRAY(SELECT s.id FROM (SELECT e.id, sum(e.octets) OVER (ORDER BY e.id) - e.octets AS before \
FROM (SELECT l.id, coalesce((SELECT octet_length(m.raw) FROM messages m WHERE m.email_id = l.id), 0) AS octets \
FROM (SELECT id FROM emails WHERE tenant_id = $1 ORDER BY id LIMIT 500) AS l) AS e) AS s WHERE s.before < 67108864) AS ids), \
free AS MATERIALIZED (SELECT email_id FROM queue WHERE email_id = ANY((SELECT ids FROM found)::uuid[]) \
AND (lease_token IS NULL OR due_at <= now()) ORDER BY email_id FOR UPDATE SKIP LOCKED), \
gone AS MATERIALIZED (SELECT ARRAY(SELECT i.id FROM unnest((SELECT ids FROM found)) AS i(id) \
WHERE (SELECT q.email_id FROM queue q WHERE q.email_id = i.id) IS NULL OR i.id IN (SELECT email_id FROM free)) AS ids), \
work AS (DELETE FROM queue WHERE email_id = ANY((SELECT ids FROM gone)::uuid[])), \
happened AS (DELETE FROM events WHERE email_id = ANY((SELECT ids FROM gone)::uuid[])), \
told AS (DELETE FROM recipients WHERE email_id = ANY((SELECT ids FROM gone)::uuid[])), \
said AS (DELETE FROM messages WHERE email_id = ANY((SELECT ids FROM gone)::uuid[])) \
DELETE FROM emails WHERE tenant_id = $1 AND id = ANY((SELECT ids FROM gone)::uuid[])";

/// Once the emails are gone, all but those that are on their way.
const ERASE_KEYS: &str =
    "DELETE FROM api_keys WHERE id = ANY(ARRAY(SELECT id FROM api_keys WHERE tenant_id = $1 ORDER BY id LIMIT 500 FOR UPDATE))";
const ERASE_REQUESTS: &str = "DELETE FROM idempotency_keys WHERE tenant_id = $1 \
AND digest = ANY(ARRAY(SELECT digest FROM idempotency_keys WHERE tenant_id = $1 ORDER BY digest LIMIT 1000 FOR UPDATE))";
/// The list of suppressed addresses goes by itself, for it may be long.
const ERASE_SUPPRESSIONS: &str = "DELETE FROM suppressions WHERE tenant_id = $1 AND folded = ANY(ARRAY(SELECT folded FROM suppressions WHERE tenant_id = $1 ORDER BY folded LIMIT 1000))";
/// A template goes with its versions.
const ERASE_TEMPLATES: &str = "DELETE FROM templates WHERE tenant_id = $1 AND id = ANY(ARRAY(SELECT id FROM templates WHERE tenant_id = $1 ORDER BY id LIMIT 20 FOR UPDATE))";
/// Attempts first, since they are found by the deliveries; then the webhooks, and with them their secrets.
const ERASE_ATTEMPTS: &str = "DELETE FROM webhook_attempts a USING (SELECT d.webhook_id, d.id FROM webhooks w JOIN webhook_deliveries d ON d.webhook_id = w.id \
WHERE w.tenant_id = $1 ORDER BY d.webhook_id, d.id LIMIT 1000) AS d WHERE a.webhook_id = d.webhook_id AND a.delivery_id = d.id";
const ERASE_DELIVERIES: &str = "DELETE FROM webhook_deliveries g USING (SELECT d.webhook_id, d.id FROM webhooks w JOIN webhook_deliveries d ON d.webhook_id = w.id \
WHERE w.tenant_id = $1 ORDER BY d.webhook_id, d.id LIMIT 1000) AS d WHERE g.webhook_id = d.webhook_id AND g.id = d.id";
const ERASE_WEBHOOKS: &str = "DELETE FROM webhooks WHERE tenant_id = $1 AND id = ANY(ARRAY(SELECT id FROM webhooks WHERE tenant_id = $1 ORDER BY id LIMIT 500 FOR UPDATE))";
const ERASE_DAYS: &str = "DELETE FROM quota_days WHERE tenant_id = $1";
const ERASE_MONTHS: &str = "DELETE FROM usage_months WHERE tenant_id = $1";

/// Attempts end or lose their lease within a minute.
const LOOK_SOON: &str = "UPDATE tenants SET erase_due_at = now() + interval '5 seconds' WHERE id = $1";
const LOOK_WHEN_SETTLED: &str = "UPDATE tenants SET erase_due_at = deleted_at + interval '601 seconds' WHERE id = $1";

/// The row stays, so that its id is never given again and the audit log names something.
const FINISH: &str = "UPDATE tenants SET erased_at = now(), erase_due_at = NULL, name = '', domain = NULL, from_name = NULL, from_address = NULL, \
reply_to = NULL, requests_per_minute = NULL, emails_per_day = NULL, relay_host = NULL, relay_port = NULL, relay_user = NULL, relay_pass = NULL, \
relay_tls = NULL, relay_version = relay_version + 1, dkim_domain = NULL, dkim_selector = NULL, dkim_algorithm = NULL, dkim_public_key = NULL, dkim_key = NULL, \
track_opens = false, track_clicks = false, suspended_at = NULL WHERE id = $1";

/// What a step of erasing found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Erasing {
    /// There is nothing to erase at present.
    Nothing,
    /// There was, and there may be more.
    Some,
}

#[derive(QueryableByName)]
struct Deleted {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Bool)]
    settled: bool,
}

#[derive(QueryableByName)]
struct Left {
    #[diesel(sql_type = Bool)]
    emails: bool,
}

impl Store {
    /// Erases some of what a deleted tenant had: its emails first, then its suppression list, its templates, its keys, its idempotency keys and its counts, and in the end, when nothing can come any more, its name
    /// and its settings. The audit log stays. Any number of nodes may do so at once.
    ///
    /// # Errors
    ///
    /// Where the database cannot; then the same call goes on later.
    pub async fn tenant_erase(&self, _system: &System) -> Result<Erasing, Error> {
        let step = async |connection: &mut AsyncPgConnection| {
            let picked: Option<Deleted> = diesel::sql_query(PICK).get_result(connection).await.optional()?;
            let Some(tenant) = picked else { return Ok(Erasing::Nothing) };
            erase_some(connection, &tenant).await?;
            Ok::<_, Error>(Erasing::Some)
        };
        change!(self, connection => connection.transaction(step).await).await
    }
}

async fn erase_some(connection: &mut AsyncPgConnection, tenant: &Deleted) -> Result<(), DieselError> {
    if run(connection, ERASE_EMAILS, tenant.id).await? > 0 {
        return Ok(());
    }
    let left = "SELECT EXISTS (SELECT 1 FROM emails WHERE tenant_id = $1) AS emails";
    let left: Left = diesel::sql_query(left).bind::<SqlUuid, _>(tenant.id).get_result(connection).await?;
    if left.emails {
        run(connection, LOOK_SOON, tenant.id).await?;
        return Ok(());
    }
    for some in [ERASE_SUPPRESSIONS, ERASE_TEMPLATES, ERASE_ATTEMPTS, ERASE_DELIVERIES, ERASE_WEBHOOKS, ERASE_KEYS, ERASE_REQUESTS] {
        if run(connection, some, tenant.id).await? > 0 {
            return Ok(());
        }
    }
    run(connection, ERASE_DAYS, tenant.id).await?;
    run(connection, ERASE_MONTHS, tenant.id).await?;
    run(connection, if tenant.settled { FINISH } else { LOOK_WHEN_SETTLED }, tenant.id).await?;
    Ok(())
}

async fn run(connection: &mut AsyncPgConnection, sql: &'static str, tenant: Uuid) -> Result<usize, DieselError> {
    diesel::sql_query(sql).bind::<SqlUuid, _>(tenant).execute(connection).await
}
