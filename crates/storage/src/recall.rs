//! Canceling and rescheduling what waits: whoever holds the row of the queue decides, and an attempt holds it by its lease.

use diesel::dsl::sql;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{Timestamptz, Uuid as SqlUuid};
use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, QueryResult};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use selfmx_auth::{Permit, needs};
use selfmx_domain::{Address, EmailId, EmailStatus, EventId, EventKind, Mode, Unchangeable, scheduled};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::schema::{emails, events, queue, recipients};
use crate::store::{change, read};
use crate::{Error, Store};

/// How an email stands after it was canceled or rescheduled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recalled {
    /// Its id.
    pub id: EmailId,
    /// Its status.
    pub status: EmailStatus,
    /// When it was accepted.
    pub created_at: OffsetDateTime,
    /// When it is, or was, to be sent, if not at once.
    pub scheduled_at: Option<OffsetDateTime>,
}

type Row = (String, String, String, OffsetDateTime, Option<OffsetDateTime>);

/// An email of which nobody else changes anything until the transaction ends.
struct Held {
    id: EmailId,
    status: EmailStatus,
    created_at: OffsetDateTime,
    scheduled_at: Option<OffsetDateTime>,
    /// Whether an attempt has a lease on it, or had one whose outcome nobody knows; `None`: there is nothing left to do.
    leased: Option<bool>,
    attempted: bool,
    delivered: bool,
}

impl Store {
    /// Whether the permit reaches an email with this id: it is its tenant's, and the key could have sent it.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn email_is_reached(&self, permit: &Permit<needs::Send>, id: EmailId) -> Result<bool, Error> {
        let row: Option<Row> = read!(self, connection => find(connection, permit, id).await).await?;
        row.map_or(Ok(false), |row| is_reached(permit, &row))
    }

    /// Cancels an email: nobody gets it who has not got it by now. One that is canceled already stays so. `None`: the permit reaches none with this id.
    ///
    /// # Errors
    ///
    /// [`Error::Unchangeable`] where an attempt is under way, where somebody has it, or where nothing is left to do. Otherwise where the database cannot.
    pub async fn email_cancel(&self, permit: &Permit<needs::Send>, id: EmailId) -> Result<Option<Recalled>, Error> {
        let event = EventId::generate(&*self.clock, &*self.entropy).as_uuid();
        let cancel = async |connection: &mut AsyncPgConnection| {
            let Some(held) = hold(connection, permit, id).await? else { return Ok(None) };
            if held.status == EmailStatus::Canceled {
                return Ok(Some(held.recalled(EmailStatus::Canceled, held.scheduled_at)));
            }
            held.check()?;
            if held.delivered {
                return Err(Unchangeable::PartlyDelivered.into());
            }
            Cancel { email: id.as_uuid(), tenant: permit.tenant().as_uuid(), event }.execute(connection).await?;
            Ok::<_, Error>(Some(held.recalled(EmailStatus::Canceled, held.scheduled_at)))
        };
        let canceled = change!(self, connection => connection.transaction(cancel).await).await?;
        self.webhook_wake.happened(std::iter::once(permit.tenant().as_uuid()));
        Ok(canceled)
    }

    /// Changes when an email is to be sent for which no attempt was made yet. `None`: the permit reaches none with this id.
    ///
    /// # Errors
    ///
    /// [`Error::Unchangeable`] where an attempt is under way or was made, or where nothing is left to do; [`Error::Invalid`] where the time is past or too
    /// far ahead, by the database's clock. Otherwise where the database cannot.
    pub async fn email_reschedule(&self, permit: &Permit<needs::Send>, id: EmailId, at: OffsetDateTime) -> Result<Option<Recalled>, Error> {
        let event = EventId::generate(&*self.clock, &*self.entropy);
        let reschedule = async |connection: &mut AsyncPgConnection| {
            let Some(held) = hold(connection, permit, id).await? else { return Ok(None) };
            held.check()?;
            if held.attempted {
                return Err(Unchangeable::Attempted.into());
            }
            // Not the transaction's own time, which may lie before what was waited for.
            let now: OffsetDateTime = diesel::select(sql::<Timestamptz>("clock_timestamp()")).get_result(connection).await?;
            let scheduled_at = scheduled(at, now).map_err(|problem| problem.at("scheduled_at"))?;
            let due = diesel::update(queue::table.find(id.as_uuid())).set(queue::due_at.eq(scheduled_at.unwrap_or(now)));
            due.execute(connection).await?;
            let email = diesel::update(emails::table.find((permit.tenant().as_uuid(), id.as_uuid())));
            email.set(emails::scheduled_at.eq(scheduled_at)).execute(connection).await?;
            moved(connection, permit, id, event).await?;
            let status = if scheduled_at.is_some() { EmailStatus::Scheduled } else { EmailStatus::Queued };
            Ok::<_, Error>(Some(held.recalled(status, scheduled_at)))
        };
        let rescheduled = change!(self, connection => connection.transaction(reschedule).await).await?;
        self.wake.accepted();
        Ok(rescheduled)
    }
}

