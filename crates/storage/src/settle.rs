//! Settling: what came of an attempt is recorded once, by whoever still holds the lease.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Integer, Nullable, SmallInt, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use selfmx_auth::System;
use selfmx_domain::{
    Address, BounceType, Clock, EmailId, EmailStatus, Entropy, EventId, EventKind, NextStep, RecipientState, Reply, SuppressionId, folded,
};
use uuid::Uuid;

use crate::lease::Lease;
use crate::queue::{Delivery, millis};
use crate::store::change;
use crate::{Error, Store};

/// What came of an attempt for one recipient.
#[derive(Debug)]
pub struct Outcome {
    /// The recipient's place among the email's recipients.
    pub ordinal: i16,
    /// How many attempts had been made before.
    pub attempts_before: u32,
    /// What follows.
    pub step: NextStep,
}

/// A lease that was used up, with what is to be recorded.
#[must_use = "a settlement has to be recorded"]
#[derive(Debug)]
pub struct Settlement {
    token: Uuid,
    email_id: EmailId,
    tenant: Uuid,
    status: EmailStatus,
    retry_after: Option<Duration>,
    /// How long the attempt took.
    took: Option<Duration>,
    outcomes: Vec<Outcome>,
    /// The addresses of those who bounced for good, by their ordinals.
    bounced: HashMap<i16, Address>,
}

impl Lease<Delivery> {
    /// Uses the lease up. A recipient for whom there is no outcome goes on waiting and is due at once.
    pub fn settle(self, outcomes: Vec<Outcome>) -> Settlement {
        let (token, delivery) = self.into_parts();
        let settled: HashSet<_> = outcomes.iter().map(|outcome| outcome.ordinal).collect();
        let untouched = delivery.waiting.iter().filter(|waiting| !settled.contains(&waiting.ordinal));
        let mut retry_after: Option<Duration> = untouched.map(|_| Duration::ZERO).next();
        let mut states = delivery.finished;
        for outcome in &outcomes {
            match &outcome.step {
                NextStep::Final(state) => states.push(state.clone()),
                NextStep::Retry { delay, .. } => retry_after = Some(retry_after.map_or(*delay, |earlier| earlier.min(*delay))),
            }
        }
        let bounced = delivery.waiting.into_iter().filter(|waiting| is_bounced(&outcomes, waiting.ordinal));
        let bounced = bounced.map(|waiting| (waiting.ordinal, waiting.address)).collect();
        let status = if retry_after.is_some() { EmailStatus::Queued } else { EmailStatus::of(&states) };
        Settlement {
            token,
            email_id: delivery.email_id,
            tenant: delivery.tenant.as_uuid(),
            status,
            retry_after,
            took: None,
            outcomes,
            bounced,
        }
    }
}

impl Settlement {
    /// The same, of an attempt that took so long.
    pub fn took(self, time: Duration) -> Self {
        Self { took: Some(time), ..self }
    }
}

impl Store {
    /// Records settlements in one commit: recipients, emails, events, the queue, and the addresses that bounced for good on the tenants' suppression lists. It tells which emails were recorded: the others' leases had
    /// run out and were taken by another worker, and nothing of theirs was changed.
    ///
    /// # Errors
    ///
    /// Where the database cannot. The settlements stay with the caller, who may try again: recording twice changes nothing.
    pub async fn queue_settle(&self, _system: &System, settlements: &[Settlement]) -> Result<HashSet<EmailId>, Error> {
        let mut record = Record::default();
        for settlement in settlements {
            record.push(settlement, &*self.clock, &*self.entropy)?;
        }
        let recorded: Vec<Uuid> = change!(self, connection => record.get_results(connection).await).await?;
        let recorded: HashSet<_> = recorded.into_iter().map(EmailId::from_uuid).collect();
        let settled = settlements.iter().filter(|settlement| recorded.contains(&settlement.email_id));
        settled.for_each(|settlement| self.email_counts.note(settlement.status));
        self.webhook_wake.happened(settlements.iter().map(|settlement| settlement.tenant));
        Ok(recorded)
    }
}

#[derive(Default, QueryId)]
struct Record {
    emails: Vec<Uuid>,
    tokens: Vec<Uuid>,
    tenants: Vec<Uuid>,
    statuses: Vec<&'static str>,
    retries: Vec<Option<i64>>,
    durations: Vec<Option<i32>>,
    outcomes: OutcomeRows,
}

