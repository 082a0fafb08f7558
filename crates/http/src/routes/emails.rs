//! Emails as they are read back, canceled and rescheduled.

use selfmx_app::{App, RecalledEmail};
use selfmx_auth::{Permit, needs};
use selfmx_domain::{EmailFilter, PageStart, Tag};
use selfmx_wire::{EmailAccepted, EmailSummaryView, EmailView, List, Pagination, RescheduleEmail};

use crate::{Answer, Call, Failure, Query, Reply};

/// The query parameters of [`list`].
pub(crate) const LIST: &[&str] = &["limit", "after", "page", "status", "from", "to", "tag", "since", "until"];

/// `GET /v1/emails`.
pub(crate) async fn list(permit: Permit<needs::LogsRead>, call: Call<App>) -> Answer {
    let request = call.query().page_or_first()?;
    let page = call.state().email_list(&permit, filter(call.query())?, request).await?;
    let list = List::<EmailSummaryView<'_>>::new(&page, |email| email.id.to_string());
    match (request.start, page.total) {
        (PageStart::Number(number), Some(total)) => Reply::ok(&list.with_pagination(Pagination::new(number, request.limit.rows(), total))),
        _ => Reply::ok(&list),
    }
}

/// `GET /v1/emails/{id}`.
pub(crate) async fn find(permit: Permit<needs::LogsRead>, call: Call<App>) -> Answer {
    let email = call.state().email_find(&permit, call.id()?).await?;
    Reply::ok(&EmailView::from(&email))
}

/// `GET /v1/emails/{id}/raw`: the message as it was sent (RFC 5322).
pub(crate) async fn raw(permit: Permit<needs::LogsRead>, call: Call<App>) -> Answer {
    let message = call.state().email_raw(&permit, call.id()?).await?;
    Ok(Reply::octets("message/rfc822", message))
}

/// `PATCH /v1/emails/{id}`: when it is to be sent instead.
pub(crate) async fn reschedule(permit: Permit<needs::Send>, mut call: Call<App>) -> Answer {
    let id = call.id()?;
    // Before the body is looked at: what is not there answers so, whatever the body.
    call.state().email_expect(&permit, id).await?;
    let request = call.read(RescheduleEmail::read).await?;
    answer(&call.state().email_reschedule(&permit, id, request.scheduled_at).await?)
}

/// `POST /v1/emails/{id}/cancel`.
pub(crate) async fn cancel(permit: Permit<needs::Send>, call: Call<App>) -> Answer {
    answer(&call.state().email_cancel(&permit, call.id()?).await?)
}

/// Whoever may send need not be one who may read: no more than the answer to sending told.
fn answer(email: &RecalledEmail) -> Answer {
    Reply::ok(&EmailAccepted::new(email.id, email.status, email.created_at, email.scheduled_at))
}

fn filter(query: &Query) -> Result<EmailFilter, Failure> {
    Ok(EmailFilter {
        status: query.parsed("status")?,
        from: query.parsed("from")?,
        to: query.parsed("to")?,
        tag: query.parsed::<Tag>("tag")?.map(|tag| tag.name().to_owned()),
        since: query.time("since")?,
        until: query.time("until")?,
    })
}
