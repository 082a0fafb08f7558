//! Deliveries of events to webhooks: leased, a bounded number for each endpoint at once, and settled by whoever still holds the lease.

use std::time::Duration;

use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Binary, Bool, Integer, Jsonb, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use selfmx_auth::System;
use selfmx_domain::{EmailId, EventId, Tag, WebhookDeliveryId, WebhookFault, WebhookId, WebhookRetry, WebhookSecret, WebhookUrl};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::details;
use crate::lease::Lease;
use crate::queue::millis;
use crate::store::change;
use crate::{Error, Store};

/// How many events are on their way to one endpoint at once, over all nodes, as far as they see one another: a slow one holds no more than these.
const IN_FLIGHT: i64 = 4;

/// From one webhook that has something left to do to the next, by one look at the index each; of each that is active and has something due, the first
/// few. A webhook's own deliveries keep their order, and webhooks take turns.
const LEASE: &str = "WITH RECURSIVE walk(webhook_id, step) AS (SELECT $1::uuid, 0::bigint UNION ALL \
SELECT n.webhook_id, w.step + 1 FROM walk w, LATERAL (SELECT d.webhook_id FROM webhook_deliveries d \
WHERE d.due_at IS NOT NULL AND d.webhook_id > w.webhook_id ORDER BY d.webhook_id, d.due_at LIMIT 1) AS n WHERE w.step < 256), \
due AS MATERIALIZED (SELECT f.webhook_id, f.id FROM walk w JOIN webhooks k ON k.id = w.webhook_id AND k.active, \
LATERAL (SELECT s.webhook_id, s.id, row_number() OVER () AS place FROM (SELECT d.webhook_id, d.id FROM webhook_deliveries d \
WHERE d.webhook_id = w.webhook_id AND d.due_at <= now() ORDER BY d.due_at \
LIMIT greatest(0, $2 - (SELECT count(*) FROM webhook_deliveries l WHERE l.webhook_id = w.webhook_id AND l.lease_token IS NOT NULL AND l.due_at > now())) \
FOR UPDATE SKIP LOCKED) AS s) AS f WHERE w.step > 0 ORDER BY f.place, w.step LIMIT $3), \
claimed AS (UPDATE webhook_deliveries d SET lease_token = gen_random_uuid(), due_at = now() + $4 * interval '1 millisecond' \
FROM due WHERE d.webhook_id = due.webhook_id AND d.id = due.id RETURNING d.*) \
SELECT c.webhook_id, c.id, c.lease_token AS token, c.event_id, c.attempts, c.created_at, now() AS leased_at, k.url, k.secret, \
CASE WHEN k.previous_until > now() THEN k.previous_secret END AS previous_secret, \
c.email_id, e.kind, e.at, e.response, m.from_address, m.subject, m.tags, m.metadata, r.address AS recipient, r.bounce_type, r.reply_code, \
ARRAY(SELECT t.address FROM recipients t WHERE t.email_id = c.email_id AND t.kind = 'to' ORDER BY t.ordinal) AS recipients \
FROM claimed c JOIN webhooks k ON k.id = c.webhook_id LEFT JOIN events e ON e.email_id = c.email_id AND e.id = c.event_id \
LEFT JOIN emails m ON m.tenant_id = c.tenant_id AND m.id = c.email_id \
LEFT JOIN recipients r ON r.email_id = c.email_id AND r.ordinal = e.ordinal ORDER BY c.webhook_id, c.id";

/// An attempt is counted, told of, and its webhook's standing changed, if the token is still the lease's. A webhook's row is written only where its
/// standing changes, so that those who settle do not wait for each other.
const SETTLE: &str = "WITH mine AS (UPDATE webhook_deliveries SET attempts = attempts + 1, lease_token = NULL, \
status = CASE WHEN $4 THEN 'delivered' WHEN $5 IS NULL THEN 'failed' ELSE 'pending' END, \
due_at = CASE WHEN NOT $4 THEN now() + $5 * interval '1 millisecond' END \
WHERE webhook_id = $1 AND id = $2 AND lease_token = $3 RETURNING webhook_id, id, attempts), \
told AS (INSERT INTO webhook_attempts (webhook_id, delivery_id, attempt, status, error, answer, duration_ms) \
SELECT webhook_id, id, attempts, $6, $7, $8, $9 FROM mine), \
standing AS (UPDATE webhooks w SET failing_since = CASE WHEN NOT $4 THEN coalesce(w.failing_since, now()) END, \
(active, disabled_reason, disabled_at) = (SELECT CASE WHEN d.reason IS NULL THEN w.active ELSE false END, coalesce(d.reason, w.disabled_reason), \
CASE WHEN d.reason IS NULL THEN w.disabled_at ELSE now() END FROM (SELECT CASE WHEN $4 OR NOT w.active THEN NULL WHEN $10 THEN 'gone' \
WHEN w.failing_since <= now() - $11 * interval '1 millisecond' THEN 'failing' END AS reason) AS d) \
WHERE w.id = $1 AND EXISTS (SELECT FROM mine) AND CASE WHEN $4 THEN w.failing_since IS NOT NULL \
ELSE w.active AND ($10 OR w.failing_since IS NULL OR w.failing_since <= now() - $11 * interval '1 millisecond') END \
RETURNING w.active, w.disabled_reason) \
SELECT EXISTS (SELECT FROM mine) AS recorded, (SELECT s.disabled_reason FROM standing s WHERE NOT s.active) AS disabled";

