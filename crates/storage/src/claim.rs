//! Claiming: the statement that leases what is due and sets aside what may not be sent, and what its rows mean.

use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Binary, Bool, Integer, Nullable, SmallInt, Text, Uuid as SqlUuid};
use selfmx_domain::{BounceType, EmailId, Queued, RecipientState, Reply, TenantId};
use uuid::Uuid;

use crate::Error;
use crate::lease::Lease;
use crate::queue::{Delivery, Waiting};
use crate::tenant_relay::RelayVersion;

/// Messages up to this many octets come with the lease; larger ones are fetched one at a time, when it is their turn.
const INLINE_OCTETS: i32 = 64 * 1024;

#[derive(QueryId)]
pub(crate) struct Claim {
    pub(crate) count: i64,
    pub(crate) millis: i64,
    /// Whose work is passed over.
    pub(crate) except: Vec<Uuid>,
}

/// What a claim answers for each email; whatever else of the email is missing is absent. Without a token it was not leased but set aside.
pub(crate) type Row = (Uuid, Option<Uuid>, Option<EmailColumns>, Option<Vec<u8>>, Option<i64>, Option<RecipientColumns>);

type EmailColumns = (Uuid, String, String, bool);
type RecipientColumns = (Vec<i16>, Vec<String>, Vec<String>, Vec<i32>);

impl Query for Claim {
    type SqlType = (
        SqlUuid,
        Nullable<SqlUuid>,
        Nullable<(SqlUuid, Text, Text, Bool)>,
        Nullable<Binary>,
        Nullable<BigInt>,
        Nullable<(Array<SmallInt>, Array<Text>, Array<Text>, Array<Integer>)>,
    );
}

impl<C> diesel::RunQueryDsl<C> for Claim {}

impl QueryFragment<Pg> for Claim {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(DUE);
        out.push_bind_param::<Array<SqlUuid>, _>(&self.except)?;
        out.push_sql(") ORDER BY due_at LIMIT ");
        out.push_bind_param::<BigInt, _>(&self.count)?;
        out.push_sql(" FOR UPDATE SKIP LOCKED) AS q LIMIT ");
        out.push_bind_param::<BigInt, _>(&self.count)?;
        out.push_sql(CLAIMED);
        out.push_bind_param::<BigInt, _>(&self.millis)?;
        out.push_sql(LEASED);
        out.push_bind_param::<Integer, _>(&INLINE_OCTETS)?;
        out.push_sql(READ);
        Ok(())
    }
}

/// The ids of what is due, in their order. They are an array, so that they keep it, and so that the planner has nothing to choose: a plan that is
/// made while the queue is small is kept when it is long.
const DUE: &str = "WITH due AS MATERIALIZED (SELECT ARRAY(SELECT q.email_id FROM (VALUES (0::smallint), (1::smallint), (2::smallint)) AS p(priority), \
LATERAL (SELECT email_id FROM queue WHERE NOT held AND priority = p.priority AND due_at <= now() AND tenant_id <> ALL(";

/// What belongs to a tenant that may not send is set aside, and is passed over from then on. It keeps its token: an attempt whose lease ran out may
/// still be on its way. `OFFSET 0` has each row's tenant looked up once.
const CLAIMED: &str = ") AS ids), claimed AS (UPDATE queue SET (held, lease_token, due_at) = (SELECT s.held, \
CASE WHEN s.held THEN queue.lease_token ELSE gen_random_uuid() END, CASE WHEN s.held THEN queue.due_at ELSE now() + ";

/// Each email is looked up by its id, one at a time; where it is missing the lease stays, so that the rest of the batch is not lost.
const LEASED: &str = " * interval '1 millisecond' END \
FROM (SELECT coalesce((SELECT t.status <> 'active' FROM tenants t WHERE t.id = queue.tenant_id), false) AS held OFFSET 0) AS s) \
WHERE email_id = ANY((SELECT ids FROM due)::uuid[]) RETURNING email_id, tenant_id, CASE WHEN NOT held THEN lease_token END AS lease_token) \
SELECT l.email_id, l.lease_token, e.tenant_id, e.mode, e.from_address, e.smtputf8, m.raw, t.relay_version, r.ordinals, r.addresses, r.statuses, r.attempts FROM claimed l \
LEFT JOIN LATERAL (SELECT tenant_id, mode, from_address, smtputf8 FROM emails WHERE l.lease_token IS NOT NULL AND tenant_id = l.tenant_id AND id = l.email_id LIMIT 1) AS e ON true \
LEFT JOIN LATERAL (SELECT CASE WHEN octet_length(raw) <= ";

const READ: &str = " THEN raw END AS raw FROM messages WHERE l.lease_token IS NOT NULL AND email_id = l.email_id LIMIT 1) AS m ON true \
LEFT JOIN LATERAL (SELECT relay_version FROM tenants WHERE l.lease_token IS NOT NULL AND id = l.tenant_id AND relay_host IS NOT NULL LIMIT 1) AS t ON true \
CROSS JOIN LATERAL (SELECT array_agg(ordinal ORDER BY ordinal) AS ordinals, array_agg(address ORDER BY ordinal) AS addresses, \
array_agg(status ORDER BY ordinal) AS statuses, array_agg(attempts ORDER BY ordinal) AS attempts FROM recipients WHERE l.lease_token IS NOT NULL AND email_id = l.email_id) AS r \
ORDER BY array_position((SELECT ids FROM due), l.email_id)";

/// A row that cannot be read hurts no other: it is left to its lease's end and to whoever reads the log. One that was set aside is nobody's.
pub(crate) fn readable(row: Row) -> Option<Lease<Delivery>> {
    let (id, token) = (EmailId::from_uuid(row.0), row.1?);
    match read_row(row, token) {
        Ok(lease) => Some(lease),
        Err(error) => {
            tracing::error!(email_id = %id, error = %error, "a queued email cannot be read");
            None
        }
    }
}

fn read_row(row: Row, token: Uuid) -> Result<Lease<Delivery>, Error> {
    let (email, _, columns, message, relay, recipients) = row;
    let (tenant, mode, sender, smtputf8) = columns.ok_or(Error::Unreadable("emails"))?;
    let (ordinals, addresses, statuses, attempts) = recipients.ok_or(Error::Unreadable("recipients"))?;
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
        relay: relay.map(RelayVersion::of),
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
