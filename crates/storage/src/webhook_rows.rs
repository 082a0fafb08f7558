//! What the rows of leased deliveries mean.

use diesel::QueryableByName;
use diesel::sql_types::{Array, Binary, Integer, Jsonb, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use selfmx_domain::{EmailId, EventId, Tag, TenantId, TraceId, WebhookDeliveryId, WebhookId, WebhookSecret, WebhookUrl};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::lease::Lease;
use crate::{Error, Store, details};

/// An event on its way to a webhook.
#[derive(Debug)]
pub struct WebhookDelivery {
    /// The delivery.
    pub id: WebhookDeliveryId,
    /// The webhook.
    pub webhook_id: WebhookId,
    /// Whose it is.
    pub tenant: TenantId,
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
    /// The trace that the request to send the email belonged to.
    pub trace: Option<TraceId>,
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
    /// Where the link leads that was followed.
    pub url: Option<String>,
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

/// A delivery as it was leased.
#[derive(QueryableByName)]
pub(crate) struct Row {
    #[diesel(sql_type = SqlUuid)]
    webhook_id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    tenant_id: Uuid,
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
    followed: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    from_address: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    subject: Option<String>,
    #[diesel(sql_type = Nullable<Jsonb>)]
    tags: Option<Value>,
    #[diesel(sql_type = Nullable<Jsonb>)]
    metadata: Option<Value>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    trace_id: Option<Uuid>,
    #[diesel(sql_type = Nullable<Text>)]
    recipient: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    bounce_type: Option<String>,
    #[diesel(sql_type = Nullable<SmallInt>)]
    reply_code: Option<i16>,
    #[diesel(sql_type = Array<Text>)]
    recipients: Vec<String>,
}

impl Store {
    /// A delivery that cannot be read hurts no other: its lease runs out.
    pub(crate) fn webhook_readable(&self, row: Row) -> Option<Lease<WebhookDelivery>> {
        let webhook_id = WebhookId::from_uuid(row.webhook_id);
        let read = self.webhook_delivery(row);
        read.inspect_err(|error| tracing::error!(%webhook_id, %error, "a delivery to a webhook cannot be read")).ok()
    }

    fn webhook_delivery(&self, row: Row) -> Result<Lease<WebhookDelivery>, Error> {
        let secret = self.opened_webhook(row.webhook_id, "secret", &row.secret)?;
        let previous = row.previous_secret.as_deref().map(|sealed| self.opened_webhook(row.webhook_id, "previous_secret", sealed));
        let delivery = WebhookDelivery {
            id: WebhookDeliveryId::from_uuid(row.id),
            webhook_id: WebhookId::from_uuid(row.webhook_id),
            tenant: TenantId::from_uuid(row.tenant_id),
            event_id: EventId::from_uuid(row.event_id),
            attempts: u32::try_from(row.attempts).or(Err(Error::Unreadable("webhook_deliveries.attempts")))?,
            url: row.url.parse().or(Err(Error::Unreadable("webhooks.url")))?,
            secret,
            previous_secret: previous.transpose()?,
            created_at: row.created_at,
            leased_at: row.leased_at,
            trace: row.trace_id.map(TraceId::from_uuid),
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
            url: self.followed.clone(),
            from: self.from_address.clone()?,
            to: self.recipients.clone(),
            subject: self.subject.clone()?,
            tags: details::tags_from_json(self.tags.as_ref()?).ok()?,
            metadata: self.metadata.clone()?,
        })
    }
}
