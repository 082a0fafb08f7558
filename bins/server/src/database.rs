//! Finds or starts the database and brings its schema up to date.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use selfmx_pgbox::{Absent, PgBox, Stopped};
use selfmx_storage::{DatabaseAddress, Store, migrate};
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;
use crate::settings::{Database, Schema};
use crate::signals::Signals;

/// How long who only visits the private server waits for it: longer than another process may take to stop it.
const VISIT: Duration = Duration::from_secs(120);
/// How long a private server may take to start whose start is no longer wanted.
const UNWANTED: Duration = Duration::from_secs(29);
const BETWEEN_TRIES: Duration = Duration::from_secs(1);
/// How long a private server that is down may be so before it is noticed.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// The database, and the private server where there is one.
pub(crate) struct Opened {
    pub(crate) address: DatabaseAddress,
    private: Option<Arc<Mutex<PgBox>>>,
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
        Ok(Self { address, private: Some(Arc::new(Mutex::new(private))) })
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
        // Whoever keeps it has ended, or never began.
        let Some(private) = self.private.and_then(Arc::into_inner) else { return Ok(()) };
        if private.into_inner().stop().await? == Stopped::InUse {
            tracing::info!("the private PostgreSQL goes on: another process uses it");
        }
        Ok(())
    }

    /// The private server, where there is one, for whoever [keeps](keep) it.
    pub(crate) fn private(&self) -> Option<Arc<Mutex<PgBox>>> {
        self.private.clone()
    }
}

/// Starts the private server again whenever it is down, as after the kernel killed it for want of memory, until `stop`.
pub(crate) async fn keep(private: Arc<Mutex<PgBox>>, stop: CancellationToken) {
    let mut private = private.lock().await;
    let kept = async {
        loop {
            tokio::time::sleep(BETWEEN_LOOKS).await;
            match private.revive().await {
                Ok(false) => {}
                Ok(true) => tracing::error!("the private PostgreSQL was down and was started again: its log is in DATA_DIR/postgres"),
                Err(error) => tracing::error!(error = %error, "the private PostgreSQL is down and could not be started: it is tried again"),
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = kept => {}
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