#[derive(Default, QueryId)]
struct OutcomeRows {
    emails: Vec<Uuid>,
    ordinals: Vec<i16>,
    statuses: Vec<&'static str>,
    attempts: Vec<i32>,
    bounces: Vec<Option<&'static str>>,
    codes: Vec<Option<i16>>,
    enhanced: Vec<Option<String>>,
    texts: Vec<String>,
    responses: Vec<String>,
    retries: Vec<Option<i64>>,
    events: Vec<Option<Uuid>>,
    kinds: Vec<&'static str>,
    suppressions: Vec<Option<Uuid>>,
    addresses: Vec<Option<String>>,
    folded: Vec<Option<String>>,
}

impl Record {
    fn push(&mut self, settlement: &Settlement, clock: &dyn Clock, entropy: &dyn Entropy) -> Result<(), Error> {
        let email = settlement.email_id.as_uuid();
        self.emails.push(email);
        self.tokens.push(settlement.token);
        self.tenants.push(settlement.tenant);
        self.statuses.push(settlement.status.as_str());
        self.retries.push(settlement.retry_after.map(millis));
        self.durations.push(settlement.took.map(|took| i32::try_from(took.as_millis()).unwrap_or(i32::MAX)));
        for outcome in &settlement.outcomes {
            self.outcomes.push(email, outcome, EventId::generate(clock, entropy))?;
            self.outcomes.suppress(settlement.bounced.get(&outcome.ordinal), || SuppressionId::generate(clock, entropy));
        }
        Ok(())
    }
}

impl OutcomeRows {
    fn push(&mut self, email: Uuid, outcome: &Outcome, event: EventId) -> Result<(), Error> {
        let row = OutcomeRow::of(&outcome.step);
        let attempts = i32::try_from(row.attempts).or(Err(Error::Unreadable("recipients.attempts")))?;
        // An attempt that was not made happened to nobody.
        let happened = row.attempts > outcome.attempts_before;
        self.emails.push(email);
        self.ordinals.push(outcome.ordinal);
        self.statuses.push(row.status);
        self.attempts.push(attempts);
        self.bounces.push(row.bounce);
        self.codes.push(row.reply.map(|reply| i16::try_from(reply.code()).unwrap_or(i16::MAX)));
        self.enhanced.push(row.reply.and_then(Reply::enhanced).map(|enhanced| enhanced.to_string()));
        self.texts.push(storable(row.reply.map_or(row.text, Reply::text)));
        self.responses.push(row.reply.map_or_else(|| storable(row.text), |reply| storable(&reply.to_string())));
        self.retries.push(row.retry);
        self.events.push(happened.then(|| event.as_uuid()));
        self.kinds.push(row.kind.as_str());
        Ok(())
    }

    /// What is to stand on the suppression list for the outcome that was pushed.
    fn suppress(&mut self, address: Option<&Address>, id: impl FnOnce() -> SuppressionId) {
        self.suppressions.push(address.map(|_| id().as_uuid()));
        self.addresses.push(address.map(ToString::to_string));
        self.folded.push(address.map(folded));
    }
}

/// Whether the relay refused this recipient for good.
fn is_bounced(outcomes: &[Outcome], ordinal: i16) -> bool {
    let hard = |outcome: &&Outcome| matches!(outcome.step, NextStep::Final(RecipientState::Bounced { bounce: BounceType::Hard, .. }));
    outcomes.iter().filter(hard).any(|outcome| outcome.ordinal == ordinal)
}

/// A text without the one character that PostgreSQL cannot keep: no relay's words may keep a result from being recorded.
pub(crate) fn storable(text: &str) -> String {
    text.replace('\0', " ")
}

/// What a step means for the recipient's row.
struct OutcomeRow<'a> {
    status: &'static str,
    attempts: u32,
    bounce: Option<&'static str>,
    reply: Option<&'a Reply>,
    text: &'a str,
    retry: Option<i64>,
    kind: EventKind,
}

impl<'a> OutcomeRow<'a> {
    fn of(step: &'a NextStep) -> Self {
        let state = match step {
            NextStep::Final(state) => state,
            NextStep::Retry { queued, delay, reason } => {
                let retry = Some(millis(*delay));
                return Self {
                    status: "queued",
                    attempts: queued.attempts(),
                    bounce: None,
                    reply: None,
                    text: reason,
                    retry,
                    kind: EventKind::Deferred,
                };
            }
        };
        let (status, attempts) = (state.as_str(), state.attempts());
        let row = Self { status, attempts, bounce: None, reply: None, text: "", retry: None, kind: EventKind::Failed };
        match state {
            RecipientState::Delivered { reply, .. } => Self { reply: Some(reply), kind: EventKind::Delivered, ..row },
            RecipientState::Bounced { bounce, reply, .. } => {
                Self { bounce: Some(bounce.as_str()), reply: Some(reply), kind: EventKind::Bounced, ..row }
            }
            RecipientState::Failed { reason, .. } => Self { text: reason, ..row },
            RecipientState::Queued(_) => Self { kind: EventKind::Deferred, ..row },
            RecipientState::Suppressed => Self { kind: EventKind::Suppressed, ..row },
            RecipientState::Canceled { .. } => Self { kind: EventKind::Canceled, ..row },
        }
    }
}

