//! Accepted emails, read back: within the permit's tenant, or not at all.

use diesel::dsl::{IntoBoxed, exists, not, sql};
use diesel::pg::Pg;
use diesel::sql_types::Bool;
use diesel::{
    BoolExpressionMethods, ExpressionMethods, JoinOnDsl, NullableExpressionMethods, OptionalExtension, PgJsonbExpressionMethods, QueryDsl,
    SelectableHelper,
};
use diesel_async::RunQueryDsl;
use selfmx_auth::{Permit, needs};
use selfmx_domain::{Email, EmailFilter, EmailId, EmailStatus, EmailSummary, Page, PageRequest, TenantId};
use serde_json::json;
use uuid::Uuid;

use crate::email_rows::{EmailRow, EventRow, RecipientRow, Wait};
use crate::pages::{self, Window};
use crate::schema::{emails, events, messages, recipients};
use crate::store::read;
use crate::{Error, Store};

type Emails = IntoBoxed<'static, emails::table, Pg>;

impl Store {
    /// The email with this id, where it is the tenant's.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn email_find(&self, permit: &Permit<needs::LogsRead>, id: EmailId) -> Result<Option<Email>, Error> {
        let (tenant, key) = (permit.tenant().as_uuid(), id.as_uuid());
        let found = read!(self, connection => {
            let email = emails::table.find((tenant, key));
            let row: Option<(EmailRow, Wait)> =
                email.select((EmailRow::as_select(), wait())).first(connection).await.optional()?;
            let Some(row) = row else { return Ok(None) };
            let bodies = messages::table.find(key).select((messages::text, messages::html)).first(connection).await.optional()?;
            let told = recipients::table.filter(recipients::email_id.eq(key)).order(recipients::ordinal);
            let told = told.select(RecipientRow::as_select()).load(connection).await?;
            let happened = events::table.filter(events::email_id.eq(key)).order((events::at, events::ordinal.is_not_null(), events::id));
            let happened = happened.select(EventRow::as_select()).load(connection).await?;
            Ok(Some((row, bodies, told, happened)))
        })
        .await?;
        let Some(((row, wait), bodies, told, happened)) = found else { return Ok(None) };
        row.into_email(wait, bodies, told, happened).map(Some)
    }

    /// The message of the email with this id as it is handed to the relay, where it is the tenant's; `Some(None)` where it is gone because it was old.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn email_raw(&self, permit: &Permit<needs::LogsRead>, id: EmailId) -> Result<Option<Option<Vec<u8>>>, Error> {
        let (tenant, key) = (permit.tenant().as_uuid(), id.as_uuid());
        read!(self, connection => {
            let joined = emails::table.left_join(messages::table.on(messages::email_id.eq(emails::id)));
            joined.filter(emails::id.eq(key).and(emails::tenant_id.eq(tenant))).select(messages::raw.nullable()).first(connection).await.optional()
        })
        .await
    }

    /// The tenant's emails, newest first.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn email_list(
        &self,
        permit: &Permit<needs::LogsRead>,
        filter: &EmailFilter,
        page: PageRequest<EmailId>,
    ) -> Result<Page<EmailSummary>, Error> {
        let tenant = permit.tenant();
        let window = Window::of(page);
        let (rows, told) = read!(self, connection => {
            let mut query = filtered(tenant, filter).order(emails::id.desc()).select((EmailRow::as_select(), wait()));
            if let Some(after) = pages::after(page.start) {
                query = query.filter(emails::id.lt(after.as_uuid()));
            }
            let rows: Vec<(EmailRow, Wait)> = query.limit(window.rows).offset(window.offset).load(connection).await?;
            let ids: Vec<Uuid> = rows.iter().map(|(row, _)| row.id).collect();
            let told = recipients::table.filter(recipients::email_id.eq_any(ids)).order((recipients::email_id, recipients::ordinal));
            let told: Vec<RecipientRow> = told.select(RecipientRow::as_select()).load(connection).await?;
            Ok((rows, told))
        })
        .await?;
        let total = match pages::is_numbered(&page.start) {
            true => Some(pages::total(self.email_count(tenant, filter).await?)),
            false => None,
        };
        let summarise = |(row, wait): (EmailRow, Wait)| {
            let own: Vec<_> = told.iter().filter(|recipient| recipient.email_id == row.id).collect();
            row.summary(wait, &own)
        };
        let summaries = rows.into_iter().map(summarise).collect::<Result<_, _>>()?;
        Ok(pages::page(summaries, page.limit, total))
    }

    /// Counts no further than a total is exact.
    async fn email_count(&self, tenant: TenantId, filter: &EmailFilter) -> Result<i64, Error> {
        let ids: Vec<Uuid> =
            read!(self, connection => filtered(tenant, filter).select(emails::id).limit(pages::COUNTED).load(connection).await).await?;
        Ok(i64::try_from(ids.len()).unwrap_or(pages::COUNTED))
    }
}

/// How it is about a row that is shown, if it waits.
fn wait() -> (diesel::expression::SqlLiteral<Bool>, diesel::expression::SqlLiteral<Bool>) {
    (leased(), is_early())
}

/// Whether it is not due yet, by the database's clock.
fn is_early() -> diesel::expression::SqlLiteral<Bool> {
    sql("coalesce(emails.scheduled_at > now(), false)")
}

/// Whether a worker is at it, for rows that are shown. An `EXISTS` here would be answered from a list of all that is leased, made of the whole queue.
fn leased() -> diesel::expression::SqlLiteral<Bool> {
    sql("coalesce((SELECT lease_token IS NOT NULL AND due_at > now() FROM queue WHERE queue.email_id = emails.id), false)")
}

/// Whether a worker is at it, for rows that are looked for: its lease has not run out.
fn is_leased() -> diesel::expression::SqlLiteral<Bool> {
    sql("EXISTS (SELECT 1 FROM queue WHERE queue.email_id = emails.id AND queue.lease_token IS NOT NULL AND queue.due_at > now())")
}

fn filtered(tenant: TenantId, filter: &EmailFilter) -> Emails {
    let mut query = emails::table.filter(emails::tenant_id.eq(tenant.as_uuid())).into_boxed();
    query = match filter.status {
        None => query,
        Some(EmailStatus::Scheduled) => query.filter(emails::status.eq("queued")).filter(is_early()),
        Some(EmailStatus::Sending) => query.filter(emails::status.eq("queued")).filter(not(is_early())).filter(is_leased()),
        Some(EmailStatus::Queued) => query.filter(emails::status.eq("queued")).filter(not(is_early())).filter(not(is_leased())),
        Some(status) => query.filter(emails::status.eq(status.as_str())),
    };
    if let Some(from) = &filter.from {
        query = query.filter(emails::from_address.eq(from.to_string()));
    }
    if let Some(to) = &filter.to {
        let theirs = recipients::table.filter(recipients::tenant_id.eq(tenant.as_uuid())).filter(recipients::address.eq(to.to_string()));
        query = query.filter(exists(theirs.filter(recipients::email_id.eq(emails::id))));
    }
    if let Some(tag) = &filter.tag {
        query = query.filter(emails::tags.contains(json!([{"name": tag}])));
    }
    if let Some(since) = filter.since {
        query = query.filter(emails::created_at.ge(since));
    }
    if let Some(until) = filter.until {
        query = query.filter(emails::created_at.lt(until));
    }
    query
}
