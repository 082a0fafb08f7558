//! What became of a webhook's deliveries, with every attempt; and deliveries that somebody asks for.

use std::collections::HashMap;

use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Integer, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use selfmx_auth::{Permit, needs};
use selfmx_domain::{AuditAction, DeliveryRecord, EmailId, EventId, Page, PageRequest, PostRecord, WebhookDeliveryId, WebhookId};
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::audit::Entry;
use crate::pages::{self, Window};
use crate::store::{change, read};
use crate::webhooks::renewed;
use crate::{Error, Store};

const LIST: &str = "SELECT d.id, d.event_id, d.email_id, CASE WHEN d.email_id IS NULL THEN 'test' ELSE e.kind END AS kind, d.status, d.due_at, d.created_at \
FROM webhooks w JOIN webhook_deliveries d ON d.webhook_id = w.id LEFT JOIN events e ON e.email_id = d.email_id AND e.id = d.event_id \
WHERE w.id = $1 AND w.tenant_id = $2 AND ($3 IS NULL OR d.id < $3) ORDER BY d.id DESC LIMIT $4 OFFSET $5";

const ATTEMPTS: &str = "SELECT delivery_id, attempt, at, status, error, answer, duration_ms FROM webhook_attempts \
WHERE webhook_id = $1 AND delivery_id = ANY($2) ORDER BY delivery_id, attempt";

const TEST: &str = "INSERT INTO webhook_deliveries (webhook_id, id, tenant_id, event_id) \
SELECT id, $3, tenant_id, $4 FROM webhooks WHERE id = $1 AND tenant_id = $2";

const REPLAY: &str = "INSERT INTO webhook_deliveries (webhook_id, id, tenant_id, event_id, email_id) \
SELECT w.id, $4, w.tenant_id, d.event_id, d.email_id FROM webhooks w JOIN webhook_deliveries d ON d.webhook_id = w.id \
WHERE w.id = $1 AND w.tenant_id = $2 AND d.id = $3";

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    event_id: Uuid,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    email_id: Option<Uuid>,
    #[diesel(sql_type = Nullable<Text>)]
    kind: Option<String>,
    #[diesel(sql_type = Text)]
    status: String,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    due_at: Option<OffsetDateTime>,
    #[diesel(sql_type = Timestamptz)]
    created_at: OffsetDateTime,
}

#[derive(QueryableByName)]
struct AttemptRow {
    #[diesel(sql_type = SqlUuid)]
    delivery_id: Uuid,
    #[diesel(sql_type = Integer)]
    attempt: i32,
    #[diesel(sql_type = Timestamptz)]
    at: OffsetDateTime,
    #[diesel(sql_type = Nullable<SmallInt>)]
    status: Option<i16>,
    #[diesel(sql_type = Nullable<Text>)]
    error: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    answer: Option<String>,
    #[diesel(sql_type = Integer)]
    duration_ms: i32,
}

