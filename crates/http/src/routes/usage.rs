//! What tenants have used.

use selfmx_app::App;
use selfmx_auth::{PlatformPermit, needs};
use selfmx_wire::UsageView;

use crate::{Answer, Call, Reply};

/// The query parameters of [`find`].
pub(crate) const FIND: &[&str] = &["period"];

/// `GET /v1/tenants/{tenant_id}/usage`.
pub(crate) async fn find(permit: PlatformPermit<needs::All>, call: Call<App>) -> Answer {
    let period = call.query().parsed("period")?;
    let usage = call.state().tenant_usage(&permit, call.tenant_id()?, period).await?;
    Reply::ok(&UsageView::from(&usage))
}
