//! Accepting emails: whether they may be sent is decided, and all of them is written, by one statement, which is one commit.

mod insert;

use std::time::Duration;

use diesel_async::RunQueryDsl;
use selfmx_auth::{Consented, Denied};
use selfmx_domain::{EmailId, EventId};
use time::OffsetDateTime;

use self::insert::{Counted, Insert, Row, Uncounted};
use crate::store::change;
use crate::{Error, Store};

/// The status of a tenant that may send.
const ACTIVE: &str = "active";

/// An email to accept: what was asked for and the message that was composed of it.
#[derive(Debug)]
pub struct Acceptance {
    /// Its id, which the message names.
    pub id: EmailId,
    /// What was asked for, and that its key may send it.
    pub consented: Consented,
    /// The RFC 5322 message, as it will be handed to the relay.
    pub message: Vec<u8>,
}

/// An email that was accepted: it survives whatever happens from now on.
#[derive(Clone, Copy, Debug)]
pub struct Accepted {
    /// Its id.
    pub id: EmailId,
    /// When, by the database's clock.
    pub created_at: OffsetDateTime,
}

impl Store {
    /// Accepts an email: its row, its message, its recipients, its work and its first event are committed together before this returns.
    ///
    /// Whether its tenant may send is asked of the database in the same statement: what was known when the key was recognised does not count.
    ///
    /// # Errors
    ///
    /// Where the tenant may not send: [`Error::NoSuchTenant`] where it is deleted, [`Denied::Suspended`], [`Error::QuotaExceeded`]. Otherwise where the
    /// database cannot. In each case nothing was accepted, unless the connection broke during the commit: that is not known to anybody.
    pub async fn email_accept(&self, acceptance: Acceptance) -> Result<Accepted, Error> {
        let verdicts = self.email_accept_each(vec![acceptance]).await?;
        verdicts.into_iter().next().unwrap_or(Err(Error::Unreadable("emails")))
    }

    /// Accepts as many of these emails as may be sent, in one commit, and tells in their order what has become of each. Where a tenant's quota suffices
    /// for some of its emails, those are the first.
    ///
    /// # Errors
    ///
    /// Where the database cannot; then none was accepted. Why one of them may not be sent is told in its place, as [`email_accept`](Self::email_accept)
    /// has it.
    pub async fn email_accept_each(&self, acceptances: Vec<Acceptance>) -> Result<Vec<Result<Accepted, Error>>, Error> {
        let mut insert = Insert::default();
        let limited = acceptances.iter().any(|acceptance| acceptance.consented.is_limited());
        for acceptance in acceptances {
            insert.push(acceptance, EventId::generate(&*self.clock, &*self.entropy))?;
        }
        // All rows are fetched: an error while committing comes after the last of them.
        let rows: Vec<Row> = change!(self, connection => {
            let rows = if limited { None } else { Some(Uncounted(&insert).get_results(connection).await?) };
            match rows.filter(|rows| !rows.iter().any(is_to_be_counted)) {
                Some(rows) => Ok(rows),
                None => Counted(&insert).get_results(connection).await,
            }
        })
        .await?;
        let verdicts: Vec<_> = rows.into_iter().map(verdict).collect();
        if verdicts.iter().any(Result::is_ok) {
            self.wake.accepted();
        }
        Ok(verdicts)
    }
}

/// Whether a tenant's mail was not accepted though it may send: it, or another of the statement, has a quota since its key was recognised.
fn is_to_be_counted((_, created_at, status, _): &Row) -> bool {
    created_at.is_none() && status.as_deref() == Some(ACTIVE)
}

fn verdict((id, created_at, status, until_tomorrow): Row) -> Result<Accepted, Error> {
    if let Some(created_at) = created_at {
        return Ok(Accepted { id: EmailId::from_uuid(id), created_at });
    }
    match status.as_deref() {
        None | Some("deleted") => Err(Error::NoSuchTenant),
        Some("suspended") => Err(Denied::Suspended.into()),
        // Whoever waited for the counter until the next day may try again at once.
        Some(ACTIVE) => Err(Error::QuotaExceeded { retry_after: Duration::try_from_secs_f64(until_tomorrow).unwrap_or_default() }),
        Some(_) => Err(Error::Unreadable("tenants.status")),
    }
}
