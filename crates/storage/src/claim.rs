//! Claiming: the statements that lease what is due and set aside what may not be sent.

use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Integer, SmallInt, Uuid as SqlUuid};
use uuid::Uuid;

use crate::claim_rows::RowColumns;
use crate::turns::Stop;

/// Messages up to this many octets come with the lease; larger ones are fetched one at a time, when it is their turn.
const INLINE_OCTETS: i32 = 64 * 1024;

/// Leases the first of each priority, whosever they are.
#[derive(QueryId)]
pub(crate) struct Claim {
    pub(crate) count: i64,
    pub(crate) millis: i64,
}

/// Leases as much of each tenant's as of any other's, from one tenant to the next.
#[derive(QueryId)]
pub(crate) struct ClaimInTurn {
    pub(crate) count: i64,
    pub(crate) millis: i64,
    /// Where the walk over the tenants goes on.
    pub(crate) after: Stop,
    /// Whose work is passed over.
    pub(crate) except: Vec<Uuid>,
}

impl Query for Claim {
    type SqlType = RowColumns;
}

impl Query for ClaimInTurn {
    type SqlType = RowColumns;
}

impl<C> diesel::RunQueryDsl<C> for Claim {}

impl<C> diesel::RunQueryDsl<C> for ClaimInTurn {}

impl QueryFragment<Pg> for Claim {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(DUE);
        out.push_bind_param::<BigInt, _>(&self.count)?;
        out.push_sql(" FOR UPDATE SKIP LOCKED) AS q LIMIT ");
        out.push_bind_param::<BigInt, _>(&self.count)?;
        out.push_sql(") AS ids)");
        leased(&self.millis, ", NULL::uuid, NULL::smallint, NULL::boolean, NULL::bigint, l.unsettled FROM claimed l", out)
    }
}

impl QueryFragment<Pg> for ClaimInTurn {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(WALK);
        out.push_bind_param::<SqlUuid, _>(&self.after.tenant)?;
        out.push_sql(", ");
        out.push_bind_param::<SmallInt, _>(&self.after.priority)?;
        out.push_sql(STEP);
        out.push_bind_param::<Array<SqlUuid>, _>(&self.except)?;
        out.push_sql(NEXT);
        out.push_bind_param::<BigInt, _>(&self.count)?;
        out.push_sql(SHARE);
        out.push_bind_param::<BigInt, _>(&self.count)?;
        out.push_sql(DUE_IN_TURN);
        out.push_bind_param::<BigInt, _>(&self.count)?;
        out.push_sql(") AS ids)");
        leased(&self.millis, WALKED, out)
    }
}

/// The end of both: `due` is claimed, and what there is of each email is read.
fn leased<'b>(millis: &'b i64, from: &str, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
    out.push_sql(CLAIMED);
    out.push_bind_param::<BigInt, _>(millis)?;
    out.push_sql(LEASED);
    out.push_sql(from);
    out.push_sql(EMAIL);
    out.push_bind_param::<Integer, _>(&INLINE_OCTETS)?;
    out.push_sql(READ);
    Ok(())
}

/// The ids of what is due, in their order. They are an array, so that they keep it, and so that the planner has nothing to choose: a plan that is
/// made while the queue is small is kept when it is long.
const DUE: &str = "WITH due AS MATERIALIZED (SELECT ARRAY(SELECT q.email_id FROM (VALUES (0::smallint), (1::smallint), (2::smallint)) AS p(priority), \
LATERAL (SELECT email_id FROM queue WHERE NOT held AND priority = p.priority AND due_at <= now() ORDER BY due_at LIMIT ";

/// `walk`: from one tenant and priority to the next that has something in the queue, by one look at the index each, and from a tenant that has something
/// due to the next tenant. It stops after 256 looks, or when it has found as many tenants as emails are wanted.
const WALK: &str = "WITH RECURSIVE walk(tenant_id, priority, is_due, step, found) AS (SELECT ";

const STEP: &str = ", false, 0::bigint, 0::bigint UNION ALL SELECT n.tenant_id, CASE WHEN n.is_due OR n.is_passed_over THEN 32767::smallint ELSE n.priority END, \
n.is_due AND NOT n.is_passed_over, w.step + 1, w.found + CASE WHEN n.is_due AND NOT n.is_passed_over THEN 1 ELSE 0 END \
FROM walk w, LATERAL (SELECT q.tenant_id, q.priority, q.due_at <= now() AS is_due, q.tenant_id = ANY(";

const NEXT: &str = ") AS is_passed_over FROM queue q WHERE NOT q.held AND (q.tenant_id, q.priority) > (w.tenant_id, w.priority) \
ORDER BY q.tenant_id, q.priority, q.due_at LIMIT 1) AS n WHERE w.step < 256 AND w.found < ";

const SHARE: &str = "), stop AS MATERIALIZED (SELECT tenant_id, priority, step, found, greatest(found, 1) AS tenants, ";

