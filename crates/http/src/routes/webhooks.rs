//! Webhooks.

use hyper::header::{CACHE_CONTROL, HeaderValue};
use selfmx_app::{App, WebhookMade, WebhookWanted};
use selfmx_auth::{Permit, needs};
use selfmx_domain::WebhookId;
use selfmx_wire::{
    DeliveryQueued, DeliveryView, List, RotateWebhookSecret, UpdateWebhook, WebhookDeleted, WebhookSecretShown, WebhookView, WriteWebhook,
};

use crate::{Answer, Call, Failure, Reply};

/// The query parameters of [`list`] and [`deliveries`].
pub(crate) const LIST: &[&str] = &["limit", "after"];

/// `POST /v1/webhooks`.
pub(crate) async fn create(permit: Permit<needs::WebhooksWrite>, mut call: Call<App>) -> Answer {
    let WriteWebhook { url, events, secret, active } = call.read(WriteWebhook::read).await?;
    let made = call.state().webhook_create(&permit, WebhookWanted { url, events, secret, active }).await?;
    Ok(unkept(Reply::created(&shown(&made))?))
}

/// `GET /v1/webhooks`.
pub(crate) async fn list(permit: Permit<needs::WebhooksRead>, call: Call<App>) -> Answer {
    let page = call.state().webhook_list(&permit, call.query().page_or_first()?).await?;
    Reply::ok(&List::<WebhookView<'_>>::new(&page, |webhook| webhook.id.to_string()))
}

/// `GET /v1/webhooks/{id}`.
pub(crate) async fn find(permit: Permit<needs::WebhooksRead>, call: Call<App>) -> Answer {
    let webhook = call.state().webhook_find(&permit, call.id()?).await?;
    Reply::ok(&WebhookView::from(&webhook))
}

/// `PUT /v1/webhooks/{id}`: all but the secret, which stays unless another is given.
pub(crate) async fn replace(permit: Permit<needs::WebhooksWrite>, mut call: Call<App>) -> Answer {
    let id = there(&permit, &call).await?;
    let request = call.read(WriteWebhook::read).await?;
    let webhook = call.state().webhook_update(&permit, id, request.into()).await?;
    Reply::ok(&WebhookView::from(&webhook))
}

/// `PATCH /v1/webhooks/{id}`: what is not said stays.
pub(crate) async fn update(permit: Permit<needs::WebhooksWrite>, mut call: Call<App>) -> Answer {
    let id = there(&permit, &call).await?;
    let request = call.read(UpdateWebhook::read).await?;
    let webhook = call.state().webhook_update(&permit, id, request.into()).await?;
    Reply::ok(&WebhookView::from(&webhook))
}

/// `DELETE /v1/webhooks/{id}`.
pub(crate) async fn delete(permit: Permit<needs::WebhooksWrite>, call: Call<App>) -> Answer {
    let id = call.id()?;
    call.state().webhook_delete(&permit, id).await?;
    Reply::ok(&WebhookDeleted::new(id))
}

/// `POST /v1/webhooks/{id}/rotate-secret`.
pub(crate) async fn rotate(permit: Permit<needs::WebhooksWrite>, mut call: Call<App>) -> Answer {
    let id = there(&permit, &call).await?;
    let request = call.read(RotateWebhookSecret::read).await?;
    let made = call.state().webhook_rotate(&permit, id, request.grace).await?;
    Ok(unkept(Reply::ok(&shown(&made))?))
}

/// `POST /v1/webhooks/{id}/test`.
pub(crate) async fn test(permit: Permit<needs::WebhooksWrite>, call: Call<App>) -> Answer {
    let delivery = call.state().webhook_test(&permit, call.id()?).await?;
    Reply::accepted(&DeliveryQueued::new(delivery))
}

/// `GET /v1/webhooks/{id}/logs`.
pub(crate) async fn deliveries(permit: Permit<needs::WebhooksRead>, call: Call<App>) -> Answer {
    let page = call.state().webhook_deliveries(&permit, call.id()?, call.query().page_or_first()?).await?;
    Reply::ok(&List::<DeliveryView<'_>>::new(&page, |delivery| delivery.id.to_string()))
}

/// `POST /v1/webhooks/{id}/deliveries/{delivery_id}/replay`.
pub(crate) async fn replay(permit: Permit<needs::WebhooksWrite>, call: Call<App>) -> Answer {
    let delivery = call.state().webhook_replay(&permit, call.id()?, call.delivery_id()?).await?;
    Reply::accepted(&DeliveryQueued::new(delivery))
}

fn shown(made: &WebhookMade) -> WebhookSecretShown<'_> {
    WebhookSecretShown::new(&made.webhook, &made.secret)
}

/// An answer that shows a secret.
fn unkept(reply: Reply) -> Reply {
    reply.with(CACHE_CONTROL, HeaderValue::from_static("no-store"))
}

/// The webhook in the path, before the body is looked at: what is not there answers so, whatever the body.
async fn there(permit: &Permit<needs::WebhooksWrite>, call: &Call<App>) -> Result<WebhookId, Failure> {
    let id = call.id()?;
    call.state().webhook_is_there(permit, id).await?;
    Ok(id)
}