/// An event on its way to a webhook.
#[derive(Debug)]
pub struct WebhookDelivery {
    /// The delivery.
    pub id: WebhookDeliveryId,
    /// The webhook.
    pub webhook_id: WebhookId,
    /// The event: the same in every attempt, and at every webhook.
    pub event_id: EventId,
    /// How many attempts there were before.
    pub attempts: u32,
    /// Where to.
    pub url: WebhookUrl,
    /// What signs it.
    pub secret: WebhookSecret,
    /// What signed before and is still in its grace.
    pub previous_secret: Option<WebhookSecret>,
    /// What it tells.
    pub tidings: Tidings,
    /// When the delivery was queued.
    pub created_at: OffsetDateTime,
    /// When it was leased: the time of the attempt, by which receivers tell old from new.
    pub leased_at: OffsetDateTime,
}

/// What a delivery tells.
#[derive(Clone, Debug, PartialEq)]
pub enum Tidings {
    /// Nothing happened: somebody tests the endpoint.
    Test,
    /// Something happened.
    Happened(Box<Happened>),
    /// Something had happened, and its email is erased by now.
    Erased,
}

/// What happened to an email, as its webhooks are told of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Happened {
    /// The email.
    pub email_id: EmailId,
    /// The kind of event.
    pub kind: String,
    /// When.
    pub at: OffsetDateTime,
    /// To whose mail; absent where it is about all of it.
    pub recipient: Option<String>,
    /// What the relay said.
    pub response: Option<String>,
    /// `hard` or `soft`, where that recipient's mail bounced.
    pub bounce_type: Option<String>,
    /// The reply's code.
    pub reply_code: Option<i16>,
    /// Whom the email is from.
    pub from: String,
    /// Whom it is to, by its header.
    pub to: Vec<String>,
    /// Its subject.
    pub subject: String,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// Its metadata.
    pub metadata: Value,
}

/// What came of one attempt to post.
#[derive(Clone, Debug)]
pub struct Posted {
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

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = SqlUuid)]
    webhook_id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    token: Uuid,
    #[diesel(sql_type = SqlUuid)]
    event_id: Uuid,
    #[diesel(sql_type = Integer)]
    attempts: i32,
    #[diesel(sql_type = Timestamptz)]
    created_at: OffsetDateTime,
    #[diesel(sql_type = Timestamptz)]
    leased_at: OffsetDateTime,
    #[diesel(sql_type = Text)]
    url: String,
    #[diesel(sql_type = Binary)]
    secret: Vec<u8>,
    #[diesel(sql_type = Nullable<Binary>)]
    previous_secret: Option<Vec<u8>>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    email_id: Option<Uuid>,
    #[diesel(sql_type = Nullable<Text>)]
    kind: Option<String>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    at: Option<OffsetDateTime>,
    #[diesel(sql_type = Nullable<Text>)]
    response: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    from_address: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    subject: Option<String>,
    #[diesel(sql_type = Nullable<Jsonb>)]
    tags: Option<Value>,
    #[diesel(sql_type = Nullable<Jsonb>)]
    metadata: Option<Value>,
    #[diesel(sql_type = Nullable<Text>)]
    recipient: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    bounce_type: Option<String>,
    #[diesel(sql_type = Nullable<SmallInt>)]
    reply_code: Option<i16>,
    #[diesel(sql_type = Array<Text>)]
    recipients: Vec<String>,
}

#[derive(QueryableByName)]
struct Recorded {
    #[diesel(sql_type = Bool)]
    recorded: bool,
    #[diesel(sql_type = Nullable<Text>)]
    disabled: Option<String>,
}

