//! Finds or starts the database and brings its schema up to date.

use std::pin::pin;
use std::time::Duration;

use selfmx_pgbox::{Absent, PgBox, Stopped};
use selfmx_storage::{DatabaseAddress, Store, migrate};
use tokio::time::Instant;

use crate::failure::Failure;
use crate::settings::{Database, Schema};
use crate::signals::Signals;

/// How long who only visits the private server waits for it: longer than another process may take to stop it.
const VISIT: Duration = Duration::from_secs(120);
/// How long a private server may take to start whose start is no longer wanted.
const UNWANTED: Duration = Duration::from_secs(29);
const BETWEEN_TRIES: Duration = Duration::from_secs(1);

/// The database, and the private server where there is one.
pub(crate) struct Opened {
    pub(crate) address: DatabaseAddress,
    private: Option<PgBox>,
}

impl Opened {
    /// Starts or finds the private server, or takes the address that was given.
    pub(crate) async fn open(database: Database) -> Result<Self, Failure> {
        Self::reach(database, |settings| settings).await
    }

    /// The same for a command on the server's data, which makes none where there are none.
    pub(crate) async fn visit(database: Database) -> Result<Self, Failure> {
        Self::reach(database, |settings| settings.absent(Absent::Refuse).start_limit(VISIT)).await
    }

    async fn reach(database: Database, way: impl FnOnce(selfmx_pgbox::Settings) -> selfmx_pgbox::Settings) -> Result<Self, Failure> {
        let (data_dir, bin_dir) = match database {
            Database::Address(address) => return Ok(Self { address: *address, private: None }),
            Database::Private { data_dir, bin_dir } => (data_dir, bin_dir),
        };
        let settings = selfmx_pgbox::Settings::new(data_dir.join("postgres")).bin_dir(bin_dir);
        let private = PgBox::open(way(settings)).await?;
        let address = private.connection_string(selfmx_pgbox::DATABASE).parse()?;
        Ok(Self { address, private: Some(private) })
    }

    /// What `opening` opens, unless a signal comes first: then a private server whose start has begun is stopped, since it would go on
    /// without us.
    pub(crate) async fn unless_stopped(
        opening: impl Future<Output = Result<Self, Failure>>,
        signals: &mut Signals,
    ) -> Result<Option<Self>, Failure> {
        let mut opening = pin!(opening);
        tokio::select! {
            opened = &mut opening => return opened.map(Some),
            () = signals.next() => {}
        }
        tokio::select! {
            opened = opening => opened?.close().await?,
            () = signals.next() => {}
            () = tokio::time::sleep(UNWANTED) => {}
        }
        Ok(None)
    }

    /// Stops the private server, where there is one that nobody else uses.
    pub(crate) async fn close(self) -> Result<(), Failure> {
        let Some(private) = self.private else { return Ok(()) };
        if private.stop().await? == Stopped::InUse {
            tracing::info!("the private PostgreSQL goes on: another process uses it");
        }
        Ok(())
    }
}

/// Brings the schema up to date, waiting up to `patience` for a database that does not answer yet.
pub(crate) async fn migrate_patiently(address: &DatabaseAddress, patience: Duration) -> Result<usize, Failure> {
    let until = Instant::now() + patience;
    loop {
        match migrate(address).await {
            Err(error) if error.is_transient() && Instant::now() < until => tracing::warn!(error = %error, "waiting for the database"),
            result => return Ok(result?),
        }
        tokio::time::sleep(BETWEEN_TRIES).await;
    }
}

/// Brings the schema up to date, or where that is switched off makes sure that it is.
pub(crate) async fn prepare(address: &DatabaseAddress, store: &Store, schema: Schema, patience: Duration) -> Result<(), Failure> {
    match schema {
        Schema::Migrate => {
            let run = migrate_patiently(address, patience).await?;
            tracing::info!(migrations = run, "the schema is up to date");
        }
        Schema::Check if store.is_migrated().await? => {}
        Schema::Check => return Err(Failure::NotMigrated),
    }
    let durability = store.durability().await?;
    if !durability.holds() {
        tracing::warn!(
            fsync = durability.fsync,
            full_page_writes = durability.full_page_writes,
            "the database may lose accepted mail in a crash: turn these settings on"
        );
    }
    Ok(())
}
