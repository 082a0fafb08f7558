//! A database, a store and a key that may send.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::sync::Arc;
use std::time::Duration;

use selfmx_auth::{ApiKey, Authority, Permit, System, needs};
use selfmx_domain::{Clock, Draft, DraftParts, EmailId, Entropy, Limits, Mode, RetryPolicy};
use selfmx_mail::{Identity, Transport, compose};
use selfmx_storage::{Acceptance, DatabaseAddress, PoolSettings, SecretKey, Store, Vault, migrate};
use selfmx_testing::{Database, OsEntropy, SystemClock};
use selfmx_worker::{Worker, WorkerSettings};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A database of the test's own, and everything that a worker needs.
pub(crate) struct World {
    pub(crate) database: Database,
    pub(crate) store: Store,
}

/// A worker that runs until it is stopped.
pub(crate) struct Running {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl World {
    pub(crate) async fn new() -> Self {
        let database = Database::create("selfmx", async |address| {
            migrate(&address.parse().unwrap()).await.unwrap();
        })
        .await;
        let store = store(&database);
        Self { database, store }
    }

    /// Accepts an email to `recipients` with the given mode's key.
    pub(crate) async fn accept(&self, recipients: &[&str], mode: Mode) -> EmailId {
        let to = recipients.iter().map(|text| text.parse().unwrap()).collect();
        let parts = DraftParts::new("shop@sender.example".parse().unwrap(), to, "Hello".parse().unwrap());
        let parts = DraftParts { text: Some("It works.".to_owned()), ..parts };
        let draft = Draft::new(parts, &Limits::default()).unwrap();
        let identity = Identity { id: EmailId::generate(&SystemClock, &OsEntropy), date: SystemClock.now() };
        let message = compose(&draft, &identity).unwrap().into_octets();
        let permit = permit::<needs::Send>(mode);
        let consented = permit.consent(draft, None).unwrap();
        self.store.email_accept(Acceptance { id: identity.id, consented, message }).await.unwrap().id
    }

    /// Starts a worker with a store of its own, as another node would have.
    pub(crate) fn work(&self, relay: Transport, settings: WorkerSettings) -> Running {
        #[expect(clippy::disallowed_methods, reason = "the test stands in for the server's binary")]
        let system = System::assume();
        let stop = CancellationToken::new();
        let worker = Worker::new(store(&self.database), system, relay, Arc::new(OsEntropy), settings);
        let task = tokio::spawn(worker.run(stop.clone()));
        Running { stop, task }
    }

    /// Waits until `sql` gives `expected`.
    pub(crate) async fn until(&self, sql: &str, expected: &str) {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let found = self.database.query_one_text(sql).await;
            if found == expected {
                return;
            }
            assert!(Instant::now() < deadline, "{sql} stayed at {found} instead of {expected}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Running {
    /// Stops the worker and waits until it has ended.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

/// Quick retries, so that a test need not wait.
pub(crate) fn settings(retries: u32) -> WorkerSettings {
    WorkerSettings { policy: RetryPolicy::new(retries, Duration::ZERO), poll: Duration::from_millis(50), ..WorkerSettings::default() }
}

fn store(database: &Database) -> Store {
    let address: DatabaseAddress = database.connection_string().parse().unwrap();
    let (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>) = (Arc::new(SystemClock), Arc::new(OsEntropy));
    let vault = Vault::new(SecretKey::generate(&OsEntropy), vec![]);
    Store::new(&address, PoolSettings::default(), vault, clock, entropy)
}

fn permit<P: selfmx_auth::Scope>(mode: Mode) -> Permit<P> {
    let authority = Authority { mode, ..Authority::everything() };
    selfmx_testing::principal(ApiKey { authority, ..ApiKey::environment(SystemClock.now()) }).permit().unwrap()
}
