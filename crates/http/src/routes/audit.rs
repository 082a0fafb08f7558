//! The audit log.

use selfmx_app::App;
use selfmx_auth::{Permit, needs};
use selfmx_domain::AuditFilter;
use selfmx_wire::{AuditView, List};

use crate::{Answer, Call, Failure, Query, Reply};

/// The query parameters of [`list`].
pub(crate) const LIST: &[&str] = &["limit", "after", "api_key_id", "tenant_id", "action", "target", "outcome", "since", "until"];

/// `GET /v1/audit-logs`.
pub(crate) async fn list(permit: Permit<needs::All>, call: Call<App>) -> Answer {
    let request = call.query().page_or_first()?;
    let page = call.state().audit_list(&permit, filter(call.query())?, request).await?;
    Reply::ok(&List::<AuditView<'_>>::new(&page, |entry| entry.id.to_string()))
}

fn filter(query: &Query) -> Result<AuditFilter, Failure> {
    Ok(AuditFilter {
        actor: query.id("api_key_id")?,
        tenant: query.id("tenant_id")?,
        action: query.parsed("action")?,
        target: query.text("target").map(str::to_owned),
        outcome: query.parsed("outcome")?,
        since: query.time("since")?,
        until: query.time("until")?,
    })
}
