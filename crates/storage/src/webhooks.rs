//! Webhooks: made, found, changed, deleted. Their secrets lie sealed.

use std::time::Duration;

use diesel::dsl::now;
use diesel::sql_types::Timestamptz;
use diesel::{ExpressionMethods, IntoSql, OptionalExtension, QueryDsl, Queryable, Selectable, SelectableHelper};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use selfmx_auth::{Permit, Scope, needs};
use selfmx_domain::{
    AuditAction, NewWebhook, Page, PageRequest, Webhook, WebhookChange, WebhookEvents, WebhookFault, WebhookId, WebhookSecret, WebhookState,
};
use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::audit::Entry;
use crate::keys::hold;
use crate::pages::{self, Window};
use crate::schema::webhooks;
use crate::store::{change, read};
use crate::vault::{Place, Sealed, VaultError};
use crate::{Error, Store};

#[derive(Clone, Queryable, Selectable)]
#[diesel(table_name = webhooks, check_for_backend(diesel::pg::Pg))]
struct Row {
    id: Uuid,
    url: String,
    events: Vec<String>,
    secret: Vec<u8>,
    previous_until: Option<OffsetDateTime>,
    active: bool,
    disabled_reason: Option<String>,
    disabled_at: Option<OffsetDateTime>,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
}

impl Store {
    /// Makes a webhook of the permit's tenant.
    ///
    /// # Errors
    ///
    /// [`Error::Denied`] where the permit's key may not do that any more; otherwise where the database cannot.
    pub async fn webhook_create(&self, permit: &Permit<needs::WebhooksWrite>, wanted: &NewWebhook) -> Result<Webhook, Error> {
        let id = WebhookId::generate(&*self.clock, &*self.entropy);
        let sealed = self.sealed_webhook(id, "secret", &wanted.secret)?;
        let values = (
            (webhooks::id.eq(id.as_uuid()), webhooks::tenant_id.eq(permit.tenant().as_uuid())),
            (webhooks::url.eq(wanted.url.as_str()), webhooks::events.eq(names(&wanted.events))),
            (webhooks::secret.eq(sealed.as_bytes()), webhooks::active.eq(wanted.active)),
        );
        let create = async |connection: &mut AsyncPgConnection| {
            let permit = renewed(connection, permit).await?;
            let insert = diesel::insert_into(webhooks::table).values(values).returning(Row::as_returning());
            let webhook = only(insert.get_results(connection).await?)?;
            let entry = Entry { target: Some(id.to_string()), after: Some(webhook_json(&webhook)), ..Entry::by(&permit) };
            self.audit(connection, AuditAction::WebhookCreate, entry).await?;
            Ok::<_, Error>(webhook)
        };
        let made = change!(self, connection => connection.transaction(create).await).await?;
        self.webhook_wake.has_one(permit.tenant().as_uuid());
        Ok(made)
    }

    /// Changes the webhook with this id. `None`: the permit's tenant has none.
    ///
    /// # Errors
    ///
    /// [`Error::Denied`] where the permit's key may not do that any more; otherwise where the database cannot.
    pub async fn webhook_update(
        &self,
        permit: &Permit<needs::WebhooksWrite>,
        id: WebhookId,
        wanted: &WebhookChange,
    ) -> Result<Option<Webhook>, Error> {
        let sealed = wanted.secret.as_ref().map(|secret| self.sealed_webhook(id, "secret", secret)).transpose()?;
        let update = async |connection: &mut AsyncPgConnection| {
            let permit = renewed(connection, permit).await?;
            let Some(old) = held(connection, &permit, id).await? else { return Ok(None) };
            let none: (Option<Vec<u8>>, Option<OffsetDateTime>) = (None, None);
            let secret = sealed.as_ref().map(|sealed| {
                let former = (webhooks::previous_secret.eq(none.0), webhooks::previous_until.eq(none.1));
                (webhooks::secret.eq(sealed.as_bytes()), former)
            });
            // Whoever says whether it is active decides anew, whatever the server had found.
            let no_fault: (Option<String>, Option<OffsetDateTime>) = (None, None);
            let active = wanted.active.map(|active| {
                let found = (webhooks::disabled_reason.eq(no_fault.0), webhooks::disabled_at.eq(no_fault.1));
                (webhooks::active.eq(active), found, webhooks::failing_since.eq(none.1))
            });
            let values = (
                wanted.url.as_ref().map(|url| webhooks::url.eq(url.as_str())),
                wanted.events.as_ref().map(|events| webhooks::events.eq(names(events))),
                secret,
                active,
                webhooks::updated_at.eq(now.into_sql::<Timestamptz>()),
            );
            let update = diesel::update(webhooks::table.find(id.as_uuid())).set(values).returning(Row::as_returning());
            let new = only(update.get_results(connection).await?)?;
            self.webhook_changed(connection, AuditAction::WebhookUpdate, Entry::by(&permit), (&old.into_webhook()?, &new)).await?;
            Ok::<_, Error>(Some(new))
        };
        let updated = change!(self, connection => connection.transaction(update).await).await?;
        self.webhook_wake.has_one(permit.tenant().as_uuid());
        Ok(updated)
    }