impl Query for Record {
    type SqlType = SqlUuid;
}

impl<C> diesel::RunQueryDsl<C> for Record {}

impl QueryFragment<Pg> for Record {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("WITH input AS MATERIALIZED (SELECT * FROM unnest(");
        out.push_bind_param::<Array<SqlUuid>, _>(&self.emails)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<SqlUuid>, _>(&self.tokens)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<SqlUuid>, _>(&self.tenants)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.statuses)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Nullable<BigInt>>, _>(&self.retries)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Nullable<Integer>>, _>(&self.durations)?;
        out.push_sql(FENCED);
        out.push_bind_param::<Array<SqlUuid>, _>(&self.emails)?;
        out.push_sql(SETTLED);
        self.outcomes.walk_ast(out.reborrow())?;
        out.push_sql(RECORDED);
        Ok(())
    }
}

/// `mine`, to which everything else is limited: what the token is still the current one of. The rows are locked in the order of their ids, and named
/// by arrays; [`Held`](crate::queue) says why.
const FENCED: &str = ") AS t(email_id, token, tenant_id, status, retry, took)), \
held AS (SELECT email_id, lease_token FROM queue WHERE email_id = ANY(";

const SETTLED: &str = ") ORDER BY email_id FOR UPDATE), \
mine AS MATERIALIZED (SELECT i.* FROM input i JOIN held h ON h.email_id = i.email_id AND h.lease_token = i.token), \
gone AS (DELETE FROM queue WHERE email_id = ANY(ARRAY(SELECT email_id FROM mine WHERE retry IS NULL))), \
kept AS (UPDATE queue q SET lease_token = NULL, unsettled = 0, due_at = now() + (SELECT m.retry FROM mine m WHERE m.email_id = q.email_id) * interval '1 millisecond' \
WHERE q.email_id = ANY(ARRAY(SELECT email_id FROM mine WHERE retry IS NOT NULL))), \
outcome AS (SELECT * FROM unnest(";

const RECORDED: &str = ") AS t(email_id, ordinal, status, attempts, bounce_type, code, enhanced, reply_text, response, retry, event_id, kind, suppression_id, address, folded)), \
noted AS (UPDATE recipients r SET status = o.status, attempts = o.attempts, bounce_type = o.bounce_type, reply_code = o.code, reply_enhanced = o.enhanced, \
reply_text = o.reply_text, next_attempt_at = now() + o.retry * interval '1 millisecond' FROM outcome o JOIN mine m USING (email_id) \
WHERE r.email_id = o.email_id AND r.ordinal = o.ordinal), \
closed AS (UPDATE emails e SET status = m.status, delivered_at = CASE WHEN m.status = 'delivered' THEN now() END FROM mine m WHERE e.tenant_id = m.tenant_id AND e.id = m.email_id AND m.retry IS NULL), \
happened AS (INSERT INTO events (email_id, id, tenant_id, kind, ordinal, attempt, response, duration_ms) \
SELECT o.email_id, o.event_id, m.tenant_id, o.kind, o.ordinal, o.attempts, o.response, m.took FROM outcome o JOIN mine m USING (email_id) WHERE o.event_id IS NOT NULL), \
suppressed AS (INSERT INTO suppressions (tenant_id, id, address, folded, reason, email_id, response) \
SELECT m.tenant_id, o.suppression_id, o.address, o.folded, 'bounce', o.email_id, o.response FROM outcome o JOIN mine m USING (email_id) \
WHERE o.suppression_id IS NOT NULL ORDER BY m.tenant_id, o.folded ON CONFLICT DO NOTHING) \
SELECT email_id FROM mine";

impl QueryFragment<Pg> for OutcomeRows {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_bind_param::<Array<SqlUuid>, _>(&self.emails)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<SmallInt>, _>(&self.ordinals)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.statuses)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Integer>, _>(&self.attempts)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Nullable<Text>>, _>(&self.bounces)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Nullable<SmallInt>>, _>(&self.codes)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Nullable<Text>>, _>(&self.enhanced)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.texts)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.responses)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Nullable<BigInt>>, _>(&self.retries)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Nullable<SqlUuid>>, _>(&self.events)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.kinds)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Nullable<SqlUuid>>, _>(&self.suppressions)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Nullable<Text>>, _>(&self.addresses)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Nullable<Text>>, _>(&self.folded)
    }
}
