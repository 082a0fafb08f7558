//! Putting a copy of a database in the place of what it holds: alone, and with a way back.

use diesel::QueryableByName;
use diesel::sql_types::{Bool, Integer, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection as _};

use crate::address::{DatabaseAddress, reason};
use crate::migrate::LOCK_ALONE;
use crate::{Error, pool};

/// Nobody else is connected, and whoever wants to begin waits.
const OTHERS: &str = "SELECT DISTINCT coalesce(nullif(application_name, ''), 'without a name') AS text FROM pg_stat_activity \
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend' ORDER BY 1";

const IS_EMPTY: &str = "SELECT NOT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')) AS yes";

const SET_ASIDE: &str = "ALTER SCHEMA public RENAME TO before_restore; CREATE SCHEMA public";
const FORGET_ASIDE: &str = "DROP SCHEMA IF EXISTS before_restore CASCADE";
const BRING_BACK: &str = "BEGIN; DROP SCHEMA public CASCADE; ALTER SCHEMA before_restore RENAME TO public; COMMIT";

/// What was in somebody's hands when the copy was made is in nobody's; and places in the streams of events are of another time.
const SETTLE: &str = "DO $$ BEGIN \
UPDATE public.queue SET lease_token = NULL, due_at = now(), unsettled = 0 WHERE lease_token IS NOT NULL; \
IF to_regclass('public.event_streams') IS NOT NULL THEN UPDATE public.event_streams SET cluster = ''; END IF; END $$";

#[derive(QueryableByName)]
struct TextRow {
    #[diesel(sql_type = Text)]
    text: String,
}

#[derive(QueryableByName)]
struct Yes {
    #[diesel(sql_type = Bool)]
    yes: bool,
}

#[derive(QueryableByName)]
struct Major {
    #[diesel(sql_type = Integer)]
    major: i32,
}

/// A database whose content is about to be replaced. As long as this lives, no server begins to work on it.
pub struct Replacement {
    connection: AsyncPgConnection,
    is_set_aside: bool,
}

impl Replacement {
    /// Takes the database for itself.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] where it cannot be reached, or where another process has just taken it.
    pub async fn begin(address: &DatabaseAddress) -> Result<Self, Error> {
        let mut connection = connect(address).await?;
        let taken: Yes = diesel::sql_query(LOCK_ALONE).get_result(&mut connection).await?;
        if !taken.yes {
            return Err(Error::Unavailable("another process is about to change its schema or its content".to_owned()));
        }
        Ok(Self { connection, is_set_aside: false })
    }

    /// The names of others that are connected to the database.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn others(&mut self) -> Result<Vec<String>, Error> {
        let rows: Vec<TextRow> = diesel::sql_query(OTHERS).get_results(&mut self.connection).await?;
        Ok(rows.into_iter().map(|row| row.text).collect())
    }

    /// Whether the database holds nothing.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn is_empty(&mut self) -> Result<bool, Error> {
        let row: Yes = diesel::sql_query(IS_EMPTY).get_result(&mut self.connection).await?;
        Ok(row.yes)
    }

    /// Makes room for the copy; what is there lies in the schema `before_restore` meanwhile.
    ///
    /// # Errors
    ///
    /// Where the database cannot, or something lies there already.
    pub async fn set_aside(&mut self) -> Result<(), Error> {
        self.connection.batch_execute(SET_ASIDE).await?;
        self.is_set_aside = true;
        Ok(())
    }

    /// Has what the copy brought go on: nothing in it is leased, and streams of events begin anew. What was set aside is deleted.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn finish(mut self) -> Result<(), Error> {
        self.connection.batch_execute(SETTLE).await?;
        Ok(self.connection.batch_execute(FORGET_ASIDE).await?)
    }

    /// Brings back what was set aside.
    ///
    /// # Errors
    ///
    /// Where the database cannot; then it lies in the schema `before_restore` still.
    pub async fn undo(mut self) -> Result<(), Error> {
        if self.is_set_aside {
            self.connection.batch_execute(BRING_BACK).await?;
        }
        Ok(())
    }
}

/// The major version of a database's server, such as 15.
///
/// # Errors
///
/// [`Error::Unavailable`] where it cannot be reached.
pub async fn server_major(address: &DatabaseAddress) -> Result<u32, Error> {
    let mut connection = connect(address).await?;
    let query = "SELECT current_setting('server_version_num')::int / 10000 AS major";
    let row: Major = diesel::sql_query(query).get_result(&mut connection).await?;
    u32::try_from(row.major).or(Err(Error::Unreadable("server_version_num")))
}

async fn connect(address: &DatabaseAddress) -> Result<AsyncPgConnection, Error> {
    let mut connection = pool::connect(address).await.map_err(|error| Error::Unavailable(reason(&error)))?;
    // What is done here may take as long as it takes.
    connection.batch_execute("SET statement_timeout = 0; SET lock_timeout = 0").await?;
    Ok(connection)
}
