//! Tenants: made, found and listed, by the platform alone.

use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, Queryable, Selectable, SelectableHelper};
use diesel_async::RunQueryDsl;
use selfmx_auth::{PlatformPermit, needs};
use selfmx_domain::{Name, Page, PageRequest, Tenant, TenantId, TenantProfile, TenantStatus};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::pages::{self, Window};
use crate::schema::tenants;
use crate::store::{change, read};
use crate::{Error, Store};

#[derive(Queryable, Selectable)]
#[diesel(table_name = tenants, check_for_backend(diesel::pg::Pg))]
struct Row {
    id: Uuid,
    name: String,
    created_at: OffsetDateTime,
}

impl Store {
    /// Makes a tenant.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn tenant_create(&self, _permit: &PlatformPermit<needs::All>, name: &Name) -> Result<Tenant, Error> {
        let id = TenantId::generate(&*self.clock, &*self.entropy);
        let values = (tenants::id.eq(id.as_uuid()), tenants::name.eq(name.as_str()));
        let insert = diesel::insert_into(tenants::table).values(values).returning(Row::as_returning());
        let rows: Vec<Row> = change!(self, connection => insert.get_results(connection).await).await?;
        rows.into_iter().next().ok_or(Error::Unreadable("tenants"))?.into_tenant()
    }

    /// The tenant with this id.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn tenant_find(&self, _permit: &PlatformPermit<needs::All>, id: TenantId) -> Result<Option<Tenant>, Error> {
        let row: Option<Row> =
            read!(self, connection => tenants::table.find(id.as_uuid()).select(Row::as_select()).first(connection).await.optional())
                .await?;
        row.map(Row::into_tenant).transpose()
    }

    /// All tenants, newest first; the default tenant is the oldest.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn tenant_list(&self, _permit: &PlatformPermit<needs::All>, page: PageRequest<TenantId>) -> Result<Page<Tenant>, Error> {
        let window = Window::of(page);
        let rows: Vec<Row> = read!(self, connection => {
            let mut query = tenants::table.into_boxed().order(tenants::id.desc()).select(Row::as_select());
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
        let tenants = rows.into_iter().map(Row::into_tenant).collect::<Result<_, _>>()?;
        Ok(pages::page(tenants, page.limit, total))
    }
}

impl Row {
    fn into_tenant(self) -> Result<Tenant, Error> {
        let name = self.name.parse().or(Err(Error::Unreadable("tenants.name")))?;
        Ok(Tenant {
            id: TenantId::from_uuid(self.id),
            status: TenantStatus::Active,
            profile: TenantProfile::named(name),
            created_at: self.created_at,
            updated_at: self.created_at,
        })
    }
}
