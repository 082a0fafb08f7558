//! When and from where each key was last used: kept in memory on the path of a request, written behind.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{Array, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use selfmx_auth::{KeyUse, Origin};
use selfmx_domain::ApiKeyId;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::store::change;
use crate::{Error, Store};

/// How long a key's use is kept back after one was written.
const BETWEEN_WRITES: Duration = Duration::from_secs(60);

/// The latest use of each key that is not yet written, and of the environment's key the latest at all (it has no row).
#[derive(Clone, Default)]
pub(crate) struct KeyUses(Arc<Mutex<HashMap<ApiKeyId, Noted>>>);

/// What is known of one key's use.
struct Noted {
    last: KeyUse,
    /// When a use was last handed over to be written.
    written_at: Option<OffsetDateTime>,
    pending: bool,
}

/// Which uses are to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhichUses {
    /// Those of keys of which none was written in the last minute.
    Due,
    /// All: the server is about to stop.
    All,
}

impl KeyUses {
    fn note(&self, id: ApiKeyId, origin: &Origin, at: OffsetDateTime) {
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(noted) = uses.get_mut(&id) else {
            uses.insert(id, Noted { last: key_use(origin, at), written_at: None, pending: true });
            return;
        };
        noted.pending = true;
        noted.last.at = noted.last.at.max(at);
        // Most requests of a key come from where the one before came from.
        if noted.last.address != Some(origin.address) || noted.last.user_agent != origin.user_agent {
            noted.last = key_use(origin, noted.last.at);
        }
    }

    fn environment(&self) -> Option<KeyUse> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&ApiKeyId::DEFAULT).map(|noted| noted.last.clone())
    }

    /// Those that are to be written, in one order on all nodes, so that no two of them wait for each other's rows. Keys that have not been used
    /// since their last write are forgotten.
    fn take(&self, which: WhichUses, now: OffsetDateTime) -> Vec<(ApiKeyId, KeyUse)> {
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        uses.retain(|id, noted| noted.pending || *id == ApiKeyId::DEFAULT || !is_due(noted, now));
        let due = uses
            .iter_mut()
            .filter(|(id, noted)| **id != ApiKeyId::DEFAULT && noted.pending && (which == WhichUses::All || is_due(noted, now)));
        let mut taken: Vec<_> = due
            .map(|(id, noted)| {
                (noted.pending, noted.written_at) = (false, Some(now));
                (*id, noted.last.clone())
            })
            .collect();
        taken.sort_unstable_by_key(|(id, _)| *id);
        taken
    }

    /// What could not be written is to be written yet.
    fn put_back(&self, taken: &[(ApiKeyId, KeyUse)]) {
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, last) in taken {
            let noted = uses.entry(*id).or_insert_with(|| Noted { last: last.clone(), written_at: None, pending: true });
            (noted.pending, noted.written_at) = (true, None);
        }
    }
}

fn is_due(noted: &Noted, now: OffsetDateTime) -> bool {
    noted.written_at.is_none_or(|written_at| now - written_at >= BETWEEN_WRITES)
}

fn key_use(origin: &Origin, at: OffsetDateTime) -> KeyUse {
    KeyUse { at, address: Some(origin.address), user_agent: origin.user_agent.clone() }
}

impl Store {
    /// Notes that a key was used at `at`, by the database's clock. It touches no database; [`key_use_write`](Self::key_use_write) does.
    pub fn key_used(&self, id: ApiKeyId, origin: &Origin, at: OffsetDateTime) {
        self.key_uses.note(id, origin, at);
    }

    /// When and from where this node last saw the environment's key.
    #[must_use]
    pub fn environment_key_last_use(&self) -> Option<KeyUse> {
        self.key_uses.environment()
    }

    /// Writes what [`key_used`](Self::key_used) noted, at most once a minute for each key, in one statement. What cannot be written is noted again.
    ///
    /// # Errors
    ///
    /// Where the database cannot be reached or refuses.
    pub async fn key_use_write(&self, which: WhichUses) -> Result<(), Error> {
        let taken = self.key_uses.take(which, self.clock.now());
        if taken.is_empty() {
            return Ok(());
        }
        let update = Update::of(&taken);
        let written = change!(self, connection => update.execute(connection).await).await;
        if written.is_err() {
            self.key_uses.put_back(&taken);
        }
        written.map(|_| ())
    }
}