    /// Gives the webhook with this id another secret; the present one signs beside it for `grace` longer, one that was in its grace already no more.
    /// `None`: the permit's tenant has no such webhook.
    ///
    /// # Errors
    ///
    /// [`Error::Denied`] where the permit's key may not do that any more, [`Error::Vault`] where the present secret cannot be opened; otherwise where
    /// the database cannot.
    pub async fn webhook_rotate(
        &self,
        permit: &Permit<needs::WebhooksWrite>,
        id: WebhookId,
        grace: Duration,
        secret: &WebhookSecret,
    ) -> Result<Option<Webhook>, Error> {
        let sealed = self.sealed_webhook(id, "secret", secret)?;
        let rotate = async |connection: &mut AsyncPgConnection| {
            let renewed = renewed(connection, permit).await?;
            let Some(old) = held(connection, &renewed, id).await? else { return Ok(None) };
            let at: OffsetDateTime = diesel::select(now.into_sql::<Timestamptz>()).get_result(connection).await?;
            let former = match grace.is_zero() {
                true => None,
                false => {
                    Some(self.sealed_webhook(id, "previous_secret", &self.opened_webhook(old.id, "secret", &old.secret)?)?.into_bytes())
                }
            };
            let until = former.is_some().then_some(at + grace);
            let values = (
                webhooks::secret.eq(sealed.as_bytes()),
                webhooks::previous_secret.eq(former),
                webhooks::previous_until.eq(until),
                webhooks::updated_at.eq(at),
            );
            let update = diesel::update(webhooks::table.find(id.as_uuid())).set(values).returning(Row::as_returning());
            let new = only(update.get_results(connection).await?)?;
            self.webhook_changed(connection, AuditAction::WebhookRotate, Entry::by(&renewed), (&old.into_webhook()?, &new)).await?;
            Ok::<_, Error>(Some(new))
        };
        change!(self, connection => connection.transaction(rotate).await).await
    }

    /// Deletes the webhook with this id and its secrets; what of its deliveries is left goes in the background. `false`: the permit's tenant has none.
    ///
    /// # Errors
    ///
    /// [`Error::Denied`] where the permit's key may not do that any more; otherwise where the database cannot.
    pub async fn webhook_delete(&self, permit: &Permit<needs::WebhooksWrite>, id: WebhookId) -> Result<bool, Error> {
        let delete = async |connection: &mut AsyncPgConnection| {
            let permit = renewed(connection, permit).await?;
            let own = webhooks::table.find(id.as_uuid()).filter(webhooks::tenant_id.eq(permit.tenant().as_uuid()));
            let gone: Vec<Row> = diesel::delete(own).returning(Row::as_returning()).get_results(connection).await?;
            let Some(row) = gone.into_iter().next() else { return Ok(false) };
            let entry = Entry { target: Some(id.to_string()), before: Some(webhook_json(&row.into_webhook()?)), ..Entry::by(&permit) };
            self.audit(connection, AuditAction::WebhookDelete, entry).await?;
            Ok::<_, Error>(true)
        };
        change!(self, connection => connection.transaction(delete).await).await
    }

