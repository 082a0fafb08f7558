//! The statement that accepts emails, in two forms: most tenants have no quota, and their mail pays nothing for those that have.

use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, Binary, Bool, Double, Jsonb, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use selfmx_domain::{EventId, Priority};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Acceptance;
use crate::{Error, details};

/// What the statement says of an email: its id, when it was accepted if it was, its tenant's status, and how many seconds are left of the day.
pub(super) type Row = (Uuid, Option<OffsetDateTime>, Option<String>, f64);

/// Any number of emails, so that each form of the statement is prepared once.
#[derive(Default)]
pub(super) struct Insert {
    ids: Vec<Uuid>,
    tenants: Vec<Uuid>,
    keys: Vec<Uuid>,
    modes: Vec<&'static str>,
    priorities: Vec<i16>,
    smtputf8: Vec<bool>,
    from_names: Vec<Option<String>>,
    from_addresses: Vec<String>,
    subjects: Vec<String>,
    reply_to: Vec<Value>,
    tags: Vec<Value>,
    metadata: Vec<Value>,
    texts: Vec<Option<String>>,
    htmls: Vec<Option<String>>,
    messages: Vec<Vec<u8>>,
    events: Vec<Uuid>,
    recipients: RecipientRows,
}

/// Accepts emails unless one of their tenants has a quota: then none.
pub(super) struct Uncounted<'a>(pub(super) &'a Insert);

/// Accepts emails as far as their tenants' quotas go.
pub(super) struct Counted<'a>(pub(super) &'a Insert);

#[derive(Default)]
struct RecipientRows {
    emails: Vec<Uuid>,
    ordinals: Vec<i16>,
    tenants: Vec<Uuid>,
    kinds: Vec<&'static str>,
    names: Vec<Option<String>>,
    addresses: Vec<String>,
}

impl Insert {
    pub(super) fn push(&mut self, acceptance: Acceptance, event: EventId) -> Result<(), Error> {
        let Acceptance { id, consented, message } = acceptance;
        let (tenant, draft) = (consented.tenant().as_uuid(), consented.draft());
        self.ids.push(id.as_uuid());
        self.tenants.push(tenant);
        self.keys.push(consented.key_id().as_uuid());
        self.modes.push(consented.mode().as_str());
        self.priorities.push(rank(draft.priority()));
        self.smtputf8.push(draft.needs_smtputf8());
        self.from_names.push(draft.from().name().map(str::to_owned));
        self.from_addresses.push(draft.from().address().to_string());
        self.subjects.push(draft.subject().as_str().to_owned());
        self.reply_to.push(details::mailboxes_to_json(draft.reply_to()));
        self.tags.push(details::tags_to_json(draft.tags()));
        self.metadata.push(details::metadata_to_json(draft.metadata()));
        self.texts.push(draft.body().text().map(str::to_owned));
        self.htmls.push(draft.body().html().map(str::to_owned));
        self.messages.push(message);
        self.events.push(event.as_uuid());
        for (ordinal, (kind, mailbox)) in draft.recipients().iter().enumerate() {
            self.recipients.emails.push(id.as_uuid());
            self.recipients.ordinals.push(i16::try_from(ordinal).or(Err(Error::Unreadable("recipients")))?);
            self.recipients.tenants.push(tenant);
            self.recipients.kinds.push(kind.as_str());
            self.recipients.names.push(mailbox.name().map(str::to_owned));
            self.recipients.addresses.push(mailbox.address().to_string());
        }
        Ok(())
    }
}

/// The order in the queue, as the table has it.
const fn rank(priority: Priority) -> i16 {
    match priority {
        Priority::High => 0,
        Priority::Normal => 1,
        Priority::Low => 2,
    }
}

// Derived, it would ask for a type without borrows.
impl QueryId for Uncounted<'_> {
    type QueryId = Uncounted<'static>;

    const HAS_STATIC_QUERY_ID: bool = true;
}

impl QueryId for Counted<'_> {
    type QueryId = Counted<'static>;

    const HAS_STATIC_QUERY_ID: bool = true;
}

impl QueryFragment<Pg> for Uncounted<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("WITH input AS (SELECT * FROM unnest(");
        self.0.walk_input(out.reborrow())?;
        out.push_sql(ALLOWED_UNCOUNTED);
        self.0.walk_rest(out)
    }
}

impl QueryFragment<Pg> for Counted<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        // Numbered for each tenant, those that count and those that do not apart from each other.
        out.push_sql("WITH input AS (SELECT *, row_number() OVER (PARTITION BY tenant_id, mode ORDER BY turn) AS nth FROM unnest(");
        self.0.walk_input(out.reborrow())?;
        out.push_sql(ALLOWED_COUNTED);
        self.0.walk_rest(out)
    }
}

