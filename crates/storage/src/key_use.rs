//! When each key was last used: kept in memory on the path of a request, written behind.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{Array, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use selfmx_domain::ApiKeyId;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::store::change;
use crate::{Error, Store};

/// Which keys were used since the last write, and when the environment's key was at all (it has no row).
#[derive(Clone, Default)]
pub(crate) struct KeyUse(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    pending: HashMap<ApiKeyId, OffsetDateTime>,
    environment: Option<OffsetDateTime>,
}

impl KeyUse {
    pub(crate) fn note(&self, id: ApiKeyId, at: OffsetDateTime) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if id == ApiKeyId::DEFAULT {
            seen.environment = seen.environment.max(Some(at));
            return;
        }
        // What could not be written comes back here, and may be older than what was noted since.
        let noted = seen.pending.entry(id).or_insert(at);
        *noted = at.max(*noted);
    }

    fn environment(&self) -> Option<OffsetDateTime> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).environment
    }

    fn take(&self) -> Vec<(ApiKeyId, OffsetDateTime)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pending.drain().collect()
    }
}

impl Store {
    /// Notes that a key was used at `at`. It touches no database; [`key_use_write`](Self::key_use_write) does.
    pub fn key_used(&self, id: ApiKeyId, at: OffsetDateTime) {
        self.key_use.note(id, at);
    }

    /// When this node last saw the environment's key.
    #[must_use]
    pub fn environment_key_last_used(&self) -> Option<OffsetDateTime> {
        self.key_use.environment()
    }

    /// Writes what [`key_used`](Self::key_used) noted since the last time, in one statement. What cannot be written is noted again.
    ///
    /// # Errors
    ///
    /// Where the database cannot be reached or refuses.
    pub async fn key_use_write(&self) -> Result<(), Error> {
        let mut noted = self.key_use.take();
        // In one order on all nodes, so that no two of them wait for each other's rows.
        noted.sort_unstable_by_key(|(id, _)| *id);
        if noted.is_empty() {
            return Ok(());
        }
        let update = Update { ids: noted.iter().map(|(id, _)| id.as_uuid()).collect(), times: noted.iter().map(|(_, at)| *at).collect() };
        let written = change!(self, connection => update.execute(connection).await).await;
        if written.is_err() {
            noted.into_iter().for_each(|(id, at)| self.key_use.note(id, at));
        }
        written.map(|_| ())
    }
}

#[derive(QueryId)]
struct Update {
    ids: Vec<Uuid>,
    times: Vec<OffsetDateTime>,
}

impl QueryFragment<Pg> for Update {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("UPDATE api_keys k SET last_used_at = greatest(k.last_used_at, u.at) FROM unnest(");
        out.push_bind_param::<Array<SqlUuid>, _>(&self.ids)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Timestamptz>, _>(&self.times)?;
        out.push_sql(") AS u(id, at) WHERE k.id = u.id");
        Ok(())
    }
}

impl<C> diesel::RunQueryDsl<C> for Update {}