    /// The webhook with this id. `None`: the permit's tenant has none.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn webhook_find<P: Scope>(&self, permit: &Permit<P>, id: WebhookId) -> Result<Option<Webhook>, Error> {
        let tenant = permit.tenant().as_uuid();
        let query = || webhooks::table.find(id.as_uuid()).filter(webhooks::tenant_id.eq(tenant)).select(Row::as_select());
        let row: Option<Row> = read!(self, connection => query().first(connection).await.optional()).await?;
        row.map(Row::into_webhook).transpose()
    }

    /// The webhooks of the permit's tenant, newest first.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn webhook_list(&self, permit: &Permit<needs::WebhooksRead>, page: PageRequest<WebhookId>) -> Result<Page<Webhook>, Error> {
        let (tenant, window) = (permit.tenant().as_uuid(), Window::of(page));
        let rows: Vec<Row> = read!(self, connection => {
            let mut query = webhooks::table.into_boxed().filter(webhooks::tenant_id.eq(tenant));
            if let Some(after) = pages::after(page.start) {
                query = query.filter(webhooks::id.lt(after.as_uuid()));
            }
            query.order(webhooks::id.desc()).select(Row::as_select()).limit(window.rows).offset(window.offset).load(connection).await
        })
        .await?;
        let items = rows.into_iter().map(Row::into_webhook).collect::<Result<_, _>>()?;
        Ok(pages::page(items, page.limit, None))
    }

    async fn webhook_changed(
        &self,
        connection: &mut AsyncPgConnection,
        action: AuditAction,
        entry: Entry<'_>,
        (old, new): (&Webhook, &Webhook),
    ) -> Result<(), Error> {
        let (before, after) = (Some(webhook_json(old)), Some(webhook_json(new)));
        self.audit(connection, action, Entry { target: Some(new.id.to_string()), before, after, ..entry }).await?;
        Ok(())
    }

    fn sealed_webhook(&self, id: WebhookId, column: &str, secret: &WebhookSecret) -> Result<Sealed, VaultError> {
        self.vault().seal(&*self.entropy, place(id.as_uuid(), column), secret.reveal().as_bytes())
    }

    /// Opens a secret that lies in this column of a webhook's row.
    pub(crate) fn opened_webhook(&self, id: Uuid, column: &str, sealed: &[u8]) -> Result<WebhookSecret, Error> {
        let octets = self.vault().open(place(id, column), sealed)?;
        let text = str::from_utf8(&octets).or(Err(Error::Unreadable("webhooks.secret")))?;
        text.parse().or(Err(Error::Unreadable("webhooks.secret")))
    }
}

const fn place(row: Uuid, column: &str) -> Place<'_> {
    Place { table: "webhooks", column, row }
}

/// The permit, looked at again under a lock.
pub(crate) async fn renewed<P: Scope>(connection: &mut AsyncPgConnection, permit: &Permit<P>) -> Result<Permit<P>, Error> {
    let held = hold(connection, permit.key_id(), None).await?;
    Ok(permit.renewed(held.maker.as_ref(), held.at)?)
}

/// The webhook of the permit's tenant, locked.
async fn held<P: Scope>(connection: &mut AsyncPgConnection, permit: &Permit<P>, id: WebhookId) -> Result<Option<Row>, Error> {
    let own = webhooks::table.find(id.as_uuid()).filter(webhooks::tenant_id.eq(permit.tenant().as_uuid()));
    Ok(own.select(Row::as_select()).for_no_key_update().first(connection).await.optional()?)
}

fn only(rows: Vec<Row>) -> Result<Webhook, Error> {
    rows.into_iter().next().ok_or(Error::Unreadable("webhooks"))?.into_webhook()
}

fn names(events: &WebhookEvents) -> Vec<&'static str> {
    events.iter().map(|kind| kind.as_str()).collect()
}

/// A webhook as entries show it: of its URL the host alone, since people put tokens into paths.
fn webhook_json(webhook: &Webhook) -> Value {
    let state = match webhook.state {
        WebhookState::Active => "active",
        WebhookState::Inactive => "inactive",
        WebhookState::Disabled { .. } => "disabled",
    };
    json!({"host": webhook.url.authority(), "events": names(&webhook.events), "state": state})
}

impl Row {
    fn into_webhook(self) -> Result<Webhook, Error> {
        let kinds = self.events.iter().map(|kind| kind.parse().or(Err(Error::Unreadable("webhooks.events")))).collect::<Result<_, _>>()?;
        let fault: Option<WebhookFault> =
            self.disabled_reason.map(|text| text.parse().or(Err(Error::Unreadable("webhooks.disabled_reason")))).transpose()?;
        let state = match (self.active, fault.zip(self.disabled_at)) {
            (true, _) => WebhookState::Active,
            (false, None) => WebhookState::Inactive,
            (false, Some((fault, at))) => WebhookState::Disabled { fault, at },
        };
        Ok(Webhook {
            id: WebhookId::from_uuid(self.id),
            url: self.url.parse().or(Err(Error::Unreadable("webhooks.url")))?,
            events: WebhookEvents::new(kinds).or(Err(Error::Unreadable("webhooks.events")))?,
            state,
            previous_secret_until: self.previous_until,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}
