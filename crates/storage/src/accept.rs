//! Accepting emails: whether they may be sent is decided, and all of them is written, by one statement, which is one commit.

mod insert;
mod repeat;
mod statement;

use std::time::Duration;

use selfmx_auth::{Consented, Denied};
use selfmx_domain::{EmailId, EventId, Idempotency};
use time::OffsetDateTime;

use self::insert::Insert;
use self::repeat::Winners;
use self::statement::Row;
use crate::store::{change, read};
use crate::{Error, Store};

/// The status of a tenant that may send.
const ACTIVE: &str = "active";

/// How often those are tried whose idempotency key was another request's, which then is not there any more.
const ROUNDS: usize = 3;

/// An email to accept: what was asked for and the message that was composed of it.
#[derive(Debug)]
pub struct Acceptance {
    /// Its id, which the message names.
    pub id: EmailId,
    /// What was asked for, and that its key may send it.
    pub consented: Consented,
    /// The RFC 5322 message, as it will be handed to the relay.
    pub message: Vec<u8>,
    /// By what a repetition of the request is recognised; `None`: by nothing.
    pub idempotency: Option<Idempotency>,
}

/// An email that was accepted: it survives whatever happens from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Its id.
    pub id: EmailId,
    /// When, by the database's clock.
    pub created_at: OffsetDateTime,
    /// Whether it had been accepted before, by the request that this one repeats.
    pub repeated: bool,
}

/// What has become of an email; `None`: its idempotency key is another request's.
type Verdict = Option<Result<Accepted, Error>>;

impl Store {
    /// Accepts an email: its row, its message, its recipients, its work, its first event and its idempotency key are committed together before this
    /// returns.
    ///
    /// Whether its tenant may send is asked of the database in the same statement: what was known when the key was recognised does not count.
    ///
    /// Where an email of the same tenant and mode was accepted within 24 hours under the same idempotency key, nothing is written, and that one is told,
    /// whatever is left of a quota. Of those that are accepted at the same time, on whichever nodes, one is written; the others wait for its commit.
    ///
    /// # Errors
    ///
    /// Where the tenant may not send: [`Error::NoSuchTenant`] where it is deleted, [`Denied::Suspended`], [`Error::QuotaExceeded`]. Where the idempotency
    /// key was used for something else: [`Error::IdempotencyConflict`]. Otherwise where the database cannot. In each case nothing was accepted and the key
    /// is not used, unless the connection broke during the commit: that is not known to anybody.
    pub async fn email_accept(&self, acceptance: Acceptance) -> Result<Accepted, Error> {
        let verdicts = self.email_accept_each(vec![acceptance]).await?;
        verdicts.into_iter().next().unwrap_or(Err(Error::Unreadable("emails")))
    }

    /// Accepts as many of these emails as may be sent, in one commit, and tells in their order what has become of each. Where a tenant's quota suffices
    /// for some of its emails, those are the first; of several with the same idempotency key it is the first.
    ///
    /// # Errors
    ///
    /// Where the database cannot; then none was accepted. Why one of them may not be sent is told in its place, as [`email_accept`](Self::email_accept)
    /// has it.
    pub async fn email_accept_each(&self, acceptances: Vec<Acceptance>) -> Result<Vec<Result<Accepted, Error>>, Error> {
        let all: Vec<&Acceptance> = acceptances.iter().collect();
        let mut verdicts = self.accept_once(&all).await?;
        for _ in 0..ROUNDS {
            let open = open(&acceptances, &verdicts);
            if open.is_empty() {
                break;
            }
            // What was accepted by now stays so: a failure is of those alone that are not.
            let told = self.accept_again(&open).await.unwrap_or_else(|error| open.iter().map(|_| Some(Err(unknown(&error)))).collect());
            verdicts.iter_mut().filter(|verdict| verdict.is_none()).zip(told).for_each(|(verdict, told)| *verdict = told);
        }
        Ok(verdicts.into_iter().map(|verdict| verdict.unwrap_or(Err(Error::IdempotencyInFlight))).collect())
    }

    /// Tells of each what was accepted under its idempotency key; where nothing is any more, it is tried again.
    async fn accept_again(&self, open: &[&Acceptance]) -> Result<Vec<Verdict>, Error> {
        let winners = self.winners(open).await?;
        let told: Vec<Verdict> = open.iter().map(|acceptance| winners.of(acceptance)).collect();
        let free: Vec<&Acceptance> = open.iter().zip(&told).filter(|(_, told)| told.is_none()).map(|(acceptance, _)| *acceptance).collect();
        if free.is_empty() {
            return Ok(told);
        }
        let mut tried = self.accept_once(&free).await?.into_iter();
        Ok(told.into_iter().map(|told| told.or_else(|| tried.next().flatten())).collect())
    }

    async fn winners(&self, open: &[&Acceptance]) -> Result<Winners, Error> {
        let look = repeat::Look::of(open);
        let rows = read!(self, connection => look.rows(connection).await).await?;
        Ok(Winners::new(rows))
    }

    /// One statement, one commit.
    async fn accept_once(&self, acceptances: &[&Acceptance]) -> Result<Vec<Verdict>, Error> {
        let mut insert = Insert::default();
        for acceptance in acceptances {
            insert.push(acceptance, || EventId::generate(&*self.clock, &*self.entropy))?;
        }
        // All rows are fetched: an error while committing comes after the last of them.
        let rows = change!(self, connection => insert.write(connection).await).await?;
        let verdicts: Vec<_> = rows.into_iter().map(verdict).collect();
        if verdicts.iter().flatten().any(Result::is_ok) {
            self.wake.accepted();
        }
        Ok(verdicts)
    }
}

fn open<'a>(acceptances: &'a [Acceptance], verdicts: &[Verdict]) -> Vec<&'a Acceptance> {
    acceptances.iter().zip(verdicts).filter(|(_, verdict)| verdict.is_none()).map(|(acceptance, _)| acceptance).collect()
}

/// Of several, each needs an error of its own.
fn unknown(error: &Error) -> Error {
    Error::Unavailable(format!("what was accepted under an idempotency key cannot be told: {error}"))
}

fn verdict(row: Row) -> Verdict {
    if let Some(created_at) = row.created_at {
        return Some(Ok(Accepted { id: EmailId::from_uuid(row.id), created_at, repeated: false }));
    }
    let refusal = match row.status.as_deref() {
        None | Some("deleted") => Error::NoSuchTenant,
        Some("suspended") => Denied::Suspended.into(),
        Some(ACTIVE) if row.lost => return None,
        // Whoever waited for the counter until the next day may try again at once.
        Some(ACTIVE) => Error::QuotaExceeded { retry_after: Duration::try_from_secs_f64(row.until_tomorrow).unwrap_or_default() },
        Some(_) => Error::Unreadable("tenants.status"),
    };
    Some(Err(refusal))
}
