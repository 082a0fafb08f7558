//! Tenants: made, changed, found and listed, by the platform alone.

use diesel::dsl::{IntoBoxed, now};
use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, SelectableHelper};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use selfmx_auth::{PlatformPermit, needs};
use selfmx_domain::{
    AuditAction, Change, DkimKey, NewTenant, Page, PageRequest, RelayPassword, Tenant, TenantChange, TenantId, TenantProfile,
};

use crate::audit::{Entry, tenant_json, with_new_password};
use crate::keys::hold;
use crate::pages::{self, Window};
use crate::schema::tenants;
use crate::store::{change, read};
use crate::tenant_rows::{ProfileRow, TenantRow};
use crate::vault::Sealed;
use crate::{Error, Store};

impl Store {
    /// Makes a tenant.
    ///
    /// # Errors
    ///
    /// [`Error::Denied`] where the permit's key may not do that any more; otherwise where the database cannot.
    pub async fn tenant_create(&self, permit: &PlatformPermit<needs::All>, wanted: &NewTenant) -> Result<Tenant, Error> {
        let id = TenantId::generate(&*self.clock, &*self.entropy);
        let sealed = wanted.relay_password.as_ref().map(|password| self.sealed(id, password)).transpose()?;
        let sealed_key = wanted.dkim_key.as_ref().map(|key| self.sealed_dkim(id, key)).transpose()?;
        let make = async |connection: &mut AsyncPgConnection| {
            let held = hold(connection, permit.key_id(), None).await?;
            let permit = permit.renewed(held.maker.as_ref(), held.at)?;
            let pass = tenants::relay_pass.eq(sealed.as_ref().map(Sealed::as_bytes));
            let key = tenants::dkim_key.eq(sealed_key.as_ref().map(Sealed::as_bytes));
            let values = (tenants::id.eq(id.as_uuid()), ProfileRow::of(&wanted.profile), pass, key);
            let insert = diesel::insert_into(tenants::table).values(values).returning(TenantRow::as_returning());
            let tenant = only(insert.get_results(connection).await?)?;
            let entry = Entry { after: Some(tenant_json(&tenant)), ..of_tenant(Entry::by_platform(&permit), id) };
            self.audit(connection, AuditAction::TenantCreate, entry).await?;
            Ok::<_, Error>(tenant)
        };
        change!(self, connection => connection.transaction(make).await).await
    }

    /// Changes the tenant with this id. `None`: there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Denied`] where the permit's key may not do that any more, [`Error::Invalid`] where the members would not fit together; otherwise where
    /// the database cannot.
    pub async fn tenant_update(
        &self,
        permit: &PlatformPermit<needs::All>,
        id: TenantId,
        change: TenantChange,
    ) -> Result<Option<Tenant>, Error> {
        let update = async |connection: &mut AsyncPgConnection| {
            let Some((permit, old)) = hold_for(connection, permit, id).await? else { return Ok(None) };
            let (password, key) = (change.relay_password(), change.dkim_key());
            let profile = change.apply(old.profile.clone())?;
            let new = self.tenant_write(connection, &old, &profile, (&password, &key)).await?;
            let after = password.as_set().map(|_| with_new_password(tenant_json(&new)));
            let entry = Entry { after, ..Entry::by_platform(&permit) };
            self.tenant_changed(connection, AuditAction::TenantUpdate, entry, (&old, &new)).await?;
            Ok::<_, Error>(Some(new))
        };
        let updated = change!(self, connection => connection.transaction(update).await).await;
        self.tenant_forget(id);
        updated
    }

