//! The queue: work is leased for a time, and the lease is renewed while it lasts.

use std::collections::HashSet;
use std::time::Duration;

use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Binary, Bool, Integer, Nullable, SmallInt, Text, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryDsl};
use diesel_async::RunQueryDsl;
use selfmx_auth::System;
use selfmx_domain::{Address, BounceType, EmailId, Mode, Queued, RecipientState, Reply, TenantId};
use uuid::Uuid;

use crate::lease::Lease;
use crate::schema::messages;
use crate::store::read;
use crate::{Error, Store};

/// Messages up to this many octets come with the lease; larger ones are fetched one at a time, when it is their turn.
const INLINE_OCTETS: i32 = 64 * 1024;

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
    /// Those who wait.
    pub waiting: Vec<Waiting>,
    /// What has become of the others.
    pub finished: Vec<RecipientState>,
    message: Option<Vec<u8>>,
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

impl Store {
    /// Leases up to `count` emails that are due, high priority first, first in first out within each. Leases run out `duration` from now, by the
    /// database's clock, and another worker may take the work.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn queue_lease(&self, _system: &System, count: u16, duration: Duration) -> Result<Vec<Lease<Delivery>>, Error> {
        let claim = Claim { count: i64::from(count), millis: millis(duration) };
        let mut connection = self.connection().await?;
        let rows: Vec<Row> = claim.get_results(&mut *connection).await?;
        drop(connection);
        Ok(rows.into_iter().filter_map(readable).collect())
    }

    /// Keeps leases for another `duration` from now. It tells whose: the others had run out and were taken by another worker.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn queue_renew(&self, _system: &System, leases: &[LeaseKey], duration: Duration) -> Result<HashSet<EmailId>, Error> {
        let renewal = Renewal {
            emails: leases.iter().map(|key| key.email).collect(),
            tokens: leases.iter().map(|key| key.token).collect(),
            millis: millis(duration),
        };
        let mut connection = self.connection().await?;
        let renewed: Vec<Uuid> = renewal.get_results(&mut *connection).await?;
        Ok(renewed.into_iter().map(EmailId::from_uuid).collect())
    }

    /// Gives work back that was not begun, so that another worker may take it at once.
    ///
    /// # Errors
    ///
    /// Where the database cannot; then the leases run out by themselves.
    pub async fn queue_release(&self, _system: &System, leases: Vec<Lease<Delivery>>) -> Result<(), Error> {
        if leases.is_empty() {
            return Ok(());
        }
        let keys: Vec<_> = leases.iter().map(Lease::key).collect();
        let release = Release { emails: keys.iter().map(|key| key.email).collect(), tokens: keys.iter().map(|key| key.token).collect() };
        let mut connection = self.connection().await?;
        release.execute(&mut *connection).await?;
        self.wake.accepted();
        Ok(())
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

    /// How many emails have something left to do.
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
struct Claim {
    count: i64,
    millis: i64,
}

type Row = (Uuid, Uuid, Uuid, String, String, bool, Option<Vec<u8>>, Vec<i16>, Vec<String>, Vec<String>, Vec<i32>);

impl Query for Claim {
    type SqlType =
        (SqlUuid, SqlUuid, SqlUuid, Text, Text, Bool, Nullable<Binary>, Array<SmallInt>, Array<Text>, Array<Text>, Array<Integer>);
}

impl<C> diesel::RunQueryDsl<C> for Claim {}

impl QueryFragment<Pg> for Claim {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(
            "WITH due AS (SELECT q.email_id FROM (VALUES (0::smallint), (1::smallint), (2::smallint)) AS p(priority), \
             LATERAL (SELECT email_id FROM queue WHERE priority = p.priority AND due_at <= now() ORDER BY due_at, email_id LIMIT ",
        );
        out.push_bind_param::<BigInt, _>(&self.count)?;
        out.push_sql(" FOR UPDATE SKIP LOCKED) AS q LIMIT ");
        out.push_bind_param::<BigInt, _>(&self.count)?;
        out.push_sql("), leased AS (UPDATE queue SET lease_token = gen_random_uuid(), due_at = now() + ");
        out.push_bind_param::<BigInt, _>(&self.millis)?;
        out.push_sql(
            " * interval '1 millisecond' FROM due WHERE queue.email_id = due.email_id RETURNING queue.email_id, queue.lease_token) \
             SELECT l.email_id, l.lease_token, e.tenant_id, e.mode, e.from_address, e.smtputf8, CASE WHEN octet_length(m.raw) <= ",
        );
        out.push_bind_param::<Integer, _>(&INLINE_OCTETS)?;
        out.push_sql(
            " THEN m.raw END, r.ordinals, r.addresses, r.statuses, r.attempts FROM leased l JOIN emails e ON e.id = l.email_id \
             JOIN messages m ON m.email_id = l.email_id CROSS JOIN LATERAL (SELECT array_agg(ordinal ORDER BY ordinal) AS ordinals, \
             array_agg(address ORDER BY ordinal) AS addresses, array_agg(status ORDER BY ordinal) AS statuses, array_agg(attempts ORDER BY ordinal) AS attempts \
             FROM recipients WHERE email_id = l.email_id) AS r",
        );
        Ok(())
    }
}

