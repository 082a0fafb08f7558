//! A database, a store and a key that may send.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::sync::Arc;
use std::time::Duration;

use selfmx_auth::{ApiKey, Authority, Permit, PlatformPermit, System, needs};
use selfmx_domain::{
    Change, Clock, Domain, Draft, DraftParts, EmailId, Entropy, Limits, Mode, NewTenant, RelayChange, RetryPolicy, TenantChange, TenantId,
    TenantProfile,
};
use selfmx_mail::{Capture, Identity, RelayTerms, Transport, compose};
use selfmx_storage::{Acceptance, DatabaseAddress, PoolSettings, SecretKey, Store, Vault, migrate};
use selfmx_testing::{Database, OsEntropy, SystemClock};
use selfmx_webhook::Poster;
use selfmx_worker::{Condition, Error, Routes, WebhookSettings, WebhookWorker, Worker, WorkerCounts, WorkerSettings};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

/// A database of the test's own, and everything that a worker needs.
pub(crate) struct World {
    pub(crate) database: Database,
    pub(crate) store: Store,
}

/// What secret key a node has.
#[derive(Clone, Copy)]
pub(crate) enum Node {
    /// That of all others.
    Usual,
    /// One of its own, with which it can open nothing.
    WithAnotherKey,
}

/// The key of all nodes.
const SECRET_KEY: &str = "a-made-up-secret-key-for-the-worker-s-tests";

/// A worker that runs until it is stopped.
pub(crate) struct Running {
    pub(crate) counts: Arc<WorkerCounts>,
    pub(crate) condition: Condition,
    stop: CancellationToken,
    task: JoinHandle<Result<(), Error>>,
}

impl World {
    pub(crate) async fn new() -> Self {
        let database = Database::create("selfmx", async |address| {
            migrate(&address.parse().unwrap()).await.unwrap();
        })
        .await;
        let store = store(&database, Node::Usual, Arc::new(OsEntropy));
        Self { database, store }
    }

    /// Accepts an email to `recipients` with the given mode's key.
    pub(crate) async fn accept(&self, recipients: &[&str], mode: Mode) -> EmailId {
        self.accept_for(TenantId::DEFAULT, recipients, mode).await
    }

    /// The same as another tenant's.
    pub(crate) async fn accept_for(&self, tenant: TenantId, recipients: &[&str], mode: Mode) -> EmailId {
        let to = recipients.iter().map(|text| text.parse().unwrap()).collect();
        let parts = DraftParts::new("shop@sender.example".parse().unwrap(), to, "Hello".parse().unwrap());
        let parts = DraftParts { text: Some("It works.".to_owned()), ..parts };
        let draft = Draft::new(parts, &Limits::default()).unwrap();
        let identity = Identity { id: EmailId::generate(&SystemClock, &OsEntropy), date: SystemClock.now() };
        let message = compose(&draft, &identity).unwrap().into_octets();
        let permit = permit::<needs::Send>(tenant, mode);
        let consented = permit.consent(draft, None).unwrap();
        self.store.email_accept(Acceptance { id: identity.id, consented, message, idempotency: None }).await.unwrap().id
    }

    /// Makes a tenant, with a relay of its own or without.
    pub(crate) async fn tenant(&self, relay: Option<RelayChange>) -> TenantId {
        let relay_password = relay.as_ref().and_then(|relay| relay.pass.clone().apply(None));
        let relay = relay.map(|relay| relay.apply(None).unwrap());
        let profile = TenantProfile { relay, ..TenantProfile::named("Shop".parse().unwrap()) };
        self.store.tenant_create(&platform(), &NewTenant { relay_password, ..profile.into() }).await.unwrap().id
    }

    /// Changes a tenant's relay.
    pub(crate) async fn relay_changed(&self, tenant: TenantId, relay: Change<RelayChange>) {
        let change = TenantChange { relay, ..TenantChange::default() };
        self.store.tenant_update(&platform(), tenant, change).await.unwrap().unwrap();
    }

    /// Starts a worker with a store of its own, as another node would have.
    pub(crate) fn work(&self, server: Transport, settings: WorkerSettings) -> Running {
        self.work_by(Routes { server, tenants: RelayTerms::new(Domain::localhost()) }, settings)
    }

