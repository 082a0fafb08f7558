//! The log, read back: what happened to a tenant's emails, and what its keys did besides sending, as one list.

use diesel::pg::Pg;
use diesel::query_builder::{BoxedSqlQuery, SqlQuery};
use diesel::sql_types::{Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{ExpressionMethods, QueryDsl, QueryResult, QueryableByName};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use selfmx_auth::{Permit, needs};
use selfmx_domain::{ApiKeyId, AuditId, EmailId, EventId, LogEntry, LogEvent, LogFilter, LogId, LogPage, PageRequest};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::audit_list::{CLOCKS_APART, first_id};
use crate::pages::{self, Window};
use crate::schema::audit_logs;
use crate::store::read;
use crate::{Error, Store};

/// How many events are looked at for one page. What is looked for seldom enough comes in more pages.
const WALKED: i64 = 20_000;

/// A tenant's events, newest first, by an index of their own.
const OF_TENANT: &str = "SELECT e.* FROM events e WHERE e.tenant_id = $1 AND e.id < $2 AND e.id >= $3";
/// One email's, by the primary key.
const OF_EMAIL: &str = "SELECT e.* FROM events e WHERE e.tenant_id = $1 AND e.id < $2 AND e.id >= $3 AND e.email_id = $5";
/// Those of the newest emails to an address.
const OF_ADDRESS: &str = "SELECT e.* FROM (SELECT DISTINCT email_id FROM (SELECT email_id FROM recipients WHERE tenant_id = $1 AND address = $4 \
ORDER BY email_id DESC LIMIT 10000) AS newest) AS t JOIN events e ON e.email_id = t.email_id WHERE e.tenant_id = $1 AND e.id < $2 AND e.id >= $3";

/// The binds, all of them in each statement.
const NAMED: &str = "WITH named AS (SELECT $4::text, $5::uuid, $6::uuid, $7::text, $8::timestamptz, $9::timestamptz) ";

/// What is shown of the events `w`, each with the key `m` of its email.
pub(crate) const COLUMNS: &str = "w.id, w.email_id, w.kind, w.at, w.ordinal, w.attempt, w.response, w.duration_ms, w.url, m.api_key_id, \
CASE WHEN w.ordinal IS NULL THEN (SELECT min(r.address) FROM recipients r WHERE r.email_id = w.email_id HAVING count(*) = 1) \
ELSE (SELECT r.address FROM recipients r WHERE r.email_id = w.email_id AND r.ordinal = w.ordinal) END AS recipient";

/// The email's key is looked up for one event after the other, so that they stay in order.
pub(crate) const WITH_KEY: &str = " CROSS JOIN LATERAL (SELECT (SELECT m.api_key_id FROM emails m WHERE m.tenant_id = $1 AND m.id = w.email_id) AS api_key_id OFFSET 0) AS m ";

const FITTING: &str = "WHERE ($4::text IS NULL OR EXISTS (SELECT 1 FROM recipients r WHERE r.email_id = w.email_id AND r.address = $4 AND r.ordinal = coalesce(w.ordinal, r.ordinal))) \
AND ($6::uuid IS NULL OR m.api_key_id = $6) AND ($7::text IS NULL OR w.kind = $7) AND ($8::timestamptz IS NULL OR w.at >= $8) \
AND ($9::timestamptz IS NULL OR w.at < $9) ORDER BY w.id DESC LIMIT ";

#[derive(QueryableByName)]
pub(crate) struct EventRow {
    #[diesel(sql_type = SqlUuid)]
    pub(crate) id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    email_id: Uuid,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Timestamptz)]
    at: OffsetDateTime,
    #[diesel(sql_type = Integer)]
    attempt: i32,
    #[diesel(sql_type = Nullable<Text>)]
    response: Option<String>,
    #[diesel(sql_type = Nullable<Integer>)]
    duration_ms: Option<i32>,
    #[diesel(sql_type = Nullable<Text>)]
    url: Option<String>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    api_key_id: Option<Uuid>,
    #[diesel(sql_type = Nullable<Text>)]
    recipient: Option<String>,
}

