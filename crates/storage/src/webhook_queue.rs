//! Deliveries of events to webhooks: which have something due, and leases on as much of it as their worker has room for.

use std::time::Duration;

use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use selfmx_auth::System;
use selfmx_domain::{TenantId, WebhookId};
use uuid::Uuid;

use crate::lease::Lease;
use crate::queue::millis;
use crate::store::{change, read};
use crate::webhook_rows::{Row, WebhookDelivery};
use crate::{Error, Store};

/// How many webhooks one look passes, whether or not they have something due: the next one goes on where it ended.
const STEPS: i64 = 1024;

/// From one webhook that has something left to do to the next, by one look at the index each: what is due first is first.
const LOOK: &str = "WITH RECURSIVE walk(webhook_id, is_due, step) AS (SELECT $1::uuid, false, 0::bigint UNION ALL \
SELECT n.webhook_id, n.is_due, w.step + 1 FROM walk w, LATERAL (SELECT d.webhook_id, d.due_at <= now() AS is_due FROM webhook_deliveries d \
WHERE d.due_at IS NOT NULL AND d.webhook_id > w.webhook_id ORDER BY d.webhook_id, d.due_at LIMIT 1) AS n WHERE w.step < $2) \
SELECT w.webhook_id, w.is_due AND coalesce(k.active, false) AS is_due, k.tenant_id, k.failing_since IS NOT NULL AS failing \
FROM walk w LEFT JOIN webhooks k ON k.id = w.webhook_id WHERE w.step > 0 ORDER BY w.step";

/// Of each webhook the first that are due, in their order. They are named by their places in the table, which leaves the planner nothing to choose.
const LEASE: &str = "WITH due AS MATERIALIZED (SELECT ARRAY(SELECT s.place FROM unnest($1::uuid[], $2::integer[]) AS a(webhook_id, wanted) \
JOIN webhooks k ON k.id = a.webhook_id AND k.active, \
LATERAL (SELECT d.ctid AS place FROM webhook_deliveries d WHERE d.webhook_id = a.webhook_id AND d.due_at <= now() ORDER BY d.due_at \
LIMIT a.wanted FOR UPDATE SKIP LOCKED) AS s) AS places), \
claimed AS (UPDATE webhook_deliveries SET lease_token = gen_random_uuid(), due_at = now() + $3 * interval '1 millisecond' \
WHERE ctid = ANY((SELECT places FROM due)::tid[]) RETURNING *) \
SELECT c.webhook_id, c.tenant_id, c.id, c.lease_token AS token, c.event_id, c.attempts, c.created_at, now() AS leased_at, k.url, k.secret, \
CASE WHEN k.previous_until > now() THEN k.previous_secret END AS previous_secret, \
c.email_id, e.kind, e.at, e.response, e.url AS followed, m.from_address, m.subject, m.tags, m.metadata, m.trace_id, r.address AS recipient, r.bounce_type, r.reply_code, \
ARRAY(SELECT t.address FROM recipients t WHERE t.email_id = c.email_id AND t.kind = 'to' ORDER BY t.ordinal) AS recipients \
FROM claimed c JOIN webhooks k ON k.id = c.webhook_id LEFT JOIN events e ON e.email_id = c.email_id AND e.id = c.event_id \
LEFT JOIN emails m ON m.tenant_id = c.tenant_id AND m.id = c.email_id \
LEFT JOIN recipients r ON r.email_id = c.email_id AND r.ordinal = e.ordinal ORDER BY c.webhook_id, c.id";

/// An active webhook that has something due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WebhookDue {
    /// The webhook.
    pub id: WebhookId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Whether its last attempt was no success.
    pub failing: bool,
}

/// What a look over the webhooks found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebhookLook {
    /// Those that have something due.
    pub due: Vec<WebhookDue>,
    /// Where the next look has to go on; `None`: there are no more.
    pub after: Option<WebhookId>,
}

#[derive(QueryableByName)]
struct Step {
    #[diesel(sql_type = SqlUuid)]
    webhook_id: Uuid,
    #[diesel(sql_type = Bool)]
    is_due: bool,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    tenant_id: Option<Uuid>,
    #[diesel(sql_type = Bool)]
    failing: bool,
}

impl Store {
    /// Which active webhooks have something due, from the one after `after` on. It looks at a bounded number of those that have anything left to do.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn webhook_look(&self, _system: &System, after: Option<WebhookId>) -> Result<WebhookLook, Error> {
        let after = after.map_or(Uuid::nil(), |after| after.as_uuid());
        let query = || diesel::sql_query(LOOK).bind::<SqlUuid, _>(after).bind::<BigInt, _>(STEPS);
        let steps: Vec<Step> = read!(self, connection => query().get_results(connection).await).await?;
        let is_cut = i64::try_from(steps.len()).is_ok_and(|steps| steps >= STEPS);
        let after = steps.last().filter(|_| is_cut).map(|step| WebhookId::from_uuid(step.webhook_id));
        let due = steps.into_iter().filter(|step| step.is_due).filter_map(|step| {
            let tenant = TenantId::from_uuid(step.tenant_id?);
            Some(WebhookDue { id: WebhookId::from_uuid(step.webhook_id), tenant, failing: step.failing })
        });
        Ok(WebhookLook { due: due.collect(), after })
    }

    /// Leases what is due of these webhooks, up to so many of each, the first ones first. Leases run out `duration` from now, by the database's clock, and
    /// another worker may post the event.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn webhook_lease(
        &self,
        _system: &System,
        wanted: &[(WebhookId, u16)],
        duration: Duration,
    ) -> Result<Vec<Lease<WebhookDelivery>>, Error> {
        let (webhooks, counts): (Vec<Uuid>, Vec<i32>) = wanted.iter().map(|(id, count)| (id.as_uuid(), i32::from(*count))).unzip();
        let query = || {
            let query = diesel::sql_query(LEASE).bind::<Array<SqlUuid>, _>(&webhooks).bind::<Array<Integer>, _>(&counts);
            query.bind::<BigInt, _>(millis(duration))
        };
        let rows: Vec<Row> = change!(self, connection => query().get_results(connection).await).await?;
        Ok(rows.into_iter().filter_map(|row| self.webhook_readable(row)).collect())
    }
}
