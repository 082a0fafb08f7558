//! The queue: work is leased for a time, and the lease is renewed while it lasts.

use std::collections::HashSet;
use std::time::Duration;

use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryDsl, QueryResult};
use diesel_async::RunQueryDsl;
use selfmx_auth::System;
use selfmx_domain::{Address, EmailId, Mode, Queued, RecipientState, RetryPolicy, TenantId, TraceId};
use uuid::Uuid;

use crate::claim::{Claim, ClaimInTurn};
use crate::claim_rows::{Row, Unreadable, read_row};
use crate::fault::Fault;
use crate::lease::Lease;
use crate::schema::messages;
use crate::store::{change, read};
use crate::suspect::Suspicion;
use crate::tenant_relay::RelayVersion;
use crate::turns::{Look, Turn};
use crate::{Error, Store};

/// An email to hand over, with the recipients that still wait for it.
#[derive(Debug)]
pub struct Delivery {
    /// The email.
    pub email_id: EmailId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Whether it goes to a relay.
    pub mode: Mode,
    /// The envelope's sender (RFC 5321 section 4.1.1.2).
    pub sender: Address,
    /// Whether a header holds an address that only SMTPUTF8 can carry.
    pub smtputf8: bool,
    /// The trace that the request to send it belonged to.
    pub trace: Option<TraceId>,
    /// The relay of its tenant's own, where it has one.
    pub relay: Option<RelayVersion>,
    /// Those who wait.
    pub waiting: Vec<Waiting>,
    /// What has become of the others.
    pub finished: Vec<RecipientState>,
    /// Whether it may be what ended those who had it in hand before.
    pub suspicion: Suspicion,
    pub(crate) message: Option<Vec<u8>>,
}

/// A recipient who waits for an attempt.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// Its place among the email's recipients.
    pub ordinal: i16,
    /// Its address.
    pub address: Address,
    /// Its state.
    pub queued: Queued,
}

/// How often one call looks for work behind what had to be set aside.
const LOOKS: usize = 8;

impl Store {
    /// Leases up to `count` emails that are due. Leases run out `duration` from now, by the database's clock, and another worker may take the work. That
    /// of the tenants in `except` is passed over.
    ///
    /// Of each tenant's mail high priority comes first, first in first out within each. While all that is due fits into one claim, that is the order
    /// over all tenants; while it does not, tenants take turns, so that none waits for another's backlog.
    ///
    /// What a tenant has queued that is suspended or deleted is not leased: its turn passes, and it is [set aside](Self::queue_resume).
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn queue_lease(
        &self,
        _system: &System,
        count: u16,
        duration: Duration,
        except: &[TenantId],
    ) -> Result<Vec<Lease<Delivery>>, Error> {
        for _ in 0..LOOKS {
            let (look, rows) = self.claim(i64::from(count), millis(duration), except).await?;
            let (leased, set_aside): (Vec<_>, Vec<_>) = rows.into_iter().filter(|row| row.0.is_some()).partition(|row| row.1.is_some());
            if look == Look::NothingDue {
                return Ok(Vec::new());
            }
            if !set_aside.is_empty() {
                // There may be work behind what was set aside.
                self.work_suspected();
            }
            let leases = self.readable(leased).await;
            if !leases.is_empty() {
                return Ok(leases);
            }
            if !set_aside.is_empty() {
                self.queue_set_aside().await?;
            }
        }
        self.work_suspected();
        Ok(Vec::new())
    }

    /// What of the rows can be read. A row that cannot hurts no other: its attempt is over.
    async fn readable(&self, rows: Vec<Row>) -> Vec<Lease<Delivery>> {
        let mut leases = Vec::with_capacity(rows.len());
        for row in rows {
            match read_row(row) {
                Ok(lease) => leases.push(lease),
                Err(unreadable) => self.set_right(unreadable).await,
            }
        }
        leases
    }

    async fn set_right(&self, Unreadable { key, place }: Unreadable) {
        let email_id = EmailId::from_uuid(key.email);
        tracing::error!(%email_id, place, "a queued email cannot be read");
        if let Err(error) = self.fault(key, Fault::Unreadable(place), &RetryPolicy::default()).await {
            tracing::warn!(%email_id, error = %error, "its attempt could not be recorded: its lease runs out by itself");
        }
    }

    /// One claim, by whoever's turn it is.
    async fn claim(&self, count: i64, millis: i64, except: &[TenantId]) -> Result<(Look, Vec<Row>), Error> {
        let turn = self.turns.next(!except.is_empty());
        let rows: Vec<Row> = match turn {
            Turn::FirstIn => {
                let claim = Claim { count, millis };
                change!(self, connection => claim.get_results(connection).await).await?
            }
            Turn::After(after) => {
                let claim = ClaimInTurn { count, millis, after, except: except.iter().map(|tenant| tenant.as_uuid()).collect() };
                change!(self, connection => claim.get_results(connection).await).await?
            }
        };
        Ok((self.turns.heard(turn, count, &rows), rows))
    }

