//! Connections: opened with our session settings, shared fairly, bounded in number and in waiting.

use std::sync::Arc;
use std::time::Duration;

use diesel::ConnectionError;
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, PoolError, RecyclingMethod, bb8};
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use futures_util::FutureExt;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::Error;
use crate::address::{DatabaseAddress, reason};

/// What every connection is set to. A commit is durable whatever the server's own default is; `remote_apply` and the like, which wait for more, are left.
const SESSION: &str =
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') IN ('off', 'local');
SET statement_timeout = '30s';
SET lock_timeout = '10s';
SET idle_in_transaction_session_timeout = '30s';
SET timezone = 'UTC'";

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

type Connections = bb8::Pool<AsyncPgConnection>;

/// bb8 with a fair queue in front: bb8 itself lets latecomers overtake.
#[derive(Clone)]
pub(crate) struct Pool {
    connections: Connections,
    turns: Arc<Semaphore>,
    wait: Duration,
}

/// A connection and the turn that goes with it.
pub(crate) struct Pooled<'a> {
    connection: bb8::PooledConnection<'a, AsyncPgConnection>,
    _turn: SemaphorePermit<'a>,
}

impl std::ops::Deref for Pooled<'_> {
    type Target = AsyncPgConnection;

    fn deref(&self) -> &AsyncPgConnection {
        &self.connection
    }
}

impl std::ops::DerefMut for Pooled<'_> {
    fn deref_mut(&mut self) -> &mut AsyncPgConnection {
        &mut self.connection
    }
}

impl Pool {
    /// A pool that opens its connections when they are first needed.
    pub(crate) fn new(address: &DatabaseAddress, settings: PoolSettings) -> Self {
        let mut config = ManagerConfig::default();
        config.recycling_method = RecyclingMethod::Fast;
        let plan = address.clone();
        config.custom_setup = Box::new(move |_| {
            let plan = plan.clone();
            async move { connect(&plan).await }.boxed()
        });
        let connections = Connections::builder()
            .max_size(settings.size)
            .connection_timeout(settings.wait)
            .idle_timeout(Some(settings.idle))
            .error_sink(Box::new(LogErrors))
            .build_unchecked(AsyncDieselConnectionManager::new_with_config(String::new(), config));
        Self { connections, turns: Arc::new(Semaphore::new(usize::try_from(settings.size).unwrap_or(1))), wait: settings.wait }
    }

    /// A connection, when it is our turn.
    pub(crate) async fn take(&self) -> Result<Pooled<'_>, Error> {
        let turn = tokio::time::timeout(self.wait, self.turns.acquire()).await;
        let Ok(Ok(turn)) = turn else {
            return Err(Error::Unavailable("all connections are in use: raise DB_POOL_SIZE or DB_POOL_TIMEOUT".to_owned()));
        };
        let connection = self.connections.get().await.map_err(|error| Error::Unavailable(reason(&error)))?;
        Ok(Pooled { connection, _turn: turn })
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

/// bb8 reports why it cannot connect nowhere else.
#[derive(Clone, Copy, Debug)]
struct LogErrors;

impl ::bb8::ErrorSink<PoolError> for LogErrors {
    fn sink(&self, error: PoolError) {
        tracing::warn!(error = %reason(&error), "the database cannot be reached");
    }

    fn boxed_clone(&self) -> Box<dyn ::bb8::ErrorSink<PoolError>> {
        Box::new(*self)
    }
}