    /// Writes a profile over the old one. Where the relay or its password is another, nodes know by the version that theirs is out of date.
    async fn tenant_write(
        &self,
        connection: &mut AsyncPgConnection,
        old: &Tenant,
        profile: &TenantProfile,
        (password, key): (&Change<RelayPassword>, &Change<DkimKey>),
    ) -> Result<Tenant, Error> {
        let pass = match password {
            Change::Set(password) => Some(Some(self.sealed(old.id, password)?.into_bytes())),
            Change::Clear => Some(None),
            Change::Keep => None,
        };
        let key = match key {
            Change::Set(key) => Some(Some(self.sealed_dkim(old.id, key)?.into_bytes())),
            Change::Clear => Some(None),
            Change::Keep => None,
        };
        let key = key.map(|key| tenants::dkim_key.eq(key));
        let moved = profile.relay != old.profile.relay || !password.is_keep();
        let pass = pass.map(|pass| tenants::relay_pass.eq(pass));
        let version = tenants::relay_version.eq(tenants::relay_version + i64::from(moved));
        let values = (ProfileRow::of(profile), pass, key, version, tenants::updated_at.eq(now));
        let update = diesel::update(tenants::table.find(old.id.as_uuid())).set(values);
        only(update.returning(TenantRow::as_returning()).get_results(connection).await?)
    }

    /// Notes a change of a tenant in its transaction, and lets all nodes know when it commits.
    pub(crate) async fn tenant_changed(
        &self,
        connection: &mut AsyncPgConnection,
        action: AuditAction,
        entry: Entry<'_>,
        (old, new): (&Tenant, &Tenant),
    ) -> Result<(), Error> {
        let after = Some(entry.after.clone().unwrap_or_else(|| tenant_json(new)));
        let entry = Entry { before: Some(tenant_json(old)), after, ..of_tenant(entry, new.id) };
        self.audit(connection, action, entry).await?;
        self.tenant_announce(connection, new.id).await?;
        Ok(())
    }

    /// The tenant with this id.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn tenant_find(&self, _permit: &PlatformPermit<needs::All>, id: TenantId) -> Result<Option<Tenant>, Error> {
        let query = || tenants::table.find(id.as_uuid()).filter(tenants::deleted_at.is_null()).select(TenantRow::as_select());
        let row: Option<TenantRow> = read!(self, connection => query().first(connection).await.optional()).await?;
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
            let mut query = present().order(tenants::id.desc()).select(TenantRow::as_select());
            if let Some(after) = pages::after(page.start) {
                query = query.filter(tenants::id.lt(after.as_uuid()));
            }
            query.limit(window.rows).offset(window.offset).load(connection).await
        })
        .await?;
        let total = match pages::is_numbered(&page.start) {
            true => Some(pages::total(read!(self, connection => present().count().get_result(connection).await).await?)),
            false => None,
        };
        let tenants = rows.into_iter().map(TenantRow::into_tenant).collect::<Result<_, _>>()?;
        Ok(pages::page(tenants, page.limit, total))
    }
}

/// The tenants that are not deleted.
fn present() -> IntoBoxed<'static, tenants::table, diesel::pg::Pg> {
    tenants::table.into_boxed().filter(tenants::deleted_at.is_null())
}

/// Locks a tenant that is not deleted, then the key that asks, and looks at both again. `None`: there is no such tenant.
///
/// Whoever locks tenants and keys locks the tenant first, so that no two calls wait for each other.
pub(crate) async fn hold_for(
    connection: &mut AsyncPgConnection,
    permit: &PlatformPermit<needs::All>,
    id: TenantId,
) -> Result<Option<(PlatformPermit<needs::All>, Tenant)>, Error> {
    let query = tenants::table.find(id.as_uuid()).filter(tenants::deleted_at.is_null());
    let row: Option<TenantRow> = query.select(TenantRow::as_select()).for_no_key_update().first(connection).await.optional()?;
    let held = hold(connection, permit.key_id(), None).await?;
    let permit = permit.renewed(held.maker.as_ref(), held.at)?;
    let tenant = row.map(TenantRow::into_tenant).transpose()?;
    Ok(tenant.map(|tenant| (permit, tenant)))
}

/// The one tenant that a statement gives back.
pub(crate) fn only(rows: Vec<TenantRow>) -> Result<Tenant, Error> {
    rows.into_iter().next().ok_or(Error::Unreadable("tenants"))?.into_tenant()
}

/// An entry about this tenant.
pub(crate) fn of_tenant(entry: Entry<'_>, id: TenantId) -> Entry<'_> {
    Entry { tenant: Some(id), target: Some(id.to_string()), ..entry }
}
