//! Tenants: made, found and listed, by the platform alone.

use std::sync::Arc;

use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, SelectableHelper};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use selfmx_auth::{PlatformPermit, needs};
use selfmx_domain::{AuditAction, Name, Page, PageRequest, Tenant, TenantId};
use serde_json::json;

use crate::audit::Entry;
use crate::keys::hold;
use crate::pages::{self, Window};
use crate::schema::tenants;
use crate::store::{change, read};
use crate::tenant_rows::TenantRow;
use crate::{Error, Store};

impl Store {
    /// Makes a tenant.
    ///
    /// # Errors
    ///
    /// [`Error::Denied`] where the permit's key may not do that any more; otherwise where the database cannot.
    pub async fn tenant_create(&self, permit: &PlatformPermit<needs::All>, name: &Name) -> Result<Tenant, Error> {
        let id = TenantId::generate(&*self.clock, &*self.entropy);
        let make = async |connection: &mut AsyncPgConnection| {
            let held = hold(connection, permit.key_id(), None).await?;
            let permit = permit.renewed(held.maker.as_ref(), held.at)?;
            let values = (tenants::id.eq(id.as_uuid()), tenants::name.eq(name.as_str()));
            let insert = diesel::insert_into(tenants::table).values(values).returning(TenantRow::as_returning());
            let rows: Vec<TenantRow> = insert.get_results(connection).await?;
            let tenant = rows.into_iter().next().ok_or(Error::Unreadable("tenants"))?.into_tenant()?;
            let after = Some(json!({"name": tenant.profile.name.as_str()}));
            let entry = Entry { tenant: Some(id), target: Some(id.to_string()), after, ..Entry::by_platform(&permit) };
            self.audit(connection, AuditAction::TenantCreate, entry).await?;
            Ok::<_, Error>(tenant)
        };
        change!(self, connection => connection.transaction(make).await).await
    }

    /// The tenant on which platform keys act, as it is now.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn tenant_default(&self) -> Result<Arc<Tenant>, Error> {
        let id = TenantId::DEFAULT.as_uuid();
        let query = || tenants::table.find(id).select(TenantRow::as_select());
        let row: TenantRow = read!(self, connection => query().first(connection).await).await?;
        Ok(Arc::new(row.into_tenant()?))
    }

    /// The tenant with this id.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn tenant_find(&self, _permit: &PlatformPermit<needs::All>, id: TenantId) -> Result<Option<Tenant>, Error> {
        let row: Option<TenantRow> =
            read!(self, connection => tenants::table.find(id.as_uuid()).select(TenantRow::as_select()).first(connection).await.optional())
                .await?;
        row.map(TenantRow::into_tenant).transpose()
    }

    /// All tenants, newest first; the default tenant is the oldest.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn tenant_list(&self, _permit: &PlatformPermit<needs::All>, page: PageRequest<TenantId>) -> Result<Page<Tenant>, Error> {
        let window = Window::of(page);
        let rows: Vec<TenantRow> = read!(self, connection => {
            let mut query = tenants::table.into_boxed().order(tenants::id.desc()).select(TenantRow::as_select());
            if let Some(after) = pages::after(page.start) {
                query = query.filter(tenants::id.lt(after.as_uuid()));
            }
            query.limit(window.rows).offset(window.offset).load(connection).await
        })
        .await?;
        let total = match pages::is_numbered(&page.start) {
            true => Some(pages::total(read!(self, connection => tenants::table.count().get_result(connection).await).await?)),
            false => None,
        };
        let tenants = rows.into_iter().map(TenantRow::into_tenant).collect::<Result<_, _>>()?;
        Ok(pages::page(tenants, page.limit, total))
    }
}
