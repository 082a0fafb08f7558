//! The statement that accepts emails, in four forms: most tenants have no quota and most requests no idempotency key, and they pay nothing for those that
//! have.

use diesel::QueryResult;
use diesel::deserialize::Queryable;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Bool, Double, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use time::OffsetDateTime;
use uuid::Uuid;

use super::insert::Insert;

/// What the statement says of an email, in the order in which they were given.
#[derive(Queryable)]
#[diesel(check_for_backend(Pg))]
pub(super) struct Row {
    pub(super) id: Uuid,
    /// When it was accepted, if it was.
    pub(super) created_at: Option<OffsetDateTime>,
    /// When it is to be sent, if it was accepted and not for at once.
    pub(super) scheduled_at: Option<OffsetDateTime>,
    /// Its tenant's.
    pub(super) status: Option<String>,
    /// How many seconds are left of the day.
    pub(super) until_tomorrow: f64,
    /// What is wrong with the time that it is scheduled for.
    pub(super) untimely: Option<String>,
    /// Whether its idempotency key is another's.
    pub(super) lost: bool,
}

/// Accepts emails. Counted, as far as their tenants' quotas go; else all, unless one of their tenants has a quota: then none. Keyed, of those with the same
/// idempotency key one, unless one was accepted within 24 hours.
pub(super) struct Statement<'a, const COUNTED: bool, const KEYED: bool>(pub(super) &'a Insert<'a>);

// Derived, it would ask for a type without borrows.
impl<const COUNTED: bool, const KEYED: bool> QueryId for Statement<'_, COUNTED, KEYED> {
    type QueryId = Statement<'static, COUNTED, KEYED>;

    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<const COUNTED: bool, const KEYED: bool> Query for Statement<'_, COUNTED, KEYED> {
    type SqlType = (SqlUuid, Nullable<Timestamptz>, Nullable<Timestamptz>, Nullable<Text>, Double, Nullable<Text>, Bool);
}

impl<C, const COUNTED: bool, const KEYED: bool> diesel::RunQueryDsl<C> for Statement<'_, COUNTED, KEYED> {}

impl<const COUNTED: bool, const KEYED: bool> QueryFragment<Pg> for Statement<'_, COUNTED, KEYED> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(INPUT);
        self.0.walk_emails(out.reborrow())?;
        if KEYED {
            out.push_sql(", ");
            self.0.walk_keys(out.reborrow())?;
        }
        out.push_sql(NAMED);
        out.push_sql(if KEYED { ", digest, fingerprint" } else { "" });
        out.push_sql(HOLDER);
        self.0.walk_tenants(out.reborrow())?;
        out.push_sql(")), ");
        Self::push_allowed(&mut out);
        out.push_sql("recipient AS MATERIALIZED (SELECT r.*, ");
        out.push_sql(BARRED);
        self.0.walk_recipients(out.reborrow())?;
        out.push_sql(ACCEPTED);
        self.0.walk_messages(out.reborrow())?;
        out.push_sql(ANSWER);
        Self::push_lost(&mut out);
        out.push_sql(ANSWERED);
        Ok(())
    }
}

impl<const COUNTED: bool, const KEYED: bool> Statement<'_, COUNTED, KEYED> {
    /// `allowed`, by way of what it needs: `won`, those that have their key now; `contender`, those that count if the quota suffices; `counted`.
    fn push_allowed(out: &mut AstPass<'_, '_, Pg>) {
        if KEYED {
            out.push_sql(WON);
            Self::push_active(out);
            out.push_sql(KEPT);
        }
        out.push_sql(if COUNTED { CONTENDER } else { "allowed AS (SELECT i.* " });
        Self::push_active(out);
        out.push_sql(if KEYED { " AND (i.digest IS NULL OR i.id IN (SELECT email_id FROM won))), " } else { "), " });
        if COUNTED {
            out.push_sql(ALLOWED_COUNTED);
        }
    }

    fn push_active(out: &mut AstPass<'_, '_, Pg>) {
        out.push_sql("FROM input i JOIN holder h ON h.id = i.tenant_id WHERE h.status = 'active' AND i.untimely IS NULL");
        if !COUNTED {
            out.push_sql(UNLIMITED);
        }
    }

    fn push_lost(out: &mut AstPass<'_, '_, Pg>) {
        out.push_sql(if KEYED {
            "i.digest IS NOT NULL AND i.untimely IS NULL AND i.id NOT IN (SELECT email_id FROM won)"
        } else {
            "false"
        });
        if KEYED && !COUNTED {
            out.push_sql(UNLIMITED);
        }
    }
}

/// A time that has come, or has just passed, is no schedule.
const INPUT: &str = "WITH input AS (SELECT *, CASE WHEN given_at > now() THEN given_at END AS scheduled_at, \
CASE WHEN given_at < now() - interval '1 minute' THEN 'past' WHEN given_at > now() + interval '30 days' THEN 'ahead' END AS untimely FROM unnest(";

const NAMED: &str = ") WITH ORDINALITY AS t(id, tenant_id, api_key_id, mode, priority, smtputf8, from_name, from_address, subject, reply_to, tags, metadata, event_id, given_at, template_id, template_version, trace_id";

/// No lock is taken: a tenant's row is shared by all its mail. Whoever is suspended while this runs is suspended after it.
const HOLDER: &str =
    ", turn)), holder AS MATERIALIZED (SELECT id, status, NULLIF(emails_per_day, 0) AS per_day FROM tenants WHERE id = ANY(";

/// Where nothing is counted nothing is accepted that would have to be.
const UNLIMITED: &str = " AND NOT EXISTS (SELECT FROM holder WHERE per_day IS NOT NULL)";

