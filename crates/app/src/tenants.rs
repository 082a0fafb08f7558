//! Tenants: create, list, find, change, suspend, resume, delete; for the platform alone.

use selfmx_auth::{PlatformPermit, needs};
use selfmx_domain::{NewTenant, Page, PageRequest, Problem, RelayHost, Tenant, TenantChange, TenantId, Tracking};

use crate::{App, Error};

impl App {
    /// Makes a tenant.
    ///
    /// # Errors
    ///
    /// [`Error::Denied`] where the key may not do that any more, [`Error::Invalid`] where its relay may not be connected to, or its mail cannot be
    /// tracked.
    pub async fn tenant_create(&self, permit: &PlatformPermit<needs::All>, wanted: NewTenant) -> Result<Tenant, Error> {
        self.dialled(wanted.profile.relay.as_ref().map(|relay| &relay.host))?;
        self.trackable(wanted.profile.tracking)?;
        Ok(self.store.tenant_create(permit, &wanted).await?)
    }

    /// Changes the tenant with this id.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where there is none, [`Error::Invalid`] where the members would not fit together its relay may not be
    /// connected to, or its mail cannot be tracked.
    pub async fn tenant_update(&self, permit: &PlatformPermit<needs::All>, id: TenantId, change: TenantChange) -> Result<Tenant, Error> {
        self.dialled(change.relay.as_set().and_then(|relay| relay.host.as_ref()))?;
        self.trackable(change.tracking.apply(Tracking::default()))?;
        let updated = self.store.tenant_update(permit, id, change).await?;
        self.signers.forget(id);
        updated.ok_or(Error::NotFound)
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

    /// Suspends the tenant with this id; one that is suspended already stays as it is.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where there is none.
    pub async fn tenant_suspend(&self, permit: &PlatformPermit<needs::All>, id: TenantId) -> Result<Tenant, Error> {
        self.store.tenant_suspend(permit, id).await?.ok_or(Error::NotFound)
    }

    /// Lets the tenant with this id send again; one that is active stays as it is.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where there is none.
    pub async fn tenant_resume(&self, permit: &PlatformPermit<needs::All>, id: TenantId) -> Result<Tenant, Error> {
        self.store.tenant_resume(permit, id).await?.ok_or(Error::NotFound)
    }

    /// Deletes the tenant with this id; one that is deleted already stays so.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where there never was one, [`Error::DefaultTenant`] for the default tenant.
    pub async fn tenant_delete(&self, permit: &PlatformPermit<needs::All>, id: TenantId) -> Result<(), Error> {
        self.store.tenant_delete(permit, id).await?.then_some(()).ok_or(Error::NotFound)
    }

    /// That the host may be connected to, as far as it shows by itself.
    fn dialled(&self, host: Option<&RelayHost>) -> Result<(), Error> {
        match host.map(|host| self.terms.check(host)) {
            None | Some(Ok(())) => Ok(()),
            Some(Err(_)) => Err(Problem::NotPublic.at("smtp.host").into()),
        }
    }
}