    /// The same, with terms for tenants' relays.
    pub(crate) fn work_by(&self, routes: Routes, settings: WorkerSettings) -> Running {
        self.node(Node::Usual, routes, settings)
    }

    /// The same, with a chance of the test's own.
    pub(crate) fn work_with(&self, server: Transport, settings: WorkerSettings, entropy: Arc<dyn Entropy>) -> Running {
        self.started(Node::Usual, Routes { server, tenants: RelayTerms::new(Domain::localhost()) }, settings, entropy)
    }

    /// The same, on a node that may have another secret key.
    pub(crate) fn node(&self, node: Node, routes: Routes, settings: WorkerSettings) -> Running {
        self.started(node, routes, settings, Arc::new(OsEntropy))
    }

    fn started(&self, node: Node, routes: Routes, settings: WorkerSettings, entropy: Arc<dyn Entropy>) -> Running {
        self.started_on(store(&self.database, node, Arc::new(OsEntropy)), routes, settings, entropy)
    }

    /// A node on which `store_chance` is that of its store, and `chance` that of its worker.
    pub(crate) fn work_by_chance(&self, settings: WorkerSettings, store_chance: Arc<dyn Entropy>, chance: Arc<dyn Entropy>) -> Running {
        let server = Transport::Capture(Capture::NoRelay);
        let routes = Routes { server, tenants: RelayTerms::new(Domain::localhost()) };
        self.started_on(store(&self.database, Node::Usual, store_chance), routes, settings, chance)
    }

    fn started_on(&self, store: Store, routes: Routes, settings: WorkerSettings, entropy: Arc<dyn Entropy>) -> Running {
        #[expect(clippy::disallowed_methods, reason = "the test stands in for the server's binary")]
        let system = System::assume();
        let stop = CancellationToken::new();
        let worker = Worker::new(store, system, routes, entropy, settings);
        let (counts, condition) = (worker.counts(), worker.condition());
        let task = tokio::spawn(worker.run(stop.clone()));
        Running { counts, condition, stop, task }
    }

    /// Starts a worker for webhooks, with a store of its own.
    pub(crate) fn post(&self, poster: Poster, settings: WebhookSettings) -> (CancellationToken, JoinHandle<()>) {
        #[expect(clippy::disallowed_methods, reason = "the test stands in for the server's binary")]
        let system = System::assume();
        let stop = CancellationToken::new();
        let worker =
            WebhookWorker::new(store(&self.database, Node::Usual, Arc::new(OsEntropy)), system, poster, Arc::new(OsEntropy), settings);
        (stop.clone(), tokio::spawn(worker.run(stop)))
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
        self.task.await.unwrap().unwrap();
    }

    /// Whether it has ended.
    pub(crate) fn is_finished(&self) -> bool {
        self.task.is_finished()
    }

    /// Waits until it has ended of itself, and tells why.
    pub(crate) async fn broke_down(self) -> Error {
        timeout(Duration::from_secs(20), self.task).await.unwrap().unwrap().unwrap_err()
    }
}

/// Quick retries, so that a test need not wait.
pub(crate) fn settings(retries: u32) -> WorkerSettings {
    WorkerSettings { policy: RetryPolicy::new(retries, Duration::ZERO), poll: Duration::from_millis(50), ..WorkerSettings::default() }
}

fn store(database: &Database, node: Node, entropy: Arc<dyn Entropy>) -> Store {
    let address: DatabaseAddress = database.connection_string().parse().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let key = match node {
        Node::Usual => SECRET_KEY.parse().unwrap(),
        Node::WithAnotherKey => SecretKey::generate(&OsEntropy),
    };
    let vault = Vault::new(key, vec![]);
    Store::new(&address, PoolSettings::default(), vault, clock, entropy)
}

fn platform() -> PlatformPermit<needs::All> {
    selfmx_testing::principal(ApiKey::environment(SystemClock.now())).platform_permit().unwrap()
}

pub(crate) fn permit<P: selfmx_auth::Scope>(tenant: TenantId, mode: Mode) -> Permit<P> {
    let authority = Authority { mode, tenant: Some(tenant), ..Authority::everything() };
    selfmx_testing::principal(ApiKey { authority, ..ApiKey::environment(SystemClock.now()) }).permit().unwrap()
}
