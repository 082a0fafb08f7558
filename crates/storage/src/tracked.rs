//! Opens and clicks: gathered in memory on the path of a request, written behind.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Nullable, SmallInt, Text, Uuid as SqlUuid};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use selfmx_auth::System;
use selfmx_domain::{EventId, EventKind, Tracked};
use selfmx_metrics::{Counter, Exposition};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::store::change;
use crate::{Error, Store};

/// So many are kept in memory at most; what comes then is lost.
const ROOM: usize = 4_096;
/// So many are written in one commit.
const AT_ONCE: usize = 1_000;
/// The advisory lock under which they are written: the bytes of `selfmx`, then `t`. Nodes take turns, so that each sees what the others have written of what
/// they heard of at the same moment.
const LOCK: i64 = 0x0073_656c_666d_7874;

/// What is not yet written.
#[derive(Clone, Default)]
pub(crate) struct TrackedNotes(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// By the order in which they came. Held for no longer than a look takes.
    pending: Mutex<Pending>,
    arrived: Notify,
    opened: Counts,
    clicked: Counts,
}

#[derive(Default)]
struct Pending {
    notes: HashMap<Tracked, u64>,
    turn: u64,
}

/// What has become of them.
#[derive(Default)]
struct Counts {
    recorded: Counter,
    ignored: Counter,
    dropped: Counter,
}

impl TrackedNotes {
    fn note(&self, tracked: Tracked) {
        let counts = self.counts(tracked.act.kind());
        let mut pending = self.pending();
        if pending.notes.contains_key(&tracked) {
            return counts.ignored.increment();
        }
        if pending.notes.len() >= ROOM {
            return counts.dropped.increment();
        }
        pending.add(tracked);
        drop(pending);
        self.0.arrived.notify_one();
    }

    /// The oldest of them, in their order.
    fn take(&self) -> Vec<Tracked> {
        let mut pending = self.pending();
        let mut all: Vec<_> = pending.notes.drain().collect();
        all.sort_unstable_by_key(|(_, turn)| *turn);
        let rest = all.split_off(all.len().min(AT_ONCE));
        pending.notes.extend(rest);
        all.into_iter().map(|(tracked, _)| tracked).collect()
    }

    /// What could not be written is to be written yet, as far as there is room.
    fn put_back(&self, taken: Vec<Tracked>) {
        for tracked in taken {
            let mut pending = self.pending();
            if pending.notes.len() < ROOM {
                pending.add(tracked);
            } else {
                self.counts(tracked.act.kind()).dropped.increment();
            }
        }
    }

    /// Of those that were to be written, those of these kinds were; the others changed nothing.
    fn written(&self, asked: &[Tracked], recorded: &[String]) {
        for kind in [EventKind::Opened, EventKind::Clicked] {
            let written = recorded.iter().filter(|name| *name == kind.as_str()).count();
            let wanted = asked.iter().filter(|tracked| tracked.act.kind() == kind).count();
            let counts = self.counts(kind);
            (0..written).for_each(|_| counts.recorded.increment());
            (written..wanted).for_each(|_| counts.ignored.increment());
        }
    }

    fn counts(&self, kind: EventKind) -> &Counts {
        if kind == EventKind::Clicked { &self.0.clicked } else { &self.0.opened }
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.0.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn tell(&self, exposition: &mut Exposition) {
        let help = "Opens and clicks that this node heard of: recorded as events, ignored since they repeat or are too many or their email is gone, dropped for want of room.";
        let mut events = exposition.counters("selfmx_tracking_events_total", help);
        for kind in [EventKind::Opened, EventKind::Clicked] {
            let Counts { recorded, ignored, dropped } = self.counts(kind);
            for (outcome, count) in [("recorded", recorded), ("ignored", ignored), ("dropped", dropped)] {
                events.sample(&[("event", kind.as_str()), ("outcome", outcome)], count.value());
            }
        }
    }
}

impl Pending {
    fn add(&mut self, tracked: Tracked) {
        self.turn += 1;
        let turn = self.turn;
        self.notes.entry(tracked).or_insert(turn);
    }
}

impl Store {
    /// Notes that an email was opened or a link of it followed. It touches no database; [`tracked_write`](Self::tracked_write) does. Where there is no room
    /// for it, it is counted and lost.
    pub fn tracked_noted(&self, tracked: Tracked) {
        self.tracked_notes.note(tracked);
    }

