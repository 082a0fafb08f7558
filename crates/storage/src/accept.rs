//! Accepting emails: whether they may be sent is decided, and all of them is written, by one statement, which is one commit.

mod gather;
mod insert;
mod repeat;
mod request;
mod statement;
mod whole;

use std::time::Duration;

use selfmx_auth::{Consented, Denied};
use selfmx_domain::{EmailId, EmailStatus, EventId, Idempotency, Problem};
use time::OffsetDateTime;

pub(crate) use self::gather::Gatherer;
use self::insert::Insert;
use self::repeat::{Look, Winners};
use self::request::Request;
use self::statement::Row;
pub use self::whole::NoneAccepted;
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
    /// When it is to be sent, where that was still to come; `None`: at once.
    pub scheduled_at: Option<OffsetDateTime>,
    /// Whether it had been accepted before, by the request that this one repeats.
    pub repeated: bool,
}

impl Accepted {
    /// What its status was then.
    #[must_use]
    pub const fn status(&self) -> EmailStatus {
        if self.scheduled_at.is_some() { EmailStatus::Scheduled } else { EmailStatus::Queued }
    }
}

/// What has become of an email.
enum Verdict {
    /// This.
    Told(Result<Accepted, Error>),
    /// This, unless it repeats something: what was right when it was accepted may not be any more.
    Unless(Error),
    /// Its idempotency key is another request's.
    Lost,
}

impl Store {
    /// Accepts an email, in one commit with those that come at the same time: its row, its message, its recipients, its work, its first event and its
    /// idempotency key are committed before this returns.
    ///
    /// Whether its tenant may send is asked of the database in the same statement: what was known when the key was recognised does not count.
    ///
    /// Where an email of the same tenant and mode was accepted within 24 hours under the same idempotency key, nothing is written, and that one is told,
    /// whatever is left of a quota. Of those that are accepted at the same time, on whichever nodes, one is written; the others wait for its commit.
    ///
    /// # Errors
    ///
    /// Where the tenant may not send: [`Error::NoSuchTenant`] where it is deleted, [`Denied::Suspended`], [`Error::QuotaExceeded`]. Where the idempotency
    /// key was used for something else: [`Error::IdempotencyConflict`]. Where the time that it is scheduled for is past or too far ahead:
    /// [`Error::Invalid`]. Where too many wait already: [`Error::Full`]. Otherwise where the database cannot. In each case nothing was accepted and the key
    /// is not used, unless the connection broke during the commit: that is not known to anybody.
    ///
    /// A call that is abandoned is finished all the same.
    pub async fn email_accept(&self, acceptance: Acceptance) -> Result<Accepted, Error> {
        self.accept_gathered(acceptance).await
    }

    /// Accepts as many of these emails as may be sent, in one commit, and tells in their order what has become of each. Where a tenant's quota suffices
    /// for some of its emails, those are the first; of several with the same idempotency key it is the first.
    ///
    /// # Errors
    ///
    /// [`Error::IdempotencyConflict`] where they are one request's, whose idempotency key is another's; otherwise where the database cannot. Then none was accepted. Why one of them may not be sent is told in its place, as [`email_accept`](Self::email_accept)
    /// has it.
    pub async fn email_accept_each(&self, acceptances: Vec<Acceptance>) -> Result<Vec<Result<Accepted, Error>>, Error> {
        self.accept_each(&acceptances.iter().collect::<Vec<_>>()).await
    }

    async fn accept_each(&self, all: &[&Acceptance]) -> Result<Vec<Result<Accepted, Error>>, Error> {
        let mut verdicts = self.accept_once(all).await?;
        for _ in 0..ROUNDS {
            let open: Vec<_> = all.iter().copied().zip(&mut verdicts).filter(|(_, verdict)| !matches!(verdict, Verdict::Told(_))).collect();
            if open.is_empty() {
                break;
            }
            self.accept_again(open).await;
        }
        Ok(verdicts.into_iter().map(Verdict::into_told).collect())
    }

    /// Tells of each what was accepted under its idempotency key; where nothing is any more, it is tried again.
    async fn accept_again(&self, mut open: Vec<(&Acceptance, &mut Verdict)>) {
        // What was accepted by now stays so: a failure is of those alone that are not.
        match self.winners(open.iter().map(|(acceptance, _)| *acceptance)).await {
            Ok(winners) => open.iter_mut().for_each(|(acceptance, verdict)| verdict.resolve(winners.of(acceptance))),
            Err(error) => open.iter_mut().for_each(|(_, verdict)| **verdict = Verdict::Told(Err(unknown(&error)))),
        }
        open.retain(|(_, verdict)| matches!(verdict, Verdict::Lost));
        if open.is_empty() {
            return;
        }
        let free: Vec<_> = open.iter().map(|(acceptance, _)| *acceptance).collect();
        match self.accept_once(&free).await {
            Ok(tried) => open.into_iter().zip(tried).for_each(|((_, verdict), tried)| *verdict = tried),
            Err(error) => open.into_iter().for_each(|(_, verdict)| *verdict = Verdict::Told(Err(unknown(&error)))),
        }
    }