impl Store {
    /// The deliveries of a webhook of the permit's tenant, newest first, each with all its attempts; none where there is no such webhook.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn webhook_deliveries(
        &self,
        permit: &Permit<needs::WebhooksRead>,
        id: WebhookId,
        page: PageRequest<WebhookDeliveryId>,
    ) -> Result<Page<DeliveryRecord>, Error> {
        let (tenant, window, after) = (permit.tenant().as_uuid(), Window::of(page), pages::after(page.start).map(|after| after.as_uuid()));
        let list = || {
            let query = diesel::sql_query(LIST).bind::<SqlUuid, _>(id.as_uuid()).bind::<SqlUuid, _>(tenant);
            query.bind::<Nullable<SqlUuid>, _>(after).bind::<BigInt, _>(window.rows).bind::<BigInt, _>(window.offset)
        };
        let rows: Vec<Row> = read!(self, connection => list().get_results(connection).await).await?;
        let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
        let attempts = || diesel::sql_query(ATTEMPTS).bind::<SqlUuid, _>(id.as_uuid()).bind::<Array<SqlUuid>, _>(&ids);
        let attempts: Vec<AttemptRow> = read!(self, connection => attempts().get_results(connection).await).await?;
        let mut by_delivery: HashMap<Uuid, Vec<PostRecord>> = HashMap::new();
        for attempt in attempts {
            by_delivery.entry(attempt.delivery_id).or_default().push(attempt.into_record()?);
        }
        let items = rows.into_iter().map(|row| {
            let attempts = by_delivery.remove(&row.id).unwrap_or_default();
            row.into_record(attempts)
        });
        Ok(pages::page(items.collect(), page.limit, None))
    }

    /// Queues an event that nothing stands behind, to test a webhook of the permit's tenant. `None`: it has none with this id.
    ///
    /// # Errors
    ///
    /// [`Error::Denied`] where the permit's key may not do that any more; otherwise where the database cannot.
    pub async fn webhook_test(&self, permit: &Permit<needs::WebhooksWrite>, id: WebhookId) -> Result<Option<WebhookDeliveryId>, Error> {
        let (delivery, event) =
            (WebhookDeliveryId::generate(&*self.clock, &*self.entropy), EventId::generate(&*self.clock, &*self.entropy));
        let query = || {
            let query = diesel::sql_query(TEST).bind::<SqlUuid, _>(id.as_uuid()).bind::<SqlUuid, _>(permit.tenant().as_uuid());
            query.bind::<SqlUuid, _>(delivery.as_uuid()).bind::<SqlUuid, _>(event.as_uuid())
        };
        let queue = async |connection: &mut AsyncPgConnection| {
            let permit = renewed(connection, permit).await?;
            let queued = query().execute(connection).await?;
            self.webhook_asked(connection, AuditAction::WebhookTest, Entry::by(&permit), (id, delivery), queued).await
        };
        let queued = change!(self, connection => connection.transaction(queue).await).await?;
        self.webhook_wake.has_one(permit.tenant().as_uuid());
        Ok(queued)
    }

    /// Queues a delivery's event once more, as a delivery of its own. `None`: the permit's tenant has no such webhook, or that has no such delivery.
    ///
    /// # Errors
    ///
    /// [`Error::Denied`] where the permit's key may not do that any more; otherwise where the database cannot.
    pub async fn webhook_replay(
        &self,
        permit: &Permit<needs::WebhooksWrite>,
        id: WebhookId,
        of: WebhookDeliveryId,
    ) -> Result<Option<WebhookDeliveryId>, Error> {
        let delivery = WebhookDeliveryId::generate(&*self.clock, &*self.entropy);
        let query = || {
            let query = diesel::sql_query(REPLAY).bind::<SqlUuid, _>(id.as_uuid()).bind::<SqlUuid, _>(permit.tenant().as_uuid());
            query.bind::<SqlUuid, _>(of.as_uuid()).bind::<SqlUuid, _>(delivery.as_uuid())
        };
        let queue = async |connection: &mut AsyncPgConnection| {
            let permit = renewed(connection, permit).await?;
            let queued = query().execute(connection).await?;
            self.webhook_asked(connection, AuditAction::WebhookReplay, Entry::by(&permit), (id, delivery), queued).await
        };
        let queued = change!(self, connection => connection.transaction(queue).await).await?;
        self.webhook_wake.has_one(permit.tenant().as_uuid());
        Ok(queued)
    }

    /// Notes what was asked for, if it was queued.
    async fn webhook_asked(
        &self,
        connection: &mut AsyncPgConnection,
        action: AuditAction,
        entry: Entry<'_>,
        (id, delivery): (WebhookId, WebhookDeliveryId),
        queued: usize,
    ) -> Result<Option<WebhookDeliveryId>, Error> {
        if queued == 0 {
            return Ok(None);
        }
        let after = Some(json!({"delivery_id": delivery.to_string()}));
        self.audit(connection, action, Entry { target: Some(id.to_string()), after, ..entry }).await?;
        Ok(Some(delivery))
    }
}

impl Row {
    fn into_record(self, attempts: Vec<PostRecord>) -> DeliveryRecord {
        DeliveryRecord {
            id: WebhookDeliveryId::from_uuid(self.id),
            event_id: EventId::from_uuid(self.event_id),
            email_id: self.email_id.map(EmailId::from_uuid),
            kind: self.kind,
            status: self.status,
            next_attempt_at: self.due_at,
            created_at: self.created_at,
            attempts,
        }
    }
}

impl AttemptRow {
    fn into_record(self) -> Result<PostRecord, Error> {
        let unreadable = || Error::Unreadable("webhook_attempts");
        Ok(PostRecord {
            attempt: u32::try_from(self.attempt).or(Err(unreadable()))?,
            at: self.at,
            status: self.status.map(|status| u16::try_from(status).or(Err(unreadable()))).transpose()?,
            error: self.error,
            answer: self.answer,
            duration_ms: u32::try_from(self.duration_ms).or(Err(unreadable()))?,
        })
    }
}
