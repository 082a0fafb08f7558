//! The log.

use selfmx_app::App;
use selfmx_auth::{Permit, needs};
use selfmx_domain::LogFilter;
use selfmx_wire::{List, LogView};

use crate::{Answer, Call, Failure, Query, Reply};

/// The query parameters of [`list`].
pub(crate) const LIST: &[&str] = &["limit", "after", "email_id", "api_key_id", "event", "to", "since", "until"];

/// `GET /v1/logs`.
pub(crate) async fn list(permit: Permit<needs::LogsRead>, call: Call<App>) -> Answer {
    let request = call.query().page_or_first()?;
    let log = call.state().log_list(&permit, filter(call.query())?, request).await?;
    let next = log.next.map(|id| id.to_string());
    Reply::ok(&List::<LogView<'_>>::new(&log.page, |entry| entry.id.to_string()).with_cursor(next))
}

fn filter(query: &Query) -> Result<LogFilter, Failure> {
    Ok(LogFilter {
        email: query.id("email_id")?,
        api_key: query.id("api_key_id")?,
        event: query.parsed("event")?,
        to: query.parsed("to")?,
        since: query.time("since")?,
        until: query.time("until")?,
    })
}