    /// Returns when something was [noted](Self::tracked_noted).
    pub async fn tracked_arrived(&self) {
        self.tracked_notes.0.arrived.notified().await;
    }

    /// Writes what was [noted](Self::tracked_noted) as events, up to 1,000 in one commit. An event is written where the email's message is kept, no like
    /// one of the email was written in the last 10 seconds, and fewer than 200 of them in all. What cannot be written is kept.
    ///
    /// # Errors
    ///
    /// Where the database cannot be reached or refuses.
    pub async fn tracked_write(&self, _system: &System) -> Result<(), Error> {
        loop {
            let taken = self.tracked_notes.take();
            if taken.is_empty() {
                return Ok(());
            }
            let insert = Insert::of(&taken, || EventId::generate(&*self.clock, &*self.entropy));
            let write = async |connection: &mut AsyncPgConnection| {
                diesel::sql_query("SELECT pg_advisory_xact_lock($1)").bind::<BigInt, _>(LOCK).execute(connection).await?;
                Ok::<Vec<String>, Error>(insert.get_results(connection).await?)
            };
            match change!(self, connection => connection.transaction(write).await).await {
                Ok(recorded) => self.tracked_notes.written(&taken, &recorded),
                Err(error) => {
                    self.tracked_notes.put_back(taken);
                    return Err(error);
                }
            }
        }
    }
}

#[derive(QueryId)]
struct Insert {
    ids: Vec<Uuid>,
    emails: Vec<Uuid>,
    kinds: Vec<&'static str>,
    ordinals: Vec<Option<i16>>,
    urls: Vec<Option<String>>,
}

impl Insert {
    fn of(tracked: &[Tracked], id: impl Fn() -> EventId) -> Self {
        // Those of one millisecond are told in the order in which they came.
        let mut ids: Vec<_> = tracked.iter().map(|_| id().as_uuid()).collect();
        ids.sort_unstable();
        Self {
            ids,
            emails: tracked.iter().map(|tracked| tracked.email.as_uuid()).collect(),
            kinds: tracked.iter().map(|tracked| tracked.act.kind().as_str()).collect(),
            ordinals: tracked.iter().map(|tracked| tracked.ordinal.map(i16::from)).collect(),
            urls: tracked.iter().map(|tracked| tracked.act.target().map(ToString::to_string)).collect(),
        }
    }
}

/// Whoever deletes the tenant, or erases or purges the email, waits until this is committed and then finds it, or this waits and then finds nothing. Tenants
/// are locked before messages, as elsewhere, and both in one order.
const RECORDED: &str = ") AS a(id, email_id, kind, ordinal, url)), \
found AS MATERIALIZED (SELECT a.*, r.tenant_id FROM asked a JOIN recipients r ON r.email_id = a.email_id AND r.ordinal = 0), \
present AS MATERIALIZED (SELECT t.id FROM tenants t WHERE t.id IN (SELECT tenant_id FROM found) AND t.deleted_at IS NULL ORDER BY t.id FOR SHARE), \
kept AS MATERIALIZED (SELECT m.email_id FROM messages m WHERE m.email_id IN (SELECT f.email_id FROM found f JOIN present p ON p.id = f.tenant_id) \
ORDER BY m.email_id FOR KEY SHARE), \
fresh AS (SELECT f.*, row_number() OVER (PARTITION BY f.email_id ORDER BY f.id) AS turn FROM found f JOIN kept k ON k.email_id = f.email_id \
WHERE NOT EXISTS (SELECT 1 FROM events e WHERE e.email_id = f.email_id AND e.kind = f.kind AND e.url IS NOT DISTINCT FROM f.url \
AND e.at > now() - interval '10 seconds')) \
INSERT INTO events (email_id, id, tenant_id, kind, ordinal, attempt, url) SELECT f.email_id, f.id, f.tenant_id, f.kind, f.ordinal, 0, f.url FROM fresh f \
WHERE f.turn <= 200 - (SELECT count(*) FROM events e WHERE e.email_id = f.email_id AND e.kind IN ('opened', 'clicked')) \
RETURNING kind";

impl QueryFragment<Pg> for Insert {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("WITH asked AS MATERIALIZED (SELECT a.* FROM unnest(");
        out.push_bind_param::<Array<SqlUuid>, _>(&self.ids)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<SqlUuid>, _>(&self.emails)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.kinds)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Nullable<SmallInt>>, _>(&self.ordinals)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Nullable<Text>>, _>(&self.urls)?;
        out.push_sql(RECORDED);
        Ok(())
    }
}

