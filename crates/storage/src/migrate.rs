//! The schema, brought up to date by the migrations within the binary.

use diesel::migration::{Migration as _, MigrationSource};
use diesel::pg::Pg;
use diesel::sql_types::BigInt;
use diesel_async::{AsyncMigrationHarness, RunQueryDsl};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::address::{DatabaseAddress, reason};
use crate::{Error, event_stream, pool};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations");

/// The advisory lock that two nodes starting at once contend for: the bytes of `selfmx`.
const LOCK: i64 = 0x7365_6c66_6d78;

/// Takes the same lock, unless somebody has it.
pub(crate) const LOCK_ALONE: &str = "SELECT pg_try_advisory_lock(x'73656c666d78'::bigint) AS yes";

/// Brings the schema up to date and tells how many migrations were run. Safe when several nodes start at once: one migrates, the others wait.
///
/// It needs tokio's multi-threaded runtime.
///
/// # Errors
///
/// [`Error::Unavailable`] where the database cannot be reached, [`Error::Migration`] where a migration fails; what the failed one did is undone.
pub async fn migrate(address: &DatabaseAddress) -> Result<usize, Error> {
    let mut connection = pool::connect(address).await.map_err(|error| Error::Unavailable(reason(&error)))?;
    // The lock and long changes may take a while; the session ends with this function, and the lock with it.
    diesel::sql_query("SET statement_timeout = 0").execute(&mut connection).await?;
    diesel::sql_query("SET lock_timeout = 0").execute(&mut connection).await?;
    diesel::sql_query("SELECT pg_advisory_lock($1)").bind::<BigInt, _>(LOCK).execute(&mut connection).await?;
    let mut harness = AsyncMigrationHarness::new(connection);
    let run = tokio::task::block_in_place(|| harness.run_pending_migrations(MIGRATIONS).map(|run| run.len()));
    let run = run.map_err(|error| Error::Migration(error.to_string()))?;
    event_stream::begin_anew_if_moved(&mut harness.into_inner()).await?;
    Ok(run)
}

/// The newest version that this binary knows.
pub(crate) fn newest_version() -> Result<String, Error> {
    let migrations = MigrationSource::<Pg>::migrations(&MIGRATIONS).map_err(|error| Error::Migration(error.to_string()))?;
    let newest = migrations.iter().map(|migration| migration.name().version().to_string()).max();
    newest.ok_or(Error::Unreadable("migrations"))
}
