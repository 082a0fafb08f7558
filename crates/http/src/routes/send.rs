//! Sending.

use selfmx_app::App;
use selfmx_auth::{Permit, needs};
use selfmx_wire::{EmailAccepted, SendEmail};

use crate::{Answer, Call, HeadFault, Reply};

const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// `POST /v1/send`.
pub(crate) async fn send(permit: Permit<needs::Send>, mut call: Call<App>) -> Answer {
    // To ignore it would be to promise what this version does not do.
    if call.headers().contains_key(IDEMPOTENCY_KEY) {
        return Err(HeadFault::IdempotencyKey.into());
    }
    let defaults = &permit.tenant_then().profile.defaults;
    let draft = call.read(SendEmail::read).await?.into_draft(call.state().limits(), defaults)?;
    let accepted = call.state().email_send(&permit, draft).await?;
    Reply::accepted(&EmailAccepted::new(accepted.id, accepted.created_at))
}
