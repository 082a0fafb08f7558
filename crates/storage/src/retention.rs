//! What is older than an operator wants to keep: the bodies and events of emails with which all is done are deleted, in bounded steps.

use std::num::NonZeroU32;

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Integer, Nullable, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use selfmx_auth::System;
use selfmx_domain::EmailId;
use uuid::Uuid;

use crate::store::change;
use crate::{Error, Store};

/// Ids sort by time, so that the primary key leads from the oldest on; a day is left to nodes' clocks. What has something left to do, or something
/// happened to since, is left; that it is read keeps nothing. Nobody else changes a message; one that is locked is being deleted.
const PURGE: &str = "WITH old AS MATERIALIZED (SELECT ARRAY(SELECT email_id FROM messages WHERE email_id > coalesce($1, '00000000-0000-0000-0000-000000000000') \
AND email_id < (lpad(to_hex((extract(epoch FROM now() - $2 * interval '1 day' + interval '1 day') * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid \
ORDER BY email_id LIMIT 200 FOR UPDATE SKIP LOCKED) AS ids), \
gone AS MATERIALIZED (SELECT ARRAY(SELECT i.id FROM unnest((SELECT ids FROM old)) AS i(id) \
WHERE (SELECT q.email_id FROM queue q WHERE q.email_id = i.id) IS NULL \
AND NOT coalesce((SELECT max(v.at) FROM events v WHERE v.email_id = i.id AND v.kind NOT IN ('opened', 'clicked')) > now() - $2 * interval '1 day', false)) AS ids), \
happened AS (DELETE FROM events WHERE email_id = ANY((SELECT ids FROM gone)::uuid[])), \
said AS (DELETE FROM messages WHERE email_id = ANY((SELECT ids FROM gone)::uuid[])) \
SELECT cardinality(g.ids) AS purged, o.ids[200] AS last FROM old o, gone g";

/// What a step of purging found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Purged {
    /// Of how many emails bodies and events were deleted.
    pub emails: u32,
    /// The last email that was looked at, where there may be more after it.
    pub next: Option<EmailId>,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Integer)]
    purged: i32,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    last: Option<Uuid>,
}

impl Store {
    /// Deletes the bodies, the message and the events of up to 200 emails after `after`, the oldest first, with which all has been done for `days` days by
    /// the database's clock. What the lists show of them stays, and so does the audit log. Any number of nodes may do so at once.
    ///
    /// # Errors
    ///
    /// Where the database cannot; then the same call goes on later.
    pub async fn retention_purge(&self, _system: &System, days: NonZeroU32, after: Option<EmailId>) -> Result<Purged, Error> {
        let purge = diesel::sql_query(PURGE)
            .bind::<Nullable<SqlUuid>, _>(after.map(|after| after.as_uuid()))
            .bind::<BigInt, _>(i64::from(days.get()));
        let row: Row = change!(self, connection => purge.get_result(connection).await).await?;
        Ok(Purged { emails: u32::try_from(row.purged).unwrap_or_default(), next: row.last.map(EmailId::from_uuid) })
    }
}
