//! Tenants: create, list, find; for the platform alone.

use selfmx_auth::{PlatformPermit, needs};
use selfmx_domain::{Name, Page, PageRequest, Tenant, TenantId};

use crate::{App, Error};

impl App {
    /// Makes a tenant.
    ///
    /// # Errors
    ///
    /// Where the store cannot.
    pub async fn tenant_create(&self, permit: &PlatformPermit<needs::All>, name: Name) -> Result<Tenant, Error> {
        Ok(self.store.tenant_create(permit, &name).await?)
    }

    /// All tenants, newest first.
    ///
    /// # Errors
    ///
    /// Where the store cannot.
    pub async fn tenant_list(&self, permit: &PlatformPermit<needs::All>, page: PageRequest<TenantId>) -> Result<Page<Tenant>, Error> {
        Ok(self.store.tenant_list(permit, page).await?)
    }

    /// The tenant with this id.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where there is none.
    pub async fn tenant_find(&self, permit: &PlatformPermit<needs::All>, id: TenantId) -> Result<Tenant, Error> {
        self.store.tenant_find(permit, id).await?.ok_or(Error::NotFound)
    }
}