impl Insert {
    fn walk_input<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_bind_param::<Array<SqlUuid>, _>(&self.ids)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<SqlUuid>, _>(&self.tenants)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<SqlUuid>, _>(&self.keys)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.modes)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<SmallInt>, _>(&self.priorities)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Bool>, _>(&self.smtputf8)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Nullable<Text>>, _>(&self.from_names)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.from_addresses)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.subjects)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Jsonb>, _>(&self.reply_to)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Jsonb>, _>(&self.tags)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Jsonb>, _>(&self.metadata)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<SqlUuid>, _>(&self.events)?;
        out.push_sql(HOLDER);
        out.push_bind_param::<Array<SqlUuid>, _>(&self.tenants)
    }

    fn walk_rest<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(ACCEPTED);
        out.push_bind_param::<Array<SqlUuid>, _>(&self.ids)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Nullable<Text>>, _>(&self.texts)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Nullable<Text>>, _>(&self.htmls)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Binary>, _>(&self.messages)?;
        out.push_sql(TOLD);
        self.recipients.walk_ast(out.reborrow())?;
        out.push_sql(ANSWER);
        Ok(())
    }
}

/// No lock is taken: a tenant's row is shared by all its mail. Whoever is suspended while this runs is suspended after it.
const HOLDER: &str = ") WITH ORDINALITY AS t(id, tenant_id, api_key_id, mode, priority, smtputf8, from_name, from_address, subject, reply_to, tags, metadata, event_id, turn)), \
holder AS MATERIALIZED (SELECT id, status, NULLIF(emails_per_day, 0) AS per_day FROM tenants WHERE id = ANY(";

const ALLOWED_UNCOUNTED: &str = ")), allowed AS (SELECT i.* FROM input i JOIN holder h ON h.id = i.tenant_id \
WHERE h.status = 'active' AND NOT EXISTS (SELECT FROM holder WHERE per_day IS NOT NULL)), ";

/// Mail counts where it goes out and its tenant has a quota. Each tenant's row is locked until the commit, in one order everywhere, so that no two
/// statements wait for each other; by then it is the newest, which no snapshot has: a condition decides by it and no other, and `granted` tells how many more it allowed.
const ALLOWED_COUNTED: &str = ")), counted AS (INSERT INTO quota_days AS q (tenant_id, day, emails, granted) \
SELECT h.id, (now() AT TIME ZONE 'UTC')::date, LEAST(count(*), h.per_day), LEAST(count(*), h.per_day) \
FROM input i JOIN holder h ON h.id = i.tenant_id WHERE h.status = 'active' AND h.per_day IS NOT NULL AND i.mode = 'live' GROUP BY h.id, h.per_day ORDER BY h.id \
ON CONFLICT (tenant_id, day) DO UPDATE SET (emails, granted) = (SELECT q.emails + more.granted, more.granted \
FROM (SELECT LEAST(excluded.emails, h.per_day - q.emails) AS granted FROM holder h WHERE h.id = q.tenant_id) more) \
WHERE q.emails < (SELECT h.per_day FROM holder h WHERE h.id = q.tenant_id) RETURNING tenant_id, granted), \
allowed AS (SELECT i.* FROM input i JOIN holder h ON h.id = i.tenant_id LEFT JOIN counted c ON c.tenant_id = i.tenant_id \
WHERE h.status = 'active' AND (h.per_day IS NULL OR i.mode <> 'live' OR i.nth <= c.granted)), ";

const ACCEPTED: &str = "accepted AS (INSERT INTO emails (id, tenant_id, api_key_id, mode, priority, smtputf8, from_name, from_address, subject, reply_to, tags, metadata) \
SELECT id, tenant_id, api_key_id, mode, priority, smtputf8, from_name, from_address, subject, reply_to, tags, metadata FROM allowed RETURNING id, created_at), \
work AS (INSERT INTO queue (email_id, tenant_id, priority) SELECT id, tenant_id, priority FROM allowed), \
happened AS (INSERT INTO events (email_id, id, tenant_id, kind, attempt) SELECT id, event_id, tenant_id, 'queued', 0 FROM allowed), \
said AS (INSERT INTO messages (email_id, text, html, raw) SELECT m.* FROM unnest(";

const TOLD: &str = ") AS m(email_id, text, html, raw) WHERE m.email_id IN (SELECT id FROM allowed)), \
told AS (INSERT INTO recipients (email_id, ordinal, tenant_id, kind, name, address) SELECT r.* FROM unnest(";

const ANSWER: &str = ") AS r(email_id, ordinal, tenant_id, kind, name, address) WHERE r.email_id IN (SELECT id FROM allowed)) \
SELECT i.id, a.created_at, h.status, \
GREATEST(0, extract(epoch FROM date_trunc('day', now() AT TIME ZONE 'UTC') + interval '1 day' - clock_timestamp() AT TIME ZONE 'UTC'))::float8 \
FROM input i LEFT JOIN accepted a ON a.id = i.id LEFT JOIN holder h ON h.id = i.tenant_id ORDER BY i.turn";

impl QueryFragment<Pg> for RecipientRows {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_bind_param::<Array<SqlUuid>, _>(&self.emails)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<SmallInt>, _>(&self.ordinals)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<SqlUuid>, _>(&self.tenants)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.kinds)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Nullable<Text>>, _>(&self.names)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.addresses)
    }
}

type SqlRow = (SqlUuid, Nullable<Timestamptz>, Nullable<Text>, Double);

impl Query for Uncounted<'_> {
    type SqlType = SqlRow;
}

impl Query for Counted<'_> {
    type SqlType = SqlRow;
}

impl<C> diesel::RunQueryDsl<C> for Uncounted<'_> {}
impl<C> diesel::RunQueryDsl<C> for Counted<'_> {}
