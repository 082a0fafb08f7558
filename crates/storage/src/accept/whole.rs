//! Accepting all of several emails or none.

use super::request::Request;
use super::statement::Row;
use super::{Acceptance, Accepted, ROUNDS, Verdict, verdict};
use crate::{Error, Store};

/// Why none of several emails was accepted.
#[derive(Debug)]
pub struct NoneAccepted {
    /// Which of them cannot be, from 0; `None`: it is none's fault.
    pub index: Option<usize>,
    /// Why.
    pub error: Error,
}

impl From<Error> for NoneAccepted {
    fn from(error: Error) -> Self {
        Self { index: None, error }
    }
}

impl Store {
    /// Accepts all of these emails in one commit, or none. Where all of them were accepted before under their idempotency keys, that is told.
    ///
    /// # Errors
    ///
    /// The first email that cannot be accepted and why, as [`email_accept`](Self::email_accept) has it; otherwise where the database cannot.
    pub async fn email_accept_all(&self, acceptances: Vec<Acceptance>) -> Result<Vec<Accepted>, NoneAccepted> {
        for _ in 0..ROUNDS {
            let verdicts: Vec<Verdict> = self.write_all(&acceptances).await?.into_iter().map(verdict).collect();
            if let Some(accepted) = self.told_of_all(&acceptances, verdicts).await? {
                return Ok(accepted);
            }
        }
        Err(Error::IdempotencyInFlight.into())
    }

    /// What was accepted, now or before; `None`: what stood under their keys has gone meanwhile.
    async fn told_of_all(&self, acceptances: &[Acceptance], mut verdicts: Vec<Verdict>) -> Result<Option<Vec<Accepted>>, NoneAccepted> {
        if verdicts.iter().any(|verdict| matches!(verdict, Verdict::Lost | Verdict::Unless(_))) {
            let winners = self.winners(acceptances.iter()).await?;
            let mut is_gone = false;
            for (acceptance, verdict) in acceptances.iter().zip(&mut verdicts) {
                let found = winners.of(acceptance);
                // What was not written for another's sake has nothing under its key either.
                is_gone |= found.is_none() && matches!(verdict, Verdict::Told(Ok(_)) | Verdict::Lost);
                verdict.resolve(found);
            }
            if is_gone && !verdicts.iter().any(|verdict| matches!(verdict, Verdict::Told(Err(_)))) {
                return Ok(None);
            }
        }
        let told = verdicts.into_iter().map(Verdict::into_told).enumerate();
        let told = told.map(|(index, told)| told.map_err(|error| NoneAccepted { index: Some(index), error }));
        told.collect::<Result<_, _>>().map(Some)
    }

    /// Writes them, or tells why it does not, in which case those that were not in the way seem to be accepted.
    async fn write_all(&self, acceptances: &[Acceptance]) -> Result<Vec<Row>, Error> {
        let (insert, request) = (self.insert_of(acceptances.iter())?, Request::of(acceptances.iter()));
        let rows = self.write_request(request.as_ref(), &insert, all_accepted).await?;
        if all_accepted(&rows) {
            self.email_counts.accepted.add(rows.len());
            self.wake.accepted();
            self.webhook_wake.happened(acceptances.iter().map(|acceptance| acceptance.consented.tenant().as_uuid()));
        }
        Ok(rows)
    }
}

fn all_accepted(rows: &[Row]) -> bool {
    rows.iter().all(|row| row.created_at.is_some())
}
