//! What came of attempts to post: many recorded in one commit, each by whoever still holds its lease.

use std::collections::HashSet;
use std::time::Duration;

use diesel::QueryableByName;
use diesel::pg::Pg;
use diesel::query_builder::{BoxedSqlQuery, SqlQuery};
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use selfmx_auth::System;
use selfmx_domain::{WebhookDeliveryId, WebhookFault, WebhookId, WebhookRetry};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::lease::Lease;
use crate::queue::millis;
use crate::store::change;
use crate::webhook_rows::WebhookDelivery;
use crate::{Error, Store};

/// Attempts are counted and told of if their tokens are still the leases'. A webhook's standing is that after the last of its attempts, in their order here;
/// its row is written only where that changes, and those that are, in the order of their ids, so that no two who settle wait for each other. What had
/// begun before the webhook was changed says nothing of it: it may have been about another URL, or about what somebody has mended.
const SETTLE: &str = "WITH input AS MATERIALIZED (SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::boolean[], $5::boolean[], $6::bigint[], \
$7::smallint[], $8::text[], $9::text[], $10::integer[], $12::timestamptz[]) \
WITH ORDINALITY AS t(webhook_id, id, token, accepted, gone, retry, status, error, answer, took, begun, place)), \
mine AS (UPDATE webhook_deliveries d SET attempts = d.attempts + 1, lease_token = NULL, \
status = CASE WHEN i.accepted THEN 'delivered' WHEN i.retry IS NULL THEN 'failed' ELSE 'pending' END, \
due_at = CASE WHEN NOT i.accepted THEN now() + i.retry * interval '1 millisecond' END \
FROM input i WHERE d.webhook_id = i.webhook_id AND d.id = i.id AND d.lease_token = i.token \
RETURNING d.webhook_id, d.id, d.attempts, i.accepted, i.gone, i.status, i.error, i.answer, i.took, i.begun, i.place), \
told AS (INSERT INTO webhook_attempts (webhook_id, delivery_id, attempt, status, error, answer, duration_ms) \
SELECT webhook_id, id, attempts, status, error, answer, took FROM mine), \
judged AS MATERIALIZED (SELECT m.webhook_id, bool_or(m.gone) AS gone, bool_or(m.accepted) AS succeeded, \
(array_agg(m.accepted ORDER BY m.place DESC))[1] AS sound, min(m.begun) AS since \
FROM mine m JOIN webhooks w ON w.id = m.webhook_id AND m.begun >= w.updated_at GROUP BY m.webhook_id), \
changed AS MATERIALIZED (SELECT w.id, w.active, w.failing_since, j.sound, j.succeeded, CASE WHEN NOT w.active THEN NULL WHEN j.gone THEN 'gone' \
WHEN NOT j.succeeded AND w.failing_since <= now() - $11 * interval '1 millisecond' THEN 'failing' END AS fault \
FROM judged j JOIN webhooks w ON w.id = j.webhook_id AND j.since >= w.updated_at \
WHERE CASE WHEN j.sound AND NOT j.gone THEN w.failing_since IS NOT NULL \
ELSE w.active AND (j.gone OR w.failing_since IS NULL OR j.succeeded OR w.failing_since <= now() - $11 * interval '1 millisecond') END \
ORDER BY w.id FOR UPDATE OF w), \
standing AS (UPDATE webhooks w SET active = w.active AND c.fault IS NULL, disabled_reason = coalesce(c.fault, w.disabled_reason), \
disabled_at = CASE WHEN c.fault IS NULL THEN w.disabled_at ELSE now() END, \
failing_since = CASE WHEN c.sound THEN NULL WHEN c.succeeded THEN now() ELSE coalesce(w.failing_since, now()) END \
FROM changed c WHERE w.id = c.id RETURNING w.id, c.fault) \
SELECT m.id, NULL::uuid AS webhook_id, NULL::text AS fault FROM mine m UNION ALL SELECT NULL, s.id, s.fault FROM standing s WHERE s.fault IS NOT NULL";

/// What came of one attempt to post.
#[derive(Clone, Debug)]
pub struct Posted {
    /// Whether the endpoint was asked at all. Where it was not, the attempt says nothing of the webhook.
    pub asked: bool,
    /// Whether the endpoint has the event.
    pub accepted: bool,
    /// Whether it wants no events any more.
    pub gone: bool,
    /// When to try again; absent: not at all.
    pub retry_after: Option<Duration>,
    /// The answer's status.
    pub status: Option<u16>,
    /// Why there is no answer.
    pub error: Option<String>,
    /// The beginning of the answer's text.
    pub answer: Option<String>,
    /// How long it took.
    pub took: Duration,
}