#[derive(QueryId)]
struct Update {
    ids: Vec<Uuid>,
    times: Vec<OffsetDateTime>,
    addresses: Vec<Option<String>>,
    agents: Vec<Option<String>>,
}

impl Update {
    fn of(uses: &[(ApiKeyId, KeyUse)]) -> Self {
        Self {
            ids: uses.iter().map(|(id, _)| id.as_uuid()).collect(),
            times: uses.iter().map(|(_, used)| used.at).collect(),
            addresses: uses.iter().map(|(_, used)| used.address.map(|address| address.to_string())).collect(),
            agents: uses.iter().map(|(_, used)| used.user_agent.clone()).collect(),
        }
    }
}

impl QueryFragment<Pg> for Update {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        // Rows that are locked at the moment are being changed: their use is written another time.
        out.push_sql("WITH held AS (SELECT id FROM api_keys WHERE id = ANY(");
        out.push_bind_param::<Array<SqlUuid>, _>(&self.ids)?;
        out.push_sql(") ORDER BY id FOR NO KEY UPDATE SKIP LOCKED) UPDATE api_keys k SET last_used_at = u.at, last_used_address = u.address, last_used_agent = u.agent FROM unnest(");
        out.push_bind_param::<Array<SqlUuid>, _>(&self.ids)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Timestamptz>, _>(&self.times)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Nullable<Text>>, _>(&self.addresses)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Nullable<Text>>, _>(&self.agents)?;
        out.push_sql(") AS u(id, at, address, agent), held h WHERE k.id = u.id AND h.id = u.id AND (k.last_used_at IS NULL OR k.last_used_at < u.at)");
        Ok(())
    }
}

impl<C> diesel::RunQueryDsl<C> for Update {}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-01-01 00:00 UTC);

    fn origin(address: &str) -> Origin {
        Origin::new(address.parse().unwrap(), Some("test"), "req")
    }

    #[test]
    fn a_key_s_use_is_handed_over_at_most_once_a_minute_and_all_of_it_at_the_end() {
        let (uses, id) = (KeyUses::default(), "key_01h455vb4pex5vsknk084sn02q".parse().unwrap());
        let at = |seconds| NOW + time::Duration::seconds(seconds);
        uses.note(id, &origin("192.0.2.1"), at(0));
        assert_eq!(uses.take(WhichUses::Due, at(1)).len(), 1);
        uses.note(id, &origin("192.0.2.2"), at(30));
        assert!(uses.take(WhichUses::Due, at(60)).is_empty());
        let taken = uses.take(WhichUses::Due, at(61));
        assert_eq!((taken[0].1.at, taken[0].1.address), (at(30), Some("192.0.2.2".parse().unwrap())));
        uses.note(id, &origin("192.0.2.3"), at(62));
        assert_eq!(uses.take(WhichUses::All, at(63)).len(), 1);
        assert!(uses.take(WhichUses::All, at(64)).is_empty());
        // What could not be written is due at once.
        uses.put_back(&taken);
        assert_eq!(uses.take(WhichUses::Due, at(65)).len(), 1);
    }

    #[test]
    fn an_older_use_changes_no_time_and_unused_keys_are_forgotten() {
        let (uses, id) = (KeyUses::default(), "key_01h455vb4pex5vsknk084sn02q".parse().unwrap());
        uses.note(id, &origin("192.0.2.1"), NOW);
        uses.note(id, &origin("192.0.2.1"), NOW - time::Duration::HOUR);
        assert_eq!(uses.take(WhichUses::Due, NOW)[0].1.at, NOW);
        assert!(uses.take(WhichUses::Due, NOW + time::Duration::HOUR).is_empty());
        assert!(uses.0.lock().unwrap().is_empty());
        uses.note(ApiKeyId::DEFAULT, &origin("192.0.2.1"), NOW);
        assert!(uses.take(WhichUses::All, NOW + time::Duration::HOUR).is_empty());
        assert_eq!(uses.environment().unwrap().at, NOW);
    }
}
