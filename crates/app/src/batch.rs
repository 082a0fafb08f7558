//! Sending several emails at once: all of them or none, or as many as may be sent.

use selfmx_auth::{Permit, needs};
use selfmx_domain::Idempotency;
use selfmx_storage::Acceptance;

use crate::made::Named;
use crate::send::{AcceptedEmail, Prepared, broken, refused};
use crate::{App, EmailRequest, Error};

/// Why none of a batch was accepted.
#[derive(Debug)]
pub struct NoneSent {
    /// Which email is the reason, from 0; `None`: it is none's fault.
    pub index: Option<usize>,
    /// Why.
    pub error: Error,
}

impl From<Error> for NoneSent {
    fn from(error: Error) -> Self {
        Self { index: None, error }
    }
}

impl App {
    /// Accepts all of these emails, in one commit, or none. What repeats an earlier request is told what that one accepted.
    ///
    /// # Errors
    ///
    /// The first email that cannot be accepted and why, as [`email_send`](Self::email_send) has it; otherwise where the store cannot.
    pub async fn emails_send_all(
        &self,
        permit: &Permit<needs::Send>,
        requests: Vec<EmailRequest>,
        idempotency: Option<Idempotency>,
    ) -> Result<Vec<AcceptedEmail>, NoneSent> {
        let (mut prepared, mut named) = (Vec::new(), Named::default());
        for (index, request) in requests.into_iter().enumerate() {
            let ready = self.prepared_part(permit, index, request, idempotency.as_ref(), &mut named).await;
            prepared.push(ready.map_err(|error| NoneSent { index: Some(index), error })?);
        }
        let acceptances = composed(prepared).await?;
        let accepted = self.store.email_accept_all(acceptances).await;
        accepted.map_err(|none| NoneSent { index: none.index, error: refused(none.error, permit) })
    }

    /// Accepts as many of these emails as may be sent, in one commit, and tells of each, by its place in the request, what has become of it.
    ///
    /// # Errors
    ///
    /// [`Error::IdempotencyConflict`] where the idempotency key was used for another request; otherwise where the store cannot. Then none was accepted.
    pub async fn emails_send_each(
        &self,
        permit: &Permit<needs::Send>,
        requests: Vec<(usize, EmailRequest)>,
        idempotency: Option<Idempotency>,
    ) -> Result<Vec<(usize, Result<AcceptedEmail, Error>)>, Error> {
        let (mut told, mut places, mut prepared) = (Vec::new(), Vec::new(), Vec::new());
        let mut named = Named::default();
        for (index, request) in requests {
            match self.prepared_part(permit, index, request, idempotency.as_ref(), &mut named).await {
                Ok(ready) => {
                    places.push(index);
                    prepared.push(ready);
                }
                Err(error) => told.push((index, Err(error))),
            }
        }
        let acceptances = composed(prepared).await?;
        let accepted = self.store.email_accept_each(acceptances).await.map_err(|error| refused(error, permit))?;
        told.extend(places.into_iter().zip(accepted).map(|(index, answer)| (index, answer.map_err(|error| refused(error, permit)))));
        told.sort_by_key(|(index, _)| *index);
        Ok(told)
    }

    /// Prepares one of the request's emails, whose idempotency key is a part of the request's.
    async fn prepared_part(
        &self,
        permit: &Permit<needs::Send>,
        index: usize,
        request: EmailRequest,
        whole: Option<&Idempotency>,
        named: &mut Named,
    ) -> Result<Prepared, Error> {
        let part = u16::try_from(index + 1).map_err(broken)?;
        let idempotency = whole.map(|whole| Idempotency { part, ..whole.clone() });
        self.prepared(permit, request, idempotency, named).await
    }
}

/// Composes all of them, on a thread of its own, so that no other request waits for it.
async fn composed(prepared: Vec<Prepared>) -> Result<Vec<Acceptance>, Error> {
    tokio::task::spawn_blocking(move || prepared.into_iter().map(Prepared::composed).collect()).await.map_err(broken)?
}
