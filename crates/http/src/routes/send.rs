//! Sending.

use hyper::header::{HeaderName, HeaderValue};
use selfmx_app::App;
use selfmx_auth::{Permit, needs};
use selfmx_domain::Idempotency;
use selfmx_wire::{EmailAccepted, SendEmail};

use crate::{Answer, Call, Reply, idempotency};

/// Tells an answer that was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// `POST /v1/send`.
pub(crate) async fn send(permit: Permit<needs::Send>, mut call: Call<App>) -> Answer {
    let (request, idempotency) = match idempotency::key(call.headers())? {
        None => (call.read(SendEmail::read).await?, None),
        Some(key) => {
            let (request, fingerprint) = call.read(SendEmail::read_with_fingerprint).await?;
            (request, Some(Idempotency { key, fingerprint }))
        }
    };
    let draft = request.into_draft(call.state().limits(), &permit.tenant_then().profile.defaults)?;
    let accepted = call.state().email_send(&permit, draft, idempotency).await?;
    let reply = Reply::accepted(&EmailAccepted::new(accepted.id, accepted.status(), accepted.created_at, accepted.scheduled_at))?;
    Ok(if accepted.repeated { reply.with(REPLAYED, HeaderValue::from_static("true")) } else { reply })
}