impl Store {
    /// Leases up to `count` deliveries that are due, in turn from the webhook after `after` on, and no more of one webhook than may be on their way to it.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn webhook_lease(
        &self,
        _system: &System,
        count: u16,
        duration: Duration,
        after: Option<WebhookId>,
    ) -> Result<Vec<Lease<WebhookDelivery>>, Error> {
        let after = after.map_or(Uuid::nil(), |after| after.as_uuid());
        let query = || {
            let query = diesel::sql_query(LEASE).bind::<SqlUuid, _>(after).bind::<BigInt, _>(IN_FLIGHT);
            query.bind::<BigInt, _>(i64::from(count)).bind::<BigInt, _>(millis(duration))
        };
        let rows: Vec<Row> = change!(self, connection => query().get_results(connection).await).await?;
        Ok(rows.into_iter().filter_map(|row| self.webhook_readable(row)).collect())
    }

    /// A delivery that cannot be read hurts no other: its lease runs out.
    fn webhook_readable(&self, row: Row) -> Option<Lease<WebhookDelivery>> {
        let webhook_id = WebhookId::from_uuid(row.webhook_id);
        let read = self.webhook_delivery(row);
        read.inspect_err(|error| tracing::error!(%webhook_id, %error, "a delivery to a webhook cannot be read")).ok()
    }

    /// Records an attempt. `None`: the lease had run out and was taken by another worker, and nothing was changed. Otherwise it tells whether the webhook
    /// was disabled by it.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn webhook_settle(
        &self,
        _system: &System,
        lease: &Lease<WebhookDelivery>,
        posted: &Posted,
    ) -> Result<Option<Option<WebhookFault>>, Error> {
        let (work, token) = (lease.work(), lease.token());
        let retry = posted.retry_after.map(millis);
        let status = posted.status.and_then(|status| i16::try_from(status).ok());
        let took = i32::try_from(posted.took.as_millis()).unwrap_or(i32::MAX);
        let query = || {
            let query = diesel::sql_query(SETTLE).bind::<SqlUuid, _>(work.webhook_id.as_uuid()).bind::<SqlUuid, _>(work.id.as_uuid());
            let query = query.bind::<SqlUuid, _>(token).bind::<Bool, _>(posted.accepted).bind::<Nullable<BigInt>, _>(retry);
            let query = query.bind::<Nullable<SmallInt>, _>(status).bind::<Nullable<Text>, _>(posted.error.as_deref());
            let query = query.bind::<Nullable<Text>, _>(posted.answer.as_deref()).bind::<Integer, _>(took);
            query.bind::<Bool, _>(posted.gone).bind::<BigInt, _>(millis(WebhookRetry::PATIENCE))
        };
        let recorded: Recorded = change!(self, connection => query().get_result(connection).await).await?;
        if !recorded.recorded {
            return Ok(None);
        }
        let fault = recorded.disabled.map(|text| text.parse().or(Err(Error::Unreadable("webhooks.disabled_reason"))));
        fault.transpose().map(Some)
    }

    fn webhook_delivery(&self, row: Row) -> Result<Lease<WebhookDelivery>, Error> {
        let secret = self.opened_webhook(row.webhook_id, "secret", &row.secret)?;
        let previous = row.previous_secret.as_deref().map(|sealed| self.opened_webhook(row.webhook_id, "previous_secret", sealed));
        let delivery = WebhookDelivery {
            id: WebhookDeliveryId::from_uuid(row.id),
            webhook_id: WebhookId::from_uuid(row.webhook_id),
            event_id: EventId::from_uuid(row.event_id),
            attempts: u32::try_from(row.attempts).or(Err(Error::Unreadable("webhook_deliveries.attempts")))?,
            url: row.url.parse().or(Err(Error::Unreadable("webhooks.url")))?,
            secret,
            previous_secret: previous.transpose()?,
            created_at: row.created_at,
            leased_at: row.leased_at,
            tidings: row.tidings(),
        };
        Ok(Lease::new(row.token, delivery))
    }
}

impl Row {
    fn tidings(&self) -> Tidings {
        if self.email_id.is_none() {
            return Tidings::Test;
        }
        self.happened().map_or(Tidings::Erased, |happened| Tidings::Happened(Box::new(happened)))
    }

    fn happened(&self) -> Option<Happened> {
        Some(Happened {
            email_id: EmailId::from_uuid(self.email_id?),
            kind: self.kind.clone()?,
            at: self.at?,
            recipient: self.recipient.clone(),
            response: self.response.clone(),
            bounce_type: self.bounce_type.clone(),
            reply_code: self.reply_code,
            from: self.from_address.clone()?,
            to: self.recipients.clone(),
            subject: self.subject.clone()?,
            tags: details::tags_from_json(self.tags.as_ref()?).ok()?,
            metadata: self.metadata.clone()?,
        })
    }
}
