//! Tenants.

use selfmx_app::App;
use selfmx_auth::{PlatformPermit, needs};
use selfmx_wire::{CreateTenant, List, TenantDeleted, TenantView, UpdateTenant};

use crate::{Answer, Call, Reply};

/// The query parameters of [`list`].
pub(crate) const LIST: &[&str] = &["limit", "after"];

/// `POST /v1/tenants`.
pub(crate) async fn create(permit: PlatformPermit<needs::All>, mut call: Call<App>) -> Answer {
    let request = call.read(CreateTenant::read).await?;
    let tenant = call.state().tenant_create(&permit, request.into()).await?;
    Reply::created(&TenantView::from(&tenant))
}

/// `GET /v1/tenants`.
pub(crate) async fn list(permit: PlatformPermit<needs::All>, call: Call<App>) -> Answer {
    let page = call.state().tenant_list(&permit, call.query().page_or_first()?).await?;
    Reply::ok(&List::<TenantView<'_>>::new(&page, |tenant| tenant.id.to_string()))
}

/// `GET /v1/tenants/{tenant_id}`.
pub(crate) async fn find(permit: PlatformPermit<needs::All>, call: Call<App>) -> Answer {
    let tenant = call.state().tenant_find(&permit, call.tenant_id()?).await?;
    Reply::ok(&TenantView::from(&tenant))
}

/// `PUT` and `PATCH /v1/tenants/{tenant_id}`: both merge.
pub(crate) async fn update(permit: PlatformPermit<needs::All>, mut call: Call<App>) -> Answer {
    let id = call.tenant_id()?;
    // Before the body is looked at: what is not there answers so, whatever the body.
    call.state().tenant_find(&permit, id).await?;
    let change = call.read(UpdateTenant::read).await?;
    let tenant = call.state().tenant_update(&permit, id, change.into()).await?;
    Reply::ok(&TenantView::from(&tenant))
}

/// `POST /v1/tenants/{tenant_id}/suspend`.
pub(crate) async fn suspend(permit: PlatformPermit<needs::All>, call: Call<App>) -> Answer {
    let tenant = call.state().tenant_suspend(&permit, call.tenant_id()?).await?;
    Reply::ok(&TenantView::from(&tenant))
}

/// `POST /v1/tenants/{tenant_id}/resume`.
pub(crate) async fn resume(permit: PlatformPermit<needs::All>, call: Call<App>) -> Answer {
    let tenant = call.state().tenant_resume(&permit, call.tenant_id()?).await?;
    Reply::ok(&TenantView::from(&tenant))
}

/// `DELETE /v1/tenants/{tenant_id}`.
pub(crate) async fn delete(permit: PlatformPermit<needs::All>, call: Call<App>) -> Answer {
    let id = call.tenant_id()?;
    call.state().tenant_delete(&permit, id).await?;
    Reply::ok(&TenantDeleted::new(id))
}