/// The first of each tenant's, then the second of each. A tenant's own mail keeps its order.
const DUE_IN_TURN: &str = "::bigint AS wanted FROM walk ORDER BY step DESC LIMIT 1), \
share AS MATERIALIZED (SELECT (wanted + tenants - 1) / tenants AS emails FROM stop), \
due AS MATERIALIZED (SELECT ARRAY(SELECT f.email_id FROM walk w, LATERAL (SELECT s.email_id, row_number() OVER () AS place FROM (SELECT q.email_id \
FROM (VALUES (0::smallint), (1::smallint), (2::smallint)) AS p(priority), \
LATERAL (SELECT email_id FROM queue WHERE NOT held AND tenant_id = w.tenant_id AND priority = p.priority AND due_at <= now() \
ORDER BY due_at LIMIT (SELECT emails FROM share) FOR UPDATE SKIP LOCKED) AS q LIMIT (SELECT emails FROM share)) AS s) AS f \
WHERE w.is_due ORDER BY f.place, w.step LIMIT ";

/// What belongs to a tenant that may not send is set aside, and is passed over from then on. It keeps its token: an attempt whose lease ran out may
/// still be on its way. `OFFSET 0` has each row's tenant looked up once. Each lease is counted as one without a result until there is one, up to what
/// makes the email a [suspect](crate::Suspicion).
const CLAIMED: &str = ", claimed AS (UPDATE queue SET (held, unsettled, lease_token, due_at) = (SELECT s.held, \
CASE WHEN s.held OR queue.unsettled >= 4 THEN queue.unsettled ELSE (queue.unsettled + 1)::smallint END, \
CASE WHEN s.held THEN queue.lease_token ELSE gen_random_uuid() END, CASE WHEN s.held THEN queue.due_at ELSE now() + ";

/// That an attempt begins is an event for those tenants alone that have a webhook which asks for it: for the others it is one look at an index that is empty, or
/// nearly. `OFFSET 0` keeps it the first thing that is asked. What was leased and given back unbegun is told of once.
///
/// Each email is looked up by its id, one at a time; where it is missing the lease stays, so that the rest of the batch is not lost.
const LEASED: &str = " * interval '1 millisecond' END \
FROM (SELECT coalesce((SELECT t.status <> 'active' FROM tenants t WHERE t.id = queue.tenant_id), false) AS held OFFSET 0) AS s) \
WHERE email_id = ANY((SELECT ids FROM due)::uuid[]) RETURNING email_id, tenant_id, CASE WHEN NOT held THEN lease_token END AS lease_token, unsettled), \
begun AS (INSERT INTO events (email_id, id, tenant_id, kind, attempt) SELECT c.email_id, uuid_of_now(), c.tenant_id, 'sending', a.attempt \
FROM (SELECT email_id, tenant_id FROM claimed WHERE lease_token IS NOT NULL \
AND EXISTS (SELECT FROM webhooks w WHERE w.tenant_id = claimed.tenant_id AND w.active AND 'sending' = ANY (w.events)) OFFSET 0) AS c \
CROSS JOIN LATERAL (SELECT max(r.attempts) + 1 AS attempt FROM recipients r WHERE r.email_id = c.email_id AND r.status = 'queued') AS a \
WHERE a.attempt IS NOT NULL AND NOT EXISTS (SELECT FROM events e WHERE e.email_id = c.email_id AND e.kind = 'sending' AND e.attempt = a.attempt)) \
SELECT l.email_id, l.lease_token, e.tenant_id, e.mode, e.from_address, e.smtputf8, e.trace_id, m.raw, t.relay_version, r.ordinals, r.addresses, r.statuses, r.attempts";

const WALKED: &str = ", w.tenant_id, w.priority, w.step < 256 AND w.found < w.wanted, s.emails, l.unsettled \
FROM stop w CROSS JOIN share s LEFT JOIN claimed l ON true";

const EMAIL: &str = " LEFT JOIN LATERAL (SELECT tenant_id, mode, from_address, smtputf8, trace_id FROM emails WHERE l.lease_token IS NOT NULL AND tenant_id = l.tenant_id AND id = l.email_id LIMIT 1) AS e ON true \
LEFT JOIN LATERAL (SELECT CASE WHEN octet_length(raw) <= ";

const READ: &str = " THEN raw END AS raw FROM messages WHERE l.lease_token IS NOT NULL AND email_id = l.email_id LIMIT 1) AS m ON true \
LEFT JOIN LATERAL (SELECT relay_version FROM tenants WHERE l.lease_token IS NOT NULL AND id = l.tenant_id AND relay_host IS NOT NULL LIMIT 1) AS t ON true \
CROSS JOIN LATERAL (SELECT array_agg(ordinal ORDER BY ordinal) AS ordinals, array_agg(address ORDER BY ordinal) AS addresses, \
array_agg(status ORDER BY ordinal) AS statuses, array_agg(attempts ORDER BY ordinal) AS attempts FROM recipients WHERE l.lease_token IS NOT NULL AND email_id = l.email_id) AS r \
ORDER BY array_position((SELECT ids FROM due), l.email_id)";