#[derive(QueryId)]
struct Renewal {
    emails: Vec<Uuid>,
    tokens: Vec<Uuid>,
    millis: i64,
}

impl Query for Renewal {
    type SqlType = SqlUuid;
}

impl<C> diesel::RunQueryDsl<C> for Renewal {}

impl QueryFragment<Pg> for Renewal {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("UPDATE queue SET due_at = now() + ");
        out.push_bind_param::<BigInt, _>(&self.millis)?;
        out.push_sql(" * interval '1 millisecond' FROM unnest(");
        push_keys(&mut out, &self.emails, &self.tokens)?;
        out.push_sql(" RETURNING queue.email_id");
        Ok(())
    }
}

#[derive(QueryId)]
struct Release {
    emails: Vec<Uuid>,
    tokens: Vec<Uuid>,
}

impl<C> diesel::RunQueryDsl<C> for Release {}

impl QueryFragment<Pg> for Release {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("UPDATE queue SET due_at = now(), lease_token = NULL FROM unnest(");
        push_keys(&mut out, &self.emails, &self.tokens)
    }
}

fn push_keys<'b>(out: &mut AstPass<'_, 'b, Pg>, emails: &'b Vec<Uuid>, tokens: &'b Vec<Uuid>) -> QueryResult<()> {
    out.push_bind_param::<Array<SqlUuid>, _>(emails)?;
    out.push_sql(", ");
    out.push_bind_param::<Array<SqlUuid>, _>(tokens)?;
    out.push_sql(") AS k(email_id, token) WHERE queue.email_id = k.email_id AND queue.lease_token = k.token");
    Ok(())
}

/// A row that cannot be read hurts no other: it is left to its lease's end and to whoever reads the log.
fn readable(row: Row) -> Option<Lease<Delivery>> {
    let id = EmailId::from_uuid(row.0);
    match read_row(row) {
        Ok(lease) => Some(lease),
        Err(error) => {
            tracing::error!(email_id = %id, error = %error, "a queued email cannot be read");
            None
        }
    }
}

fn read_row(row: Row) -> Result<Lease<Delivery>, Error> {
    let (email, token, tenant, mode, sender, smtputf8, message, ordinals, addresses, statuses, attempts) = row;
    let (mut waiting, mut finished) = (Vec::new(), Vec::new());
    for (((ordinal, address), status), attempts) in ordinals.into_iter().zip(addresses).zip(statuses).zip(attempts) {
        let attempts = u32::try_from(attempts).or(Err(Error::Unreadable("recipients.attempts")))?;
        if status == "queued" {
            let address = address.parse().or(Err(Error::Unreadable("recipients.address")))?;
            waiting.push(Waiting { ordinal, address, queued: Queued::after(attempts) });
            continue;
        }
        finished.push(final_state(&status, attempts)?);
    }
    let delivery = Delivery {
        email_id: EmailId::from_uuid(email),
        tenant: TenantId::from_uuid(tenant),
        mode: mode.parse().or(Err(Error::Unreadable("emails.mode")))?,
        sender: sender.parse().or(Err(Error::Unreadable("emails.from_address")))?,
        smtputf8,
        waiting,
        finished,
        message,
    };
    Ok(Lease::new(token, delivery))
}

/// A final state of which only the kind matters here: to know what the email as a whole becomes.
fn final_state(status: &str, attempts: u32) -> Result<RecipientState, Error> {
    let reply = Reply::new(0, None, "");
    match status {
        "delivered" => Ok(RecipientState::Delivered { attempts, reply }),
        "bounced" => Ok(RecipientState::Bounced { attempts, bounce: BounceType::Hard, reply }),
        "failed" => Ok(RecipientState::Failed { attempts, reason: String::new() }),
        _ => Err(Error::Unreadable("recipients.status")),
    }
}
