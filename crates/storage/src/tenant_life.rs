//! A tenant's life: suspended, resumed and deleted, by the platform alone.

use diesel::dsl::{now, sql};
use diesel::sql_types::{Nullable, Timestamptz, Uuid as SqlUuid};
use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, SelectableHelper};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use selfmx_auth::{PlatformPermit, needs};
use selfmx_domain::{AuditAction, Tenant, TenantId};
use serde_json::json;
use time::OffsetDateTime;

use crate::audit::{Entry, tenant_json};
use crate::keys::hold_with_all_of;
use crate::schema::tenants;
use crate::store::change;
use crate::tenant_rows::TenantRow;
use crate::tenants::{hold_for, of_tenant, only};
use crate::{Error, Store};

const DELETE: &str = "UPDATE tenants SET status = 'deleted', deleted_at = now(), erase_due_at = now(), updated_at = now() WHERE id = $1";
const REVOKE: &str =
    "UPDATE api_keys SET revoked_at = now(), previous_digest = NULL, previous_until = NULL WHERE tenant_id = $1 AND revoked_at IS NULL";
/// In the order of their ids, as whoever settles locks them.
const SILENCE: &str = "UPDATE webhooks SET active = false, updated_at = now() WHERE id = ANY(ARRAY(SELECT id FROM webhooks WHERE tenant_id = $1 AND active ORDER BY id FOR UPDATE))";

/// A turn in a tenant's life.
#[derive(Clone, Copy)]
enum Turn {
    Suspend,
    Resume,
}

impl Store {
    /// Suspends the tenant with this id: what it sends is refused, and from this commit on nothing that it has queued is leased. One that is suspended
    /// already stays as it is. `None`: there is no such tenant.
    ///
    /// # Errors
    ///
    /// [`Error::Denied`] where the permit's key may not do that any more; otherwise where the database cannot.
    pub async fn tenant_suspend(&self, permit: &PlatformPermit<needs::All>, id: TenantId) -> Result<Option<Tenant>, Error> {
        self.tenant_turn(permit, id, Turn::Suspend).await
    }

    /// Lets a suspended tenant send again; what was [set aside](Self::queue_resume) of its mail comes back bit by bit. One that is active stays as it is.
    /// `None`: there is no such tenant.
    ///
    /// # Errors
    ///
    /// As for [`tenant_suspend`](Self::tenant_suspend).
    pub async fn tenant_resume(&self, permit: &PlatformPermit<needs::All>, id: TenantId) -> Result<Option<Tenant>, Error> {
        self.tenant_turn(permit, id, Turn::Resume).await
    }

    /// Deletes the tenant with this id: from this commit on there is no such tenant, its keys are revoked, nothing that it has queued is leased, and its
    /// webhooks are told nothing more. Its data is [erased](Self::tenant_erase) bit by bit. One that is deleted already stays so. `false`: there never was such a tenant.
    ///
    /// # Errors
    ///
    /// [`Error::DefaultTenant`] for the default tenant, [`Error::Denied`] where the permit's key may not do that any more; otherwise where the
    /// database cannot.
    pub async fn tenant_delete(&self, permit: &PlatformPermit<needs::All>, id: TenantId) -> Result<bool, Error> {
        if id == TenantId::DEFAULT {
            return Err(Error::DefaultTenant);
        }
        let delete = async |connection: &mut AsyncPgConnection| {
            let Some((permit, found)) = hold_to_delete(connection, permit, id).await? else { return Ok(false) };
            let Found::Present(old) = found else { return Ok(true) };
            let ended = diesel::sql_query(DELETE).bind::<SqlUuid, _>(id.as_uuid());
            ended.execute(connection).await?;
            let keys = diesel::sql_query(REVOKE).bind::<SqlUuid, _>(id.as_uuid()).execute(connection).await?;
            diesel::sql_query(SILENCE).bind::<SqlUuid, _>(id.as_uuid()).execute(connection).await?;
            let after = Some(json!({"deleted": true, "keys_revoked": keys}));
            let entry = Entry { before: Some(tenant_json(&old)), after, ..of_tenant(Entry::by_platform(&permit), id) };
            self.audit(connection, AuditAction::TenantDelete, entry).await?;
            self.tenant_announce(connection, id).await?;
            Ok::<_, Error>(true)
        };
        let deleted = change!(self, connection => connection.transaction(delete).await).await;
        self.tenant_forget(id);
        deleted
    }

    async fn tenant_turn(&self, permit: &PlatformPermit<needs::All>, id: TenantId, turn: Turn) -> Result<Option<Tenant>, Error> {
        let take = async |connection: &mut AsyncPgConnection| {
            let Some((permit, old)) = hold_for(connection, permit, id).await? else { return Ok(None) };
            if turn.is_taken(&old) {
                return Ok(Some(old));
            }
            let since = sql::<Nullable<Timestamptz>>(turn.since());
            let changes = (tenants::status.eq(turn.status()), tenants::suspended_at.eq(since), tenants::updated_at.eq(now));
            let update = diesel::update(tenants::table.find(id.as_uuid())).set(changes).returning(TenantRow::as_returning());
            let new = only(update.get_results(connection).await?)?;
            self.tenant_changed(connection, turn.action(), Entry::by_platform(&permit), (&old, &new)).await?;
            Ok::<_, Error>(Some(new))
        };
        let taken = change!(self, connection => connection.transaction(take).await).await;
        self.tenant_forget(id);
        taken
    }
}

/// A tenant that is to be deleted, under a lock.
enum Found {
    Present(Box<Tenant>),
    Deleted,
}

/// Locks a tenant, then the key that asks and all of the tenant's: whoever makes a key holds its tenant first. `None`: there never was such a tenant.
async fn hold_to_delete(
    connection: &mut AsyncPgConnection,
    permit: &PlatformPermit<needs::All>,
    id: TenantId,
) -> Result<Option<(PlatformPermit<needs::All>, Found)>, Error> {
    let lock = tenants::table.find(id.as_uuid()).select(tenants::deleted_at).for_no_key_update();
    let locked: Option<Option<OffsetDateTime>> = lock.first(connection).await.optional()?;
    let held = hold_with_all_of(connection, permit.key_id(), id).await?;
    let permit = permit.renewed(held.maker.as_ref(), held.at)?;
    match locked {
        None => Ok(None),
        // Of what is deleted nothing is read any more: it may be erased.
        Some(Some(_)) => Ok(Some((permit, Found::Deleted))),
        Some(None) => {
            let row = tenants::table.find(id.as_uuid()).select(TenantRow::as_select()).get_results(connection).await?;
            Ok(Some((permit, Found::Present(Box::new(only(row)?)))))
        }
    }
}

impl Turn {
    const fn is_taken(self, tenant: &Tenant) -> bool {
        match self {
            Self::Suspend => !tenant.is_active(),
            Self::Resume => tenant.is_active(),
        }
    }

    /// The column `status` afterwards.
    const fn status(self) -> &'static str {
        match self {
            Self::Suspend => "suspended",
            Self::Resume => "active",
        }
    }

    /// The column `suspended_at` afterwards, as SQL.
    const fn since(self) -> &'static str {
        match self {
            Self::Suspend => "now()",
            Self::Resume => "NULL",
        }
    }

    const fn action(self) -> AuditAction {
        match self {
            Self::Suspend => AuditAction::TenantSuspend,
            Self::Resume => AuditAction::TenantResume,
        }
    }
}