#[derive(QueryableByName)]
struct Last {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
}

type CallRow = (Uuid, OffsetDateTime, String, Option<String>, Option<Uuid>, Option<String>);

/// Which ids are looked at: below the first and from the second on.
struct Span {
    below: Uuid,
    from: Uuid,
}

/// A filter, as a statement takes it.
struct Binds {
    tenant: Uuid,
    span: Span,
    to: Option<String>,
    email: Option<Uuid>,
    key: Option<Uuid>,
    event: Option<&'static str>,
    since: Option<OffsetDateTime>,
    until: Option<OffsetDateTime>,
}

impl Store {
    /// The tenant's log, newest first: what happened to its emails, and where a key or a management call is asked for, management calls.
    ///
    /// At most 20,000 events are looked at for a page; where that is not enough to fill it, it says where to go on. Of an address, the 10,000 newest
    /// emails are looked at.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn log_list(&self, permit: &Permit<needs::LogsRead>, filter: &LogFilter, page: PageRequest<LogId>) -> Result<LogPage, Error> {
        let (window, binds) = (Window::of(page), Binds::of(permit.tenant().as_uuid(), filter, pages::after(page.start)));
        let (events, calls, stopped) = read!(self, connection => {
            let events = if filter.has_events() { binds.events(connection, window.rows).await? } else { Vec::new() };
            let calls = if filter.has_calls() { binds.calls(connection, window.rows).await? } else { Vec::new() };
            let is_filled = i64::try_from(events.len()).is_ok_and(|rows| rows >= window.rows);
            let stopped = if filter.has_events() && !is_filled { binds.stop(connection).await? } else { None };
            Ok((events, calls, stopped))
        })
        .await?;
        let events = events.into_iter().map(EventRow::into_entry);
        let mut entries = events.chain(calls.into_iter().map(call)).collect::<Result<Vec<_>, _>>()?;
        // What lies beyond the place where the walk stopped is for the next page, whatever it is.
        entries.retain(|entry| stopped.is_none_or(|stopped| entry.id.as_uuid() >= stopped));
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.id.as_uuid()));
        let mut page = pages::page(entries, page.limit, None);
        let next = match stopped {
            Some(stopped) if !page.has_more => Some(LogId::Event(EventId::from_uuid(stopped))),
            _ => page.items.last().filter(|_| page.has_more).map(|entry| entry.id),
        };
        page.has_more = next.is_some();
        Ok(LogPage { page, next })
    }
}

impl Binds {
    fn of(tenant: Uuid, filter: &LogFilter, after: Option<LogId>) -> Self {
        let until = filter.until.map_or(Uuid::max(), |until| first_id(until + CLOCKS_APART));
        let below = after.map_or(until, |after| after.as_uuid().min(until));
        let from = filter.since.map_or(Uuid::nil(), |since| first_id(since - CLOCKS_APART));
        Self {
            tenant,
            span: Span { below, from },
            to: filter.to.as_ref().map(ToString::to_string),
            email: filter.email.map(|email| email.as_uuid()),
            key: filter.api_key.map(|key| key.as_uuid()),
            event: filter.event.map(LogEvent::as_str),
            since: filter.since,
            until: filter.until,
        }
    }

    /// The events among which those that fit are looked for, and whether no more than so many.
    const fn source(&self) -> (&'static str, bool) {
        match (&self.email, &self.to) {
            (Some(_), _) => (OF_EMAIL, true),
            (None, Some(_)) => (OF_ADDRESS, false),
            (None, None) => (OF_TENANT, true),
        }
    }

    fn walk(&self) -> String {
        let (source, is_bounded) = self.source();
        let limit = if is_bounded { format!(" ORDER BY e.id DESC LIMIT {WALKED}") } else { String::new() };
        format!("{source}{limit}) AS w")
    }

    async fn events(&self, connection: &mut AsyncPgConnection, rows: i64) -> QueryResult<Vec<EventRow>> {
        let sql = format!("{NAMED}SELECT {COLUMNS} FROM ({}{WITH_KEY}{FITTING}{rows}", self.walk());
        self.bound(sql).load(connection).await
    }