    /// Keeps leases for another `duration` from now. It tells whose: the others had run out and were taken by another worker.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn queue_renew(&self, _system: &System, leases: &[LeaseKey], duration: Duration) -> Result<HashSet<EmailId>, Error> {
        let renewal = Renewal { held: Held::of(leases.iter().copied()), millis: millis(duration) };
        let renewed: Vec<Uuid> = change!(self, connection => renewal.get_results(connection).await).await?;
        Ok(renewed.into_iter().map(EmailId::from_uuid).collect())
    }

    /// Gives work back that was not begun, so that another worker may take it at once.
    ///
    /// # Errors
    ///
    /// Where the database cannot; then the leases run out by themselves.
    pub async fn queue_release(&self, _system: &System, leases: Vec<Lease<Delivery>>) -> Result<(), Error> {
        let is_due = !leases.is_empty();
        self.give_back(leases, 0).await?;
        if is_due {
            self.wake.accepted();
        }
        Ok(())
    }

    pub(crate) async fn give_back(&self, leases: Vec<Lease<Delivery>>, millis: i64) -> Result<(), Error> {
        if leases.is_empty() {
            return Ok(());
        }
        let release = Release { held: Held::of(leases.iter().map(Lease::key)), millis };
        change!(self, connection => release.execute(connection).await).await.map(|_| ())
    }

    /// The message of a leased email: the RFC 5322 octets.
    ///
    /// # Errors
    ///
    /// Where the database cannot, or has no message for the email.
    pub async fn queue_message(&self, lease: &mut Lease<Delivery>) -> Result<Vec<u8>, Error> {
        if let Some(message) = lease.take_message() {
            return Ok(message);
        }
        let id = lease.work().email_id.as_uuid();
        let found: Option<Vec<u8>> =
            read!(self, connection => messages::table.find(id).select(messages::raw).first(connection).await.optional()).await?;
        found.ok_or(Error::Unreadable("messages"))
    }

    /// How many emails have something left to do, now or as soon as their tenant may send again.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn queue_depth(&self) -> Result<u64, Error> {
        let count: i64 = read!(self, connection => crate::schema::queue::table.count().get_result(connection).await).await?;
        u64::try_from(count).or(Err(Error::Unreadable("queue")))
    }
}

/// By what a lease is renewed while somebody else holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LeaseKey {
    email: Uuid,
    token: Uuid,
}

impl LeaseKey {
    pub(crate) const fn new(email: EmailId, token: Uuid) -> Self {
        Self { email: email.as_uuid(), token }
    }

    /// The email and the token.
    pub(crate) const fn parts(self) -> (Uuid, Uuid) {
        (self.email, self.token)
    }
}

impl Lease<Delivery> {
    /// By what the lease is renewed.
    #[must_use]
    pub const fn key(&self) -> LeaseKey {
        LeaseKey { email: self.work().email_id.as_uuid(), token: self.token() }
    }

    const fn take_message(&mut self) -> Option<Vec<u8>> {
        self.work_mut().message.take()
    }
}

pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[derive(QueryId)]
struct Renewal {
    held: Held,
    millis: i64,
}

impl Query for Renewal {
    type SqlType = SqlUuid;
}

impl<C> diesel::RunQueryDsl<C> for Renewal {}

impl QueryFragment<Pg> for Renewal {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.held.walk_ast(out.reborrow())?;
        out.push_sql(" UPDATE queue SET due_at = now() + ");
        out.push_bind_param::<BigInt, _>(&self.millis)?;
        out.push_sql(" * interval '1 millisecond' WHERE email_id = ANY(ARRAY(SELECT email_id FROM mine)) RETURNING email_id");
        Ok(())
    }
}

#[derive(QueryId)]
struct Release {
    held: Held,
    millis: i64,
}

impl<C> diesel::RunQueryDsl<C> for Release {}

impl QueryFragment<Pg> for Release {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.held.walk_ast(out.reborrow())?;
        out.push_sql(" UPDATE queue SET lease_token = NULL, unsettled = greatest(unsettled - 1, 0), due_at = now() + ");
        out.push_bind_param::<BigInt, _>(&self.millis)?;
        out.push_sql(" * interval '1 millisecond' WHERE email_id = ANY(ARRAY(SELECT email_id FROM mine))");
        Ok(())
    }
}

/// `mine`: those of the leases that are still ours. Whoever changes several rows of the queue first locks them in the order of their ids, so that
/// no two wait for each other; and names them by an array, which leaves the planner nothing but the primary key, however small the
/// table was when the plan was made.
#[derive(QueryId)]
struct Held {
    emails: Vec<Uuid>,
    tokens: Vec<Uuid>,
}

impl Held {
    fn of(keys: impl Iterator<Item = LeaseKey>) -> Self {
        let (emails, tokens) = keys.map(|key| (key.email, key.token)).unzip();
        Self { emails, tokens }
    }
}

impl QueryFragment<Pg> for Held {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("WITH held AS (SELECT email_id, lease_token FROM queue WHERE email_id = ANY(");
        out.push_bind_param::<Array<SqlUuid>, _>(&self.emails)?;
        out.push_sql(") ORDER BY email_id FOR UPDATE), mine AS MATERIALIZED (SELECT h.email_id FROM held h JOIN unnest(");
        out.push_bind_param::<Array<SqlUuid>, _>(&self.emails)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<SqlUuid>, _>(&self.tokens)?;
        out.push_sql(") AS k(email_id, token) ON k.email_id = h.email_id AND k.token = h.lease_token)");
        Ok(())
    }
}
