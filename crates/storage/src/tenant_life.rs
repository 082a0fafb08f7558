//! A tenant's life: suspended and resumed, by the platform alone.

use diesel::dsl::{now, sql};
use diesel::sql_types::{Nullable, Timestamptz};
use diesel::{ExpressionMethods, QueryDsl, SelectableHelper};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use selfmx_auth::{PlatformPermit, needs};
use selfmx_domain::{AuditAction, Tenant, TenantId};

use crate::audit::Entry;
use crate::schema::tenants;
use crate::store::change;
use crate::tenant_rows::TenantRow;
use crate::tenants::{hold_for, only};
use crate::{Error, Store};

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
