//! Connections: opened with our session settings, shared fairly, bounded in number and in waiting.

use std::sync::Arc;
use std::time::Duration;

use diesel::ConnectionError;
use diesel::result::Error as DieselError;
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, PoolError, PoolableConnection, RecyclingMethod, bb8};
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use futures_util::FutureExt;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use crate::Error;
use crate::address::{DatabaseAddress, reason};
use crate::loan::Loan;

/// What every connection is set to. A commit is durable whatever the server's own default is; `remote_apply` and the like, which wait for
/// more, are left. All our statements go by an index: a plan without one, made while a table was small, would be kept when it no longer is;
/// `jit` takes such settings for costs.
const SESSION: &str =
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') IN ('off', 'local');
SET statement_timeout = '30s';
SET lock_timeout = '10s';
SET idle_in_transaction_session_timeout = '30s';
SET enable_seqscan = off;
SET jit = off;
SET timezone = 'UTC'";

/// How long a new connection is tried for. bb8 waits ever longer between its attempts, up to half of this.
const OPENING: Duration = Duration::from_secs(5);

/// How many connections there are and how long they are waited for.
#[derive(Clone, Copy, Debug)]
pub struct PoolSettings {
    /// The most connections.
    pub size: u32,
    /// How long a caller waits for one.
    pub wait: Duration,
    /// After how long an unused one is closed.
    pub idle: Duration,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self { size: 10, wait: Duration::from_secs(30), idle: Duration::from_secs(300) }
    }
}

/// How a pool is used at a moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PoolUse {
    /// The most connections that there may be.
    pub(crate) most: usize,
    /// How many somebody works with, or is opened for somebody.
    pub(crate) borrowed: usize,
    /// How many are open and not used.
    pub(crate) idle: usize,
}

/// bb8 with a fair queue in front: bb8 itself lets latecomers overtake.
#[derive(Clone)]
pub(crate) struct Pool {
    connections: bb8::Pool<AsyncPgConnection>,
    turns: Arc<Semaphore>,
    size: usize,
    address: DatabaseAddress,
    wait: Duration,
}

impl Pool {
    /// A pool that opens its connections when they are first needed.
    pub(crate) fn new(address: &DatabaseAddress, settings: PoolSettings) -> Self {
        let mut config = ManagerConfig::default();
        config.recycling_method = RecyclingMethod::CustomFunction(Box::new(|connection| std::future::ready(check(connection)).boxed()));
        let plan = address.clone();
        config.custom_setup = Box::new(move |_| {
            let plan = plan.clone();
            async move { connect(&plan).await }.boxed()
        });
        let connections = bb8::Pool::builder()
            .max_size(settings.size)
            .connection_timeout(settings.wait.min(OPENING))
            .idle_timeout(Some(settings.idle))
            .error_sink(Box::new(LogErrors))
            .build_unchecked(AsyncDieselConnectionManager::new_with_config(String::new(), config));
        let size = usize::try_from(settings.size).unwrap_or(1);
        let turns = Arc::new(Semaphore::new(size));
        Self { connections, turns, size, address: address.clone(), wait: settings.wait }
    }

    /// How it is used at present.
    pub(crate) fn in_use(&self) -> PoolUse {
        let borrowed = self.size.saturating_sub(self.turns.available_permits());
        PoolUse { most: self.size, borrowed, idle: usize::try_from(self.connections.state().idle_connections).unwrap_or(0) }
    }

    /// A connection, when it is our turn.
    pub(crate) async fn take(&self) -> Result<Loan, Error> {
        let deadline = Instant::now() + self.wait;
        let Ok(Ok(turn)) = timeout_at(deadline, Arc::clone(&self.turns).acquire_owned()).await else {
            return Err(Error::Unavailable("all connections are in use: raise DB_POOL_SIZE or DB_POOL_TIMEOUT".to_owned()));
        };
        // Whoever has a turn finds a free connection or room for a new one: to wait is to wait for the database.
        let Ok(Ok(connection)) = timeout_at(deadline, self.connections.get_owned()).await else {
            return Err(Error::Unavailable("no connection could be opened in time; the log says why".to_owned()));
        };
        Ok(Loan::new(connection, turn, self.address.tls()))
    }
}

/// Opens one connection and sets its session up.
pub(crate) async fn connect(address: &DatabaseAddress) -> Result<AsyncPgConnection, ConnectionError> {
    let (client, connection) =
        address.config().connect(address.tls()).await.map_err(|error| ConnectionError::BadConnection(reason(&error)))?;
    let mut connection = AsyncPgConnection::try_from_client_and_connection(client, connection).await?;
    connection.batch_execute(SESSION).await.map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(connection)
}

/// Passes over a connection that the server has closed while it lay idle. Asking the server each time would cost 47 us.
fn check(connection: &mut AsyncPgConnection) -> Result<(), DieselError> {
    if PoolableConnection::is_broken(connection) {
        return Err(DieselError::BrokenTransactionManager);
    }
    Ok(())
}

/// bb8 reports why it cannot connect nowhere else.
#[derive(Clone, Copy, Debug)]
struct LogErrors;

impl ::bb8::ErrorSink<PoolError> for LogErrors {
    fn sink(&self, error: PoolError) {
        match error {
            PoolError::ConnectionError(_) => tracing::warn!(error = %reason(&error), "the database cannot be reached"),
            PoolError::QueryError(_) => tracing::info!("the database has closed an idle connection"),
        }
    }

    fn boxed_clone(&self) -> Box<dyn ::bb8::ErrorSink<PoolError>> {
        Box::new(*self)
    }
}