/// The keys are taken in one order everywhere, and before quotas are counted, so that no two statements wait for each other. Whoever finds one that is being
/// taken waits for its commit; by then the row is the newest, which no snapshot has: a condition decides by it and no other.
const WON: &str = "won AS (INSERT INTO idempotency_keys AS k (tenant_id, digest, fingerprint, email_id, scheduled_at) SELECT DISTINCT ON (i.tenant_id, i.digest) i.tenant_id, i.digest, i.fingerprint, i.id, i.scheduled_at ";

/// One that is too old is taken over.
const KEPT: &str = " AND i.digest IS NOT NULL ORDER BY i.tenant_id, i.digest, i.turn \
ON CONFLICT (tenant_id, digest) DO UPDATE SET fingerprint = excluded.fingerprint, email_id = excluded.email_id, scheduled_at = excluded.scheduled_at, created_at = excluded.created_at \
WHERE k.created_at <= now() - interval '24 hours' RETURNING email_id), ";

/// Numbered for each tenant, those that count and those that do not apart from each other.
const CONTENDER: &str = "contender AS (SELECT i.*, row_number() OVER (PARTITION BY i.tenant_id, i.mode ORDER BY i.turn) AS nth ";

/// Mail counts where it goes out and its tenant has a quota. Each tenant's row is locked until the commit, in one order everywhere, so that no two
/// statements wait for each other; by then it is the newest, which no snapshot has: a condition decides by it and no other, and `granted` tells how many more it allowed.
const ALLOWED_COUNTED: &str = "counted AS (INSERT INTO quota_days AS q (tenant_id, day, emails, granted) \
SELECT h.id, (now() AT TIME ZONE 'UTC')::date, LEAST(count(*), h.per_day), LEAST(count(*), h.per_day) \
FROM contender i JOIN holder h ON h.id = i.tenant_id WHERE h.per_day IS NOT NULL AND i.mode = 'live' GROUP BY h.id, h.per_day ORDER BY h.id \
ON CONFLICT (tenant_id, day) DO UPDATE SET (emails, granted) = (SELECT q.emails + more.granted, more.granted \
FROM (SELECT LEAST(excluded.emails, h.per_day - q.emails) AS granted FROM holder h WHERE h.id = q.tenant_id) more) \
WHERE q.emails < (SELECT h.per_day FROM holder h WHERE h.id = q.tenant_id) RETURNING tenant_id, granted), \
allowed AS (SELECT i.* FROM contender i JOIN holder h ON h.id = i.tenant_id LEFT JOIN counted c ON c.tenant_id = i.tenant_id \
WHERE h.per_day IS NULL OR i.mode <> 'live' OR i.nth <= c.granted), ";

/// Whether a recipient is on its tenant's suppression list: looked up one at a time, so that the planner has nothing to choose.
/// What is compared has the index's collation, or the index would serve for the tenant alone, and its whole list be read.
const BARRED: &str = "coalesce((SELECT true FROM suppressions s WHERE s.tenant_id = r.tenant_id AND s.folded = lower(r.address COLLATE \"C\") COLLATE \"default\"), false) AS barred FROM unnest(";

/// An email whose recipients are all suppressed has nothing left to do.
const ACCEPTED: &str = ") AS r(email_id, ordinal, tenant_id, kind, name, address, event_id)), \
open AS MATERIALIZED (SELECT a.*, a.id IN (SELECT email_id FROM recipient WHERE NOT barred) AS waits FROM allowed a), \
accepted AS (INSERT INTO emails (id, tenant_id, api_key_id, mode, priority, status, smtputf8, from_name, from_address, subject, reply_to, tags, metadata, scheduled_at, template_id, template_version, trace_id) \
SELECT id, tenant_id, api_key_id, mode, priority, CASE WHEN waits THEN 'queued' ELSE 'failed' END, smtputf8, from_name, from_address, subject, reply_to, tags, metadata, scheduled_at, template_id, template_version, trace_id FROM open RETURNING id, created_at, scheduled_at), \
work AS (INSERT INTO queue (email_id, tenant_id, priority, due_at) SELECT id, tenant_id, priority, coalesce(scheduled_at, now()) FROM open WHERE waits), \
happened AS (INSERT INTO events (email_id, id, tenant_id, kind, ordinal, attempt) SELECT id, event_id, tenant_id, 'queued', NULL, 0 FROM open \
UNION ALL SELECT r.email_id, r.event_id, r.tenant_id, 'suppressed', r.ordinal, 0 FROM recipient r WHERE r.barred AND r.email_id IN (SELECT id FROM open)), \
told AS (INSERT INTO recipients (email_id, ordinal, tenant_id, kind, name, address, status) SELECT email_id, ordinal, tenant_id, kind, name, address, \
CASE WHEN barred THEN 'suppressed' ELSE 'queued' END FROM recipient WHERE email_id IN (SELECT id FROM open)), \
said AS (INSERT INTO messages (email_id, text, html, raw) SELECT m.* FROM unnest(";

const ANSWER: &str = ") AS m(email_id, text, html, raw) WHERE m.email_id IN (SELECT id FROM open)) \
SELECT i.id, a.created_at, a.scheduled_at, h.status, \
GREATEST(0, extract(epoch FROM date_trunc('day', now() AT TIME ZONE 'UTC') + interval '1 day' - clock_timestamp() AT TIME ZONE 'UTC'))::float8, i.untimely, ";

const ANSWERED: &str = " FROM input i LEFT JOIN accepted a ON a.id = i.id LEFT JOIN holder h ON h.id = i.tenant_id ORDER BY i.turn";
