//! Sending several emails at once.

use selfmx_app::{App, NoneSent};
use selfmx_auth::{Permit, needs};
use selfmx_domain::Idempotency;
use selfmx_wire::{BatchAccepted, BatchMode, SendBatch, batch_field};

use super::send::{accepted, asked, replayed};
use crate::{Answer, Call, Failure, Reply, idempotency};

/// The query parameters of [`send`].
pub(crate) const SEND: &[&str] = &["mode"];

/// `POST /v1/send/batch`.
pub(crate) async fn send(permit: Permit<needs::Send>, mut call: Call<App>) -> Answer {
    let mode = call.query().parsed("mode")?.unwrap_or_default();
    let (request, idempotency) = match idempotency::key(call.headers())? {
        None => (call.read(SendBatch::read).await?, None),
        Some(key) => {
            let read = if mode == BatchMode::Strict { SendBatch::read_strict } else { SendBatch::read_permissive };
            let (request, fingerprint) = call.read(read).await?;
            (request, Some(Idempotency { key, fingerprint, part: Idempotency::WHOLE }))
        }
    };
    match mode {
        BatchMode::Strict => all(&permit, &call, request, idempotency).await,
        BatchMode::Permissive => each(&permit, &call, request, idempotency).await,
    }
}

async fn all(permit: &Permit<needs::Send>, call: &Call<App>, request: SendBatch, idempotency: Option<Idempotency>) -> Answer {
    let emails = request.emails.into_iter().map(|email| email.map(asked)).collect::<Result<_, _>>()?;
    let sent = call.state().emails_send_all(permit, emails, idempotency).await.map_err(none)?;
    let mut told = BatchAccepted::in_mode(BatchMode::Strict);
    sent.iter().enumerate().for_each(|(index, email)| told.accept(index, accepted(email)));
    Ok(replayed(Reply::accepted(&told)?, sent.iter().all(|email| email.repeated)))
}

async fn each(permit: &Permit<needs::Send>, call: &Call<App>, request: SendBatch, idempotency: Option<Idempotency>) -> Answer {
    let (mut emails, mut failures) = (Vec::new(), Vec::new());
    for (index, email) in request.emails.into_iter().enumerate() {
        match email {
            Ok(email) => emails.push((index, asked(email))),
            Err(error) => failures.push((index, Failure::from(error))),
        }
    }
    let (mut told, mut repeated) = (BatchAccepted::in_mode(BatchMode::Permissive), Vec::new());
    for (index, sent) in call.state().emails_send_each(permit, emails, idempotency).await? {
        match sent {
            Ok(email) => {
                repeated.push(email.repeated);
                told.accept(index, accepted(&email));
            }
            Err(error) => failures.push((index, Failure::of_batch(index, error.into()))),
        }
    }
    failures.sort_by_key(|(index, _)| *index);
    for (index, failure) in failures {
        let field = failure.field().map_or_else(|| batch_field(index, None), str::to_owned);
        told.refuse(index, failure.code(), failure.to_string(), field);
    }
    Ok(replayed(Reply::accepted(&told)?, !repeated.is_empty() && repeated.iter().all(|repeated| *repeated)))
}

fn none(none: NoneSent) -> Failure {
    let failure = none.error.into();
    match none.index {
        Some(index) => Failure::of_batch(index, failure),
        None => failure,
    }
}
