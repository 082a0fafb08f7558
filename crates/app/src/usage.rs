//! What a tenant has used; for the platform alone.

use selfmx_auth::{PlatformPermit, needs};
use selfmx_domain::{Month, TenantId, TenantUsage};

use crate::{App, Error};

impl App {
    /// What a tenant has used in `period`, or in the present month.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where there is no such tenant; otherwise where the store cannot.
    pub async fn tenant_usage(
        &self,
        permit: &PlatformPermit<needs::All>,
        id: TenantId,
        period: Option<Month>,
    ) -> Result<TenantUsage, Error> {
        self.store.tenant_usage(permit, id, period).await?.ok_or(Error::NotFound)
    }
}
