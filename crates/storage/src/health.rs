//! Whether the database is there, up to date, and keeps what it is given.

use std::time::Duration;

use diesel::sql_types::{Bool, Double, Text};
use diesel::{IntoSql, QueryableByName};
use diesel_async::RunQueryDsl;

use crate::store::read;
use crate::{Error, Store, migrate};

/// What the database says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Durability {
    /// `fsync`: a commit waits for the disk.
    pub fsync: bool,
    /// `full_page_writes`: a torn page is mended after a crash.
    pub full_page_writes: bool,
}

impl Durability {
    /// Whether what is committed survives a crash of the machine.
    #[must_use]
    pub const fn holds(self) -> bool {
        self.fsync && self.full_page_writes
    }
}

/// The first row of the index for each priority: what is leased is due when its lease runs out.
const LAG: &str = "SELECT coalesce(greatest(extract(epoch FROM now() - min(first.due_at)), 0), 0)::double precision AS seconds \
FROM (VALUES (0), (1), (2)) AS p (priority) CROSS JOIN LATERAL (SELECT q.due_at FROM queue q WHERE q.priority = p.priority AND NOT q.held ORDER BY q.due_at LIMIT 1) AS first";

#[derive(QueryableByName)]
struct Lag {
    #[diesel(sql_type = Double)]
    seconds: f64,
}

#[derive(QueryableByName)]
struct Settings {
    #[diesel(sql_type = Bool)]
    fsync: bool,
    #[diesel(sql_type = Bool)]
    full_page_writes: bool,
}

/// Whether there is any.
#[derive(QueryableByName)]
struct Made {
    #[diesel(sql_type = Bool)]
    made: bool,
}

#[derive(QueryableByName)]
struct Version {
    #[diesel(sql_type = Text)]
    version: String,
}

impl Store {
    /// Asks the database for a sign of life.
    ///
    /// # Errors
    ///
    /// Where it does not answer.
    pub async fn ping(&self) -> Result<(), Error> {
        read!(self, connection => diesel::select(1.into_sql::<diesel::sql_types::Integer>()).execute(connection).await.map(|_| ())).await
    }

    /// Whether the database keeps what it is given.
    ///
    /// # Errors
    ///
    /// Where it does not answer.
    pub async fn durability(&self) -> Result<Durability, Error> {
        let query = "SELECT current_setting('fsync') = 'on' AS fsync, current_setting('full_page_writes') = 'on' AS full_page_writes";
        let settings: Settings = read!(self, connection => diesel::sql_query(query).get_result(connection).await).await?;
        Ok(Durability { fsync: settings.fsync, full_page_writes: settings.full_page_writes })
    }

    /// For how long the email has been due that has been so for longest; nothing where all that is due is being worked on, or nothing is due.
    ///
    /// # Errors
    ///
    /// Where the database does not answer.
    pub async fn queue_lag(&self) -> Result<Duration, Error> {
        let lag: Lag = read!(self, connection => diesel::sql_query(LAG).get_result(connection).await).await?;
        Ok(Duration::try_from_secs_f64(lag.seconds).unwrap_or_default())
    }

    /// Whether any tenant wants its mail tracked.
    ///
    /// # Errors
    ///
    /// Where the database does not answer.
    pub async fn tracking_wanted(&self) -> Result<bool, Error> {
        let query = "SELECT EXISTS (SELECT 1 FROM tenants WHERE (track_opens OR track_clicks) AND deleted_at IS NULL) AS made";
        let wanted: Made = read!(self, connection => diesel::sql_query(query).get_result(connection).await).await?;
        Ok(wanted.made)
    }

    /// Whether the schema is the one that this binary was built for, or a later one.
    ///
    /// # Errors
    ///
    /// Where the database does not answer.
    pub async fn is_migrated(&self) -> Result<bool, Error> {
        let newest = migrate::newest_version()?;
        let made = "SELECT to_regclass('__diesel_schema_migrations') IS NOT NULL AS made";
        let made: Made = read!(self, connection => diesel::sql_query(made).get_result(connection).await).await?;
        if !made.made {
            return Ok(false);
        }
        let query = "SELECT coalesce(max(version), '') AS version FROM __diesel_schema_migrations";
        let version: Version = read!(self, connection => diesel::sql_query(query).get_result(connection).await).await?;
        Ok(version.version >= newest)
    }
}
