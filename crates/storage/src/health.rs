//! Whether the database is there, up to date, and keeps what it is given.

use diesel::sql_types::{Bool, Text};
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

#[derive(QueryableByName)]
struct Settings {
    #[diesel(sql_type = Bool)]
    fsync: bool,
    #[diesel(sql_type = Bool)]
    full_page_writes: bool,
}

/// Whether any version was ever here.
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
