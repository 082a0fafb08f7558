//! An email that cannot be worked on counts its attempts all the same, and is set aside when they are used up: nothing comes back without end.

use std::time::Duration;

use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Bool, SmallInt, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use selfmx_auth::System;
use selfmx_domain::{EmailStatus, EventId, Jitter, Limits, RetryPolicy};

use crate::queue::{LeaseKey, millis};
use crate::store::change;
use crate::suspect::STILL_SUSPECTED;
use crate::{Error, Store};

/// More retries than these are not made for what fails by itself.
const MOST_RETRIES: u32 = 50;

/// What keeps a leased email from being worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// What is stored of it cannot be read, so nothing was sent. The text names the place.
    Unreadable(&'static str),
    /// The attempt broke down within the server, which therefore does not know how far it had come.
    BrokeDown,
    /// Its leases ended without a result again and again, the last while it was [delivered alone](crate::Suspicion): most likely it ends the process that
    /// delivers it.
    Died,
}

impl Fault {
    fn reason(self) -> String {
        match self {
            Self::Unreadable(place) => format!("what is stored of the email cannot be read: {place}"),
            Self::BrokeDown => "the server broke down in the attempt: the relay may have taken the message".to_owned(),
            Self::Died => {
                "the server ended each time that it had the email in hand, the last time alone: the relay may have taken the message"
                    .to_owned()
            }
        }
    }

    /// What the row of the queue counts from then on. Who died alone is alone again the next time.
    const fn unsettled(self) -> i16 {
        match self {
            Self::Unreadable(_) | Self::BrokeDown => 0,
            Self::Died => STILL_SUSPECTED,
        }
    }

    /// What may be with the relay already is not offered again at once.
    const fn least_delay(self) -> Duration {
        match self {
            Self::Unreadable(_) => Duration::ZERO,
            Self::BrokeDown | Self::Died => RetryPolicy::AMBIGUOUS_DELAY,
        }
    }
}

/// By the lease's token, as all that settles. The attempt's number is that of the recipient who has had the most; where there is none, or it is past the
/// last delay, the email has failed.
const RECORD: &str = "WITH held AS MATERIALIZED (SELECT email_id, tenant_id FROM queue WHERE email_id = $1 AND lease_token = $2 FOR UPDATE), \
judged AS MATERIALIZED (SELECT a.*, ($3::bigint[])[a.attempt] AS retry FROM (SELECT h.email_id, h.tenant_id, \
(SELECT max(greatest(r.attempts, 0)) + 1 FROM recipients r WHERE r.email_id = h.email_id AND r.status = 'queued') AS attempt FROM held h) AS a), \
gone AS (DELETE FROM queue WHERE email_id = ANY(ARRAY(SELECT email_id FROM judged WHERE retry IS NULL))), \
kept AS (UPDATE queue q SET lease_token = NULL, unsettled = $6, due_at = now() + (SELECT j.retry FROM judged j WHERE j.email_id = q.email_id) * interval '1 millisecond' \
WHERE email_id = ANY(ARRAY(SELECT email_id FROM judged WHERE retry IS NOT NULL))), \
noted AS (UPDATE recipients r SET status = CASE WHEN j.retry IS NULL THEN 'failed' ELSE 'queued' END, attempts = j.attempt, bounce_type = NULL, \
reply_code = NULL, reply_enhanced = NULL, reply_text = $4, next_attempt_at = now() + j.retry * interval '1 millisecond' \
FROM judged j WHERE r.email_id = j.email_id AND r.status = 'queued' RETURNING r.email_id, r.ordinal), \
closed AS (UPDATE emails e SET status = CASE WHEN 'bounced' = ANY(ARRAY(SELECT r.status FROM recipients r WHERE r.email_id = e.id)) THEN 'bounced' ELSE 'failed' END \
FROM judged j WHERE e.tenant_id = j.tenant_id AND e.id = j.email_id AND j.retry IS NULL), \
happened AS (INSERT INTO events (email_id, id, tenant_id, kind, ordinal, attempt, response) \
SELECT j.email_id, coalesce(($5::uuid[])[coalesce(n.ordinal, 0) + 1], gen_random_uuid()), j.tenant_id, CASE WHEN j.retry IS NULL THEN 'failed' ELSE 'deferred' END, n.ordinal, coalesce(j.attempt, 0), $4 \
FROM judged j JOIN emails e ON e.tenant_id = j.tenant_id AND e.id = j.email_id LEFT JOIN noted n ON n.email_id = j.email_id) \
SELECT retry IS NULL AS is_over FROM judged";

/// Whether it was the last attempt.
#[derive(QueryableByName)]
struct Judged {
    #[diesel(sql_type = Bool)]
    is_over: bool,
}

impl Store {
    /// Records that a leased email could not be worked on: one attempt for each recipient who waits, an event, and a delay by `policy`; or after the last
    /// attempt the end, as `failed`. It tells whether the lease was still ours; otherwise nothing has changed.
    ///
    /// # Errors
    ///
    /// Where the database cannot; then the lease runs out by itself.
    pub async fn queue_fault(&self, _system: &System, key: LeaseKey, fault: Fault, policy: &RetryPolicy) -> Result<bool, Error> {
        self.fault(key, fault, policy).await
    }

    pub(crate) async fn fault(&self, key: LeaseKey, fault: Fault, policy: &RetryPolicy) -> Result<bool, Error> {
        let mut random = [0; 2];
        self.entropy.fill(&mut random);
        let delay = |failures| policy.delay(failures, Jitter::from_bytes(random));
        let delays: Vec<_> = (1..=MOST_RETRIES).map_while(delay).map(|delay| millis(delay.max(fault.least_delay()))).collect();
        let (email, token) = key.parts();
        // Made here, since they sort by time.
        let event = |_| EventId::generate(&*self.clock, &*self.entropy).as_uuid();
        let events: Vec<_> = (0..Limits::default().recipients).map(event).collect();
        let record = diesel::sql_query(RECORD)
            .bind::<SqlUuid, _>(email)
            .bind::<SqlUuid, _>(token)
            .bind::<Array<BigInt>, _>(delays)
            .bind::<Text, _>(fault.reason())
            .bind::<Array<SqlUuid>, _>(events)
            .bind::<SmallInt, _>(fault.unsettled());
        let judged: Vec<Judged> = change!(self, connection => record.get_results(connection).await).await?;
        judged.iter().filter(|judged| judged.is_over).for_each(|_| self.email_counts.note(EmailStatus::Failed));
        Ok(!judged.is_empty())
    }
}