impl Query for Insert {
    type SqlType = Text;
}

impl<C> diesel::RunQueryDsl<C> for Insert {}

#[cfg(test)]
mod tests {
    use selfmx_domain::{EmailId, LinkTarget, TrackedAct};
    use selfmx_testing::{OsEntropy, SystemClock};

    use super::*;

    fn tracked(act: TrackedAct) -> Tracked {
        Tracked { email: EmailId::generate(&SystemClock, &OsEntropy), ordinal: Some(0), act }
    }

    fn counted(notes: &TrackedNotes, line: &str) -> bool {
        let mut exposition = Exposition::default();
        notes.tell(&mut exposition);
        exposition.into_text().contains(&format!("selfmx_tracking_events_total{line}\n"))
    }

    #[test]
    fn what_comes_twice_is_kept_once_and_what_there_is_no_room_for_is_counted() {
        let notes = TrackedNotes::default();
        let (first, click) = (tracked(TrackedAct::Opened), tracked(TrackedAct::Clicked(LinkTarget::read("https://a.example/").unwrap())));
        for note in [&first, &click, &first] {
            notes.note(note.clone());
        }
        assert!(counted(&notes, "{event=\"opened\",outcome=\"ignored\"} 1"));
        (2..ROOM + 3).for_each(|_| notes.note(tracked(TrackedAct::Opened)));
        assert!(counted(&notes, "{event=\"opened\",outcome=\"dropped\"} 3"));
        let taken = notes.take();
        assert_eq!((taken.len(), &taken[0], &taken[1]), (AT_ONCE, &first, &click));
        // While those could not be written others have taken their room.
        (0..AT_ONCE - 1).for_each(|_| notes.note(tracked(TrackedAct::Opened)));
        notes.put_back(taken);
        assert!(counted(&notes, "{event=\"clicked\",outcome=\"dropped\"} 1"));
        assert!(counted(&notes, "{event=\"opened\",outcome=\"dropped\"} 1001"));
        let mut all = 0;
        loop {
            match notes.take().len() {
                0 => break,
                some => all += some,
            }
        }
        assert_eq!(all, ROOM);
    }

    #[test]
    fn what_was_not_written_of_those_that_were_asked_for_is_ignored() {
        let notes = TrackedNotes::default();
        let asked = [tracked(TrackedAct::Opened), tracked(TrackedAct::Opened), tracked(TrackedAct::Opened)];
        notes.written(&asked, &["opened".to_owned()]);
        assert!(counted(&notes, "{event=\"opened\",outcome=\"recorded\"} 1"));
        assert!(counted(&notes, "{event=\"opened\",outcome=\"ignored\"} 2"));
        assert!(counted(&notes, "{event=\"clicked\",outcome=\"ignored\"} 0"));
    }
}
