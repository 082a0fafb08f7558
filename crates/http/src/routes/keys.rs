//! API keys.

use selfmx_app::{App, KeyList, RevokedKeys};
use selfmx_auth::{Permit, Principal, needs};
use selfmx_domain::{ApiKeyId, Problem};
use selfmx_wire::{
    CreateKey, EmailsLeft, KeyCreated, KeyRevoked, KeyView, LimitsLeft, List, Me, RateLeft, RequestError, RotateKey, UpdateKey,
};

use crate::{Answer, Call, Failure, Query, Reply};

/// The query parameters of [`list`].
pub(crate) const LIST: &[&str] = &["limit", "after", "include"];

/// `POST /v1/api-keys`.
pub(crate) async fn create(permit: Permit<needs::ApiKeysWrite>, mut call: Call<App>) -> Answer {
    let wanted = call.read(CreateKey::read).await?;
    let created = call.state().key_create(&permit, wanted.into()).await?;
    Reply::created(&KeyCreated::new(&created.key, &created.secret))
}

/// `GET /v1/api-keys`.
pub(crate) async fn list(permit: Permit<needs::ApiKeysRead>, call: Call<App>) -> Answer {
    let list = KeyList { revoked: revoked(call.query())?, page: call.query().page()? };
    let page = call.state().key_list(&permit, list).await?;
    Reply::ok(&List::<KeyView<'_>>::new(&page, |key| key.id.to_string()))
}

/// `GET /v1/api-keys/me`: who asks, and what is left of its limits.
pub(crate) async fn me(principal: Principal, call: Call<App>) -> Answer {
    let rate = call.state().standing(&principal).map(|standing| RateLeft {
        requests: standing.limit,
        remaining: standing.remaining,
        reset: call.state().clock().now() + standing.whole_in,
    });
    let emails = call.state().quota_left(&principal).await?.map(|standing| EmailsLeft {
        per_day: standing.limit,
        remaining: standing.limit.saturating_sub(standing.used),
        reset: standing.resets_at,
    });
    Reply::ok(&Me::new(principal.key(), principal.tenant().id, LimitsLeft { rate, emails }))
}

/// `GET /v1/api-keys/{id}`.
pub(crate) async fn find(permit: Permit<needs::ApiKeysRead>, call: Call<App>) -> Answer {
    let key = call.state().key_find(&permit, call.id()?).await?;
    Reply::ok(&KeyView::from(&key))
}

/// `PATCH /v1/api-keys/{id}`.
pub(crate) async fn update(permit: Permit<needs::ApiKeysWrite>, mut call: Call<App>) -> Answer {
    let id = call.id()?;
    call.state().key_expect(&permit, id).await?;
    let change = call.read(UpdateKey::read).await?;
    let key = call.state().key_update(&permit, id, change.into()).await?;
    Reply::ok(&KeyView::from(&key))
}

/// `POST /v1/api-keys/{id}/rotate`.
pub(crate) async fn rotate(permit: Permit<needs::ApiKeysWrite>, mut call: Call<App>) -> Answer {
    let id = call.id()?;
    call.state().key_expect(&permit, id).await?;
    let request = call.read(RotateKey::read).await?;
    let rotated = call.state().key_rotate(&permit, id, request.grace).await?;
    Reply::created(&KeyCreated::new(&rotated.key, &rotated.secret))
}

/// `DELETE /v1/api-keys/{id}`.
pub(crate) async fn revoke(permit: Permit<needs::ApiKeysWrite>, call: Call<App>) -> Answer {
    let id: ApiKeyId = call.id()?;
    call.state().key_revoke(&permit, id).await?;
    Reply::ok(&KeyRevoked::new(id))
}

fn revoked(query: &Query) -> Result<RevokedKeys, Failure> {
    match query.text("include") {
        None => Ok(RevokedKeys::Hidden),
        Some("revoked") => Ok(RevokedKeys::Included),
        Some(_) => Err(RequestError::from(Problem::NotOneOf("`revoked`").at("include")).into()),
    }
}