/// A lease that was used up, with what is to be recorded.
#[must_use = "a settlement has to be recorded"]
#[derive(Debug)]
pub struct WebhookSettlement {
    token: Uuid,
    webhook_id: WebhookId,
    id: WebhookDeliveryId,
    /// When it was leased.
    leased_at: OffsetDateTime,
    posted: Posted,
}

/// What of some settlements was recorded. The others' leases had run out and were taken by another worker, and nothing was changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebhookSettled {
    /// The deliveries whose attempts were recorded.
    pub recorded: HashSet<WebhookDeliveryId>,
    /// The webhooks that were disabled by it, and why.
    pub disabled: Vec<(WebhookId, WebhookFault)>,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Nullable<SqlUuid>)]
    id: Option<Uuid>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    webhook_id: Option<Uuid>,
    #[diesel(sql_type = Nullable<Text>)]
    fault: Option<String>,
}

impl Lease<WebhookDelivery> {
    /// Uses the lease up.
    pub fn settle(self, posted: Posted) -> WebhookSettlement {
        let (token, work) = self.into_parts();
        WebhookSettlement { token, webhook_id: work.webhook_id, id: work.id, leased_at: work.leased_at, posted }
    }
}

impl Store {
    /// Records attempts in one commit, in the order in which they ended.
    ///
    /// # Errors
    ///
    /// Where the database cannot. The settlements stay with the caller, who may try again: recording twice changes nothing.
    pub async fn webhook_settle(&self, _system: &System, settlements: &[WebhookSettlement]) -> Result<WebhookSettled, Error> {
        let record = Record::of(settlements);
        let rows: Vec<Row> = change!(self, connection => record.query().get_results(connection).await).await?;
        let mut settled = WebhookSettled::default();
        for row in rows {
            settled.recorded.extend(row.id.map(WebhookDeliveryId::from_uuid));
            if let Some((id, fault)) = row.webhook_id.zip(row.fault) {
                let fault = fault.parse().or(Err(Error::Unreadable("webhooks.disabled_reason")))?;
                settled.disabled.push((WebhookId::from_uuid(id), fault));
            }
        }
        Ok(settled)
    }
}

/// Settlements, column by column.
#[derive(Default)]
struct Record<'a> {
    webhooks: Vec<Uuid>,
    ids: Vec<Uuid>,
    tokens: Vec<Uuid>,
    accepted: Vec<bool>,
    gone: Vec<bool>,
    retries: Vec<Option<i64>>,
    statuses: Vec<Option<i16>>,
    errors: Vec<Option<&'a str>>,
    answers: Vec<Option<&'a str>>,
    durations: Vec<i32>,
    begun: Vec<Option<OffsetDateTime>>,
}

impl<'a> Record<'a> {
    fn of(settlements: &'a [WebhookSettlement]) -> Self {
        let mut record = Self::default();
        for WebhookSettlement { token, webhook_id, id, leased_at, posted } in settlements {
            record.webhooks.push(webhook_id.as_uuid());
            record.ids.push(id.as_uuid());
            record.tokens.push(*token);
            record.accepted.push(posted.accepted);
            record.gone.push(posted.gone);
            record.retries.push(posted.retry_after.map(millis));
            record.statuses.push(posted.status.and_then(|status| i16::try_from(status).ok()));
            record.errors.push(posted.error.as_deref());
            record.answers.push(posted.answer.as_deref());
            record.durations.push(i32::try_from(posted.took.as_millis()).unwrap_or(i32::MAX));
            record.begun.push(posted.asked.then_some(*leased_at));
        }
        record
    }

    fn query(&self) -> BoxedSqlQuery<'_, Pg, SqlQuery> {
        let query =
            diesel::sql_query(SETTLE).into_boxed::<Pg>().bind::<Array<SqlUuid>, _>(&self.webhooks).bind::<Array<SqlUuid>, _>(&self.ids);
        let query = query.bind::<Array<SqlUuid>, _>(&self.tokens).bind::<Array<Bool>, _>(&self.accepted);
        let query = query.bind::<Array<Bool>, _>(&self.gone).bind::<Array<Nullable<BigInt>>, _>(&self.retries);
        let query = query.bind::<Array<Nullable<SmallInt>>, _>(&self.statuses).bind::<Array<Nullable<Text>>, _>(&self.errors);
        let query = query.bind::<Array<Nullable<Text>>, _>(&self.answers).bind::<Array<Integer>, _>(&self.durations);
        query.bind::<BigInt, _>(millis(WebhookRetry::PATIENCE)).bind::<Array<Nullable<Timestamptz>>, _>(&self.begun)
    }
}
