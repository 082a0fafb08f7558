//! Sending.

use hyper::header::{HeaderName, HeaderValue};
use selfmx_app::{AcceptedEmail, App, EmailRequest};
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
            (request, Some(Idempotency { key, fingerprint, part: Idempotency::WHOLE }))
        }
    };
    let email = call.state().email_send(&permit, asked(request), idempotency).await?;
    Ok(replayed(Reply::accepted(&accepted(&email))?, email.repeated))
}

/// An email as it is asked for.
pub(super) fn asked(SendEmail { parts, template }: SendEmail) -> EmailRequest {
    EmailRequest { parts, template }
}

/// What is told of an email that was accepted.
pub(super) fn accepted(email: &AcceptedEmail) -> EmailAccepted {
    EmailAccepted::new(email.id, email.status(), email.created_at, email.scheduled_at)
}

/// The same answer, and whether it was given before.
pub(super) fn replayed(reply: Reply, is_replayed: bool) -> Reply {
    if is_replayed { reply.with(REPLAYED, HeaderValue::from_static("true")) } else { reply }
}