impl Held {
    /// That it waits, and nobody is at it.
    fn check(&self) -> Result<(), Unchangeable> {
        match self.leased {
            None => Err(Unchangeable::Done(self.status)),
            Some(true) => Err(Unchangeable::Sending),
            Some(false) => Ok(()),
        }
    }

    const fn recalled(&self, status: EmailStatus, scheduled_at: Option<OffsetDateTime>) -> Recalled {
        Recalled { id: self.id, status, created_at: self.created_at, scheduled_at }
    }
}

/// Locks the email's row in the queue, as claims and settlements do, before anything else is read: only then is it the newest.
async fn hold(connection: &mut AsyncPgConnection, permit: &Permit<needs::Send>, id: EmailId) -> Result<Option<Held>, Error> {
    let own = queue::table.find(id.as_uuid()).filter(queue::tenant_id.eq(permit.tenant().as_uuid()));
    let token: Option<Option<Uuid>> = own.select(queue::lease_token).for_update().first(connection).await.optional()?;
    let Some(row) = find(connection, permit, id).await? else { return Ok(None) };
    if !is_reached(permit, &row)? {
        return Ok(None);
    }
    let told = recipients::table.filter(recipients::email_id.eq(id.as_uuid())).select((recipients::status, recipients::attempts));
    let told: Vec<(String, i32)> = told.load(connection).await?;
    let (status, _, _, created_at, scheduled_at) = row;
    Ok(Some(Held {
        id,
        status: status.parse().or(Err(Error::Unreadable("emails.status")))?,
        created_at,
        scheduled_at,
        leased: token.map(|token| token.is_some()),
        attempted: told.iter().any(|(_, attempts)| *attempts > 0),
        delivered: told.iter().any(|(status, _)| status == "delivered"),
    }))
}

/// Notes that the email is to be sent at another time.
async fn moved(connection: &mut AsyncPgConnection, permit: &Permit<needs::Send>, id: EmailId, event: EventId) -> QueryResult<()> {
    let whose = (events::email_id.eq(id.as_uuid()), events::id.eq(event.as_uuid()), events::tenant_id.eq(permit.tenant().as_uuid()));
    let what = (events::kind.eq(EventKind::Rescheduled.as_str()), events::attempt.eq(0));
    diesel::insert_into(events::table).values((whose, what)).execute(connection).await?;
    Ok(())
}

async fn find(connection: &mut AsyncPgConnection, permit: &Permit<needs::Send>, id: EmailId) -> QueryResult<Option<Row>> {
    let email = emails::table.find((permit.tenant().as_uuid(), id.as_uuid()));
    let columns = (emails::status, emails::mode, emails::from_address, emails::created_at, emails::scheduled_at);
    email.select(columns).first(connection).await.optional()
}

fn is_reached(permit: &Permit<needs::Send>, (_, mode, from, ..): &Row) -> Result<bool, Error> {
    let mode: Mode = mode.parse().or(Err(Error::Unreadable("emails.mode")))?;
    let from: Address = from.parse().or(Err(Error::Unreadable("emails.from_address")))?;
    Ok(permit.could_send(&from, mode))
}

#[derive(QueryId)]
struct Cancel {
    email: Uuid,
    tenant: Uuid,
    event: Uuid,
}

impl QueryFragment<Pg> for Cancel {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("WITH it AS (SELECT ");
        out.push_bind_param::<SqlUuid, _>(&self.email)?;
        out.push_sql(" AS email_id, ");
        out.push_bind_param::<SqlUuid, _>(&self.tenant)?;
        out.push_sql(" AS tenant_id, ");
        out.push_bind_param::<SqlUuid, _>(&self.event)?;
        out.push_sql(CANCELED);
        Ok(())
    }
}

impl<C> diesel::RunQueryDsl<C> for Cancel {}

const CANCELED: &str = " AS event_id), gone AS (DELETE FROM queue WHERE email_id = (SELECT email_id FROM it)), \
told AS (UPDATE recipients SET status = 'canceled', next_attempt_at = NULL WHERE email_id = (SELECT email_id FROM it) AND status = 'queued'), \
happened AS (INSERT INTO events (email_id, id, tenant_id, kind, attempt) SELECT i.email_id, i.event_id, i.tenant_id, 'canceled', \
(SELECT coalesce(max(r.attempts), 0) FROM recipients r WHERE r.email_id = i.email_id) FROM it i) \
UPDATE emails SET status = 'canceled' WHERE tenant_id = (SELECT tenant_id FROM it) AND id = (SELECT email_id FROM it)";