    /// What was accepted under the idempotency keys of these.
    async fn winners<'a>(&self, acceptances: impl Iterator<Item = &'a Acceptance>) -> Result<Winners, Error> {
        let look = Look::of(acceptances);
        if look.is_empty() {
            return Ok(Winners::default());
        }
        let rows = read!(self, connection => look.rows(connection).await).await?;
        Ok(Winners::new(rows))
    }

    fn insert_of<'a>(&self, acceptances: impl Iterator<Item = &'a Acceptance>) -> Result<Insert<'a>, Error> {
        let mut insert = Insert::default();
        for acceptance in acceptances {
            insert.push(acceptance, || EventId::generate(&*self.clock, &*self.entropy))?;
        }
        Ok(insert)
    }

    /// One commit: of one statement, unless they are one request's.
    async fn accept_once(&self, acceptances: &[&Acceptance]) -> Result<Vec<Verdict>, Error> {
        let insert = self.insert_of(acceptances.iter().copied())?;
        let rows = match Request::of(acceptances.iter().copied()) {
            // All rows are fetched: an error while committing comes after the last of them.
            None => change!(self, connection => insert.write(connection).await).await?,
            request => self.write_request(request.as_ref(), &insert, some_accepted).await?,
        };
        let verdicts: Vec<_> = rows.into_iter().map(verdict).collect();
        let accepted = verdicts.iter().filter(|verdict| matches!(verdict, Verdict::Told(Ok(_)))).count();
        if accepted > 0 {
            self.email_counts.accepted.add(accepted);
            self.wake.accepted();
            self.webhook_wake.happened(acceptances.iter().map(|acceptance| acceptance.consented.tenant().as_uuid()));
        }
        Ok(verdicts)
    }
}

impl Verdict {
    /// By what was found under the idempotency key.
    fn resolve(&mut self, found: Option<Result<Accepted, Error>>) {
        *self = match (std::mem::replace(self, Self::Lost), found) {
            (_, Some(found)) => Self::Told(found),
            (Self::Unless(error), None) => Self::Told(Err(error)),
            (verdict, None) => verdict,
        };
    }

    fn into_told(self) -> Result<Accepted, Error> {
        match self {
            Self::Told(told) => told,
            Self::Unless(error) => Err(error),
            Self::Lost => Err(Error::IdempotencyInFlight),
        }
    }
}

/// Under the key of a request of whose emails none is accepted, nothing is kept.
fn some_accepted(rows: &[Row]) -> bool {
    rows.iter().any(|row| row.created_at.is_some())
}

/// Of several, each needs an error of its own.
fn unknown(error: &Error) -> Error {
    if matches!(error, Error::IdempotencyConflict) {
        return Error::IdempotencyConflict;
    }
    Error::Unavailable(format!("what was accepted under an idempotency key cannot be told: {error}"))
}

fn verdict(row: Row) -> Verdict {
    if let Some(created_at) = row.created_at {
        let (id, scheduled_at) = (EmailId::from_uuid(row.id), row.scheduled_at);
        return Verdict::Told(Ok(Accepted { id, created_at, scheduled_at, repeated: false }));
    }
    let refusal = match row.status.as_deref() {
        None | Some("deleted") => Error::NoSuchTenant,
        Some("suspended") => Denied::Suspended.into(),
        Some(ACTIVE) if row.lost => return Verdict::Lost,
        Some(ACTIVE) if row.untimely.as_deref() == Some("past") => return Verdict::Unless(Problem::Past.at("scheduled_at").into()),
        Some(ACTIVE) if row.untimely.is_some() => return Verdict::Unless(Problem::TooFarAhead.at("scheduled_at").into()),
        // Whoever waited for the counter until the next day may try again at once.
        Some(ACTIVE) => Error::QuotaExceeded { retry_after: Duration::try_from_secs_f64(row.until_tomorrow).unwrap_or_default() },
        Some(_) => Error::Unreadable("tenants.status"),
    };
    Verdict::Told(Err(refusal))
}
