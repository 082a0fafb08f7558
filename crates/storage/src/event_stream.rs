//! A tenant's events in the order in which they were committed, from one place on: each of them once, and none passed over.
//!
//! Events are numbered by the transaction that wrote them, and read below the oldest one that is still open: whatever has a lower number is done with, so
//! that nothing can come up between what was read. A place is always after an event that was committed. So it outlives a crash, after which PostgreSQL
//! may give away again the numbers of transactions of which it had written nothing.

use diesel::sql_types::{Bool, Nullable, Text, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryResult, QueryableByName};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use selfmx_auth::{Permit, needs};
use selfmx_domain::{EventPosition, FollowedEvents};
use uuid::Uuid;

use crate::logs::{COLUMNS, EventRow, WITH_KEY};
use crate::store::read;
use crate::{Error, Store};

/// How many events are read at once.
const AT_ONCE: usize = 50;

/// Which count of transactions this is: the epoch that the database keeps, and the timeline, which a cluster leaves when it goes on from an earlier state
/// of its own, or from a copy's.
const MARK: &str =
    "(SELECT lpad(to_hex(s.epoch), 12, '0') FROM event_streams s) || lower(left(pg_walfile_name(pg_current_wal_lsn()), 8)) AS mark";

/// Those that nothing can come up before.
const DONE: &str = "e.xact IS NOT NULL AND e.xact < pg_snapshot_xmin(pg_current_snapshot())";

/// Begins the count anew in a database that was copied from another cluster, where transactions had other numbers. To take a column away and add another
/// rewrites nothing; and what is copied has been committed for as long as anybody remembers.
const ANEW: &str = "DO $$ BEGIN IF EXISTS (SELECT FROM event_streams s, pg_control_system() c WHERE s.cluster <> c.system_identifier::text) THEN \
ALTER TABLE events DROP COLUMN xact; \
ALTER TABLE events ADD COLUMN xact xid8; \
ALTER TABLE events ALTER COLUMN xact SET DEFAULT pg_current_xact_id(); \
CREATE INDEX events_by_xact ON events (tenant_id, xact, id) WHERE xact IS NOT NULL; \
UPDATE event_streams SET epoch = ('x' || left(replace(gen_random_uuid()::text, '-', ''), 12))::bit(48)::bigint, \
cluster = (SELECT c.system_identifier::text FROM pg_control_system() c); \
END IF; END $$";

#[derive(QueryableByName)]
struct PlaceRow {
    #[diesel(sql_type = Text)]
    mark: String,
    #[diesel(sql_type = Bool)]
    is_at_home: bool,
    #[diesel(sql_type = Nullable<Text>)]
    xact: Option<String>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    id: Option<Uuid>,
}

#[derive(QueryableByName)]
struct FollowedRow {
    #[diesel(embed)]
    event: EventRow,
    #[diesel(sql_type = Text)]
    mark: String,
    #[diesel(sql_type = Text)]
    xact: String,
}

impl Store {
    /// The place after the tenant's last event, from which on none is passed over. What others commit at the same moment may come after it as well.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] also where the database was moved here from another cluster and [`migrate`](crate::migrate) has not run since.
    pub async fn event_place(&self, permit: &Permit<needs::LogsRead>) -> Result<EventPosition, Error> {
        let tenant = permit.tenant().as_uuid();
        let sql = format!(
            "SELECT {MARK}, s.cluster = (SELECT c.system_identifier::text FROM pg_control_system() c) AS is_at_home, l.xact::text AS xact, l.id \
             FROM event_streams s LEFT JOIN LATERAL (SELECT e.xact, e.id FROM events e WHERE e.tenant_id = $1 AND {DONE} \
             ORDER BY e.xact DESC, e.id DESC LIMIT 1) AS l ON true"
        );
        let row: Option<PlaceRow> = read!(self, connection => {
            diesel::sql_query(&sql).bind::<SqlUuid, _>(tenant).get_result(connection).await.optional()
        })
        .await?;
        let row = row.ok_or(Error::Unreadable("event_streams"))?;
        if !row.is_at_home {
            return Err(Error::Unavailable("it was moved here from another PostgreSQL: run `selfmx migrate`".to_owned()));
        }
        position(&row.mark, row.xact.as_deref().unwrap_or("0"), row.id.unwrap_or_default())
    }

    /// The tenant's next events after a place, in the order in which they were committed; `None` where the place is of another count of transactions.
    ///
    /// What a transaction wrote that is open, or began to write after one that is, comes later.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn event_follow(&self, permit: &Permit<needs::LogsRead>, after: EventPosition) -> Result<Option<FollowedEvents>, Error> {
        let tenant = permit.tenant().as_uuid();
        let rows = read!(self, connection => followed(connection, tenant, after).await).await?;
        let has_more = rows.len() >= AT_ONCE;
        let entries = rows.into_iter().map(|row| Ok((position(&row.mark, &row.xact, row.event.id)?, row.event.into_entry()?)));
        let entries = entries.collect::<Result<Vec<_>, Error>>()?;
        Ok(entries.iter().all(|(place, _)| place.epoch == after.epoch).then_some(FollowedEvents { entries, has_more }))
    }
}

/// Begins the stream anew where the database came from another cluster.
pub(crate) async fn begin_anew_if_moved(connection: &mut AsyncPgConnection) -> Result<(), Error> {
    let begun = diesel::sql_query(ANEW).execute(connection).await;
    begun.map(|_| ()).map_err(|error| Error::Migration(error.to_string()))
}

async fn followed(connection: &mut AsyncPgConnection, tenant: Uuid, after: EventPosition) -> QueryResult<Vec<FollowedRow>> {
    let sql = format!(
        "SELECT {COLUMNS}, w.xact::text AS xact, {MARK} FROM (SELECT e.* FROM events e WHERE e.tenant_id = $1 AND {DONE} \
         AND (e.xact, e.id) > ($2::text::xid8, $3) ORDER BY e.xact, e.id LIMIT {AT_ONCE}) AS w{WITH_KEY}ORDER BY w.xact, w.id"
    );
    let query = diesel::sql_query(sql).bind::<SqlUuid, _>(tenant).bind::<Text, _>(after.xact.to_string()).bind::<SqlUuid, _>(after.id);
    query.load(connection).await
}

fn position(mark: &str, xact: &str, id: Uuid) -> Result<EventPosition, Error> {
    let epoch = u128::from_str_radix(mark, 16).or(Err(Error::Unreadable("event_streams")))?;
    Ok(EventPosition { epoch, xact: xact.parse().or(Err(Error::Unreadable("events.xact")))?, id })
}