    /// The last event that was looked at, where there may be more.
    async fn stop(&self, connection: &mut AsyncPgConnection) -> QueryResult<Option<Uuid>> {
        if !self.source().1 {
            return Ok(None);
        }
        let sql = format!("{NAMED}SELECT w.id FROM ({} ORDER BY w.id DESC OFFSET {} LIMIT 1", self.walk(), WALKED - 1);
        let last: Vec<Last> = self.bound(sql).load(connection).await?;
        Ok(last.into_iter().next().map(|last| last.id))
    }

    fn bound(&self, sql: String) -> BoxedSqlQuery<'_, Pg, SqlQuery> {
        diesel::sql_query(sql)
            .into_boxed()
            .bind::<SqlUuid, _>(self.tenant)
            .bind::<SqlUuid, _>(self.span.below)
            .bind::<SqlUuid, _>(self.span.from)
            .bind::<Nullable<Text>, _>(self.to.as_deref())
            .bind::<Nullable<SqlUuid>, _>(self.email)
            .bind::<Nullable<SqlUuid>, _>(self.key)
            .bind::<Nullable<Text>, _>(self.event)
            .bind::<Nullable<Timestamptz>, _>(self.since)
            .bind::<Nullable<Timestamptz>, _>(self.until)
    }

    async fn calls(&self, connection: &mut AsyncPgConnection, rows: i64) -> QueryResult<Vec<CallRow>> {
        let within = audit_logs::table.filter(audit_logs::tenant_id.eq(self.tenant)).filter(audit_logs::id.lt(self.span.below));
        let mut query = within.filter(audit_logs::id.ge(self.span.from)).into_boxed();
        if let Some(key) = self.key {
            query = query.filter(audit_logs::actor_key_id.eq(key));
        }
        if let Some(action) = self.event {
            query = query.filter(audit_logs::action.eq(action));
        }
        if let Some(since) = self.since {
            query = query.filter(audit_logs::at.ge(since));
        }
        if let Some(until) = self.until {
            query = query.filter(audit_logs::at.lt(until));
        }
        let columns =
            (audit_logs::id, audit_logs::at, audit_logs::action, audit_logs::refusal, audit_logs::actor_key_id, audit_logs::target);
        query.order(audit_logs::id.desc()).select(columns).limit(rows).load(connection).await
    }
}

impl EventRow {
    pub(crate) fn into_entry(self) -> Result<LogEntry, Error> {
        let recipient = self.recipient.map(|address| address.parse().or(Err(Error::Unreadable("recipients.address"))));
        Ok(LogEntry {
            id: LogId::Event(EventId::from_uuid(self.id)),
            at: self.at,
            event: LogEvent::Email(self.kind.parse().or(Err(Error::Unreadable("events.kind")))?),
            email: Some(EmailId::from_uuid(self.email_id)),
            to: recipient.transpose()?,
            response: self.response,
            api_key_id: self.api_key_id.map(ApiKeyId::from_uuid),
            attempt: Some(u32::try_from(self.attempt).or(Err(Error::Unreadable("events.attempt")))?),
            duration_ms: self
                .duration_ms
                .map(|millis| u32::try_from(millis).or(Err(Error::Unreadable("events.duration_ms"))))
                .transpose()?,
            url: self.url,
            target: None,
            refusal: None,
        })
    }
}

/// No more of a management call than what it was: where from, before and after are for the audit log.
fn call((id, at, action, refusal, key, target): CallRow) -> Result<LogEntry, Error> {
    Ok(LogEntry {
        id: LogId::Audit(AuditId::from_uuid(id)),
        at,
        event: LogEvent::Call(action.parse().or(Err(Error::Unreadable("audit_logs.action")))?),
        email: None,
        to: None,
        response: None,
        api_key_id: key.map(ApiKeyId::from_uuid),
        attempt: None,
        duration_ms: None,
        url: None,
        target,
        refusal,
    })
}
