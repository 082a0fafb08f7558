//! Suppression lists.

use selfmx_app::App;
use selfmx_auth::{Permit, needs};
use selfmx_wire::{CreateSuppression, List, SuppressionDeleted, SuppressionView};

use crate::{Answer, Call, Reply};

/// The query parameters of [`list`].
pub(crate) const LIST: &[&str] = &["limit", "after", "reason"];

/// `POST /v1/suppressions`.
pub(crate) async fn create(permit: Permit<needs::SuppressionsWrite>, mut call: Call<App>) -> Answer {
    let wanted = call.read(CreateSuppression::read).await?;
    let made = call.state().suppression_create(&permit, &wanted.address, wanted.reason).await?;
    let view = SuppressionView::from(&made.suppression);
    if made.is_new { Reply::created(&view) } else { Reply::ok(&view) }
}

/// `GET /v1/suppressions`.
pub(crate) async fn list(permit: Permit<needs::SuppressionsRead>, call: Call<App>) -> Answer {
    let request = call.query().page_or_first()?;
    let page = call.state().suppression_list(&permit, call.query().parsed("reason")?, request).await?;
    Reply::ok(&List::<SuppressionView<'_>>::new(&page, |suppression| suppression.id.to_string()))
}

/// `GET /v1/suppressions/{address}`.
pub(crate) async fn find(permit: Permit<needs::SuppressionsRead>, call: Call<App>) -> Answer {
    let suppression = call.state().suppression_find(&permit, &call.address()?).await?;
    Reply::ok(&SuppressionView::from(&suppression))
}

/// `DELETE /v1/suppressions/{address}`.
pub(crate) async fn delete(permit: Permit<needs::SuppressionsWrite>, call: Call<App>) -> Answer {
    let address = call.address()?;
    call.state().suppression_delete(&permit, &address).await?;
    Reply::ok(&SuppressionDeleted::new(&address))
}
