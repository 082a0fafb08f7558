//! What a test of the store stands on: a migrated database, stores on it, keys with permits, drafts.

use std::sync::Arc;
use std::time::Duration;

use selfmx_auth::{ApiKey, Authority, Permission, Permit, Principal, Secret, System, Wanted, needs};
use selfmx_domain::{ApiKeyId, Clock, Draft, DraftParts, EmailId, Limits, Mode, TenantId, TenantProfile};
use selfmx_storage::{Acceptance, DatabaseAddress, Delivery, Lease, PoolSettings, SecretKey, Store, Vault, migrate};
use selfmx_testing::{Database, OsEntropy, SystemClock};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// As long as no test lasts.
pub(crate) const LONG: Duration = Duration::from_secs(60);

const FILL: &str = "CREATE TEMPORARY TABLE fresh AS SELECT n, gen_random_uuid() AS id FROM generate_series(1, COUNT) AS n; \
     INSERT INTO emails (id, tenant_id, api_key_id, mode, priority, smtputf8, from_address, subject, reply_to, tags, metadata) \
     SELECT id, '00000000-0000-0000-0000-000000000000', '00000000-0000-0000-0000-000000000000', 'live', PRIORITY, false, 'from@x.example', 's', '[]', '[]', '{}' FROM fresh; \
     INSERT INTO messages (email_id, text, raw) SELECT id, 't', 'raw' FROM fresh; \
     INSERT INTO recipients (email_id, ordinal, tenant_id, kind, address) SELECT id, 0, '00000000-0000-0000-0000-000000000000', 'to', 'to@y.example' FROM fresh; \
     INSERT INTO events (email_id, id, tenant_id, kind, attempt) SELECT id, gen_random_uuid(), '00000000-0000-0000-0000-000000000000', 'queued', 0 FROM fresh; \
     INSERT INTO queue (email_id, tenant_id, priority, due_at) SELECT id, '00000000-0000-0000-0000-000000000000', PRIORITY, DUE_AT FROM fresh";

/// A database of the test's own and a store on it.
pub(crate) struct Place {
    pub(crate) database: Database,
    pub(crate) store: Store,
}

impl Place {
    pub(crate) async fn new() -> Self {
        Self::with_pool(PoolSettings { size: 4, wait: Duration::from_secs(10), ..PoolSettings::default() }).await
    }

    pub(crate) async fn with_pool(settings: PoolSettings) -> Self {
        let database = Database::create("store", async |address| {
            migrate(&address.parse().unwrap()).await.unwrap();
        })
        .await;
        let store = store(&address(&database), settings);
        Self { database, store }
    }

    /// Another node on the same database.
    pub(crate) fn other_store(&self) -> Store {
        store(&self.address(), PoolSettings { size: 4, wait: Duration::from_secs(10), ..PoolSettings::default() })
    }

    pub(crate) fn address(&self) -> DatabaseAddress {
        address(&self.database)
    }

    /// A key with a row, recognised.
    pub(crate) async fn keyed(&self, tenant: Option<TenantId>, permission: Permission) -> Principal {
        let wanted = Wanted { tenant, ..Wanted::new("maker".parse().unwrap(), permission.into()) };
        let secret = Secret::generate(Mode::Live, &OsEntropy);
        principal_of(self.store.key_create(&admin().permit().unwrap(), wanted, &secret).await.unwrap())
    }

    /// A tenant of its own, that nothing is said of.
    pub(crate) async fn tenant(&self) -> TenantId {
        tenant(&self.store).await
    }

    /// Accepts a draft as the default tenant's.
    pub(crate) async fn accept(&self, change: impl FnOnce(&mut DraftParts)) -> EmailId {
        accept(&self.store, &permit(), change).await
    }

    /// Accepts `count` plain drafts.
    pub(crate) async fn accept_many(&self, count: usize) -> Vec<EmailId> {
        let mut ids = Vec::new();
        for _ in 0..count {
            ids.push(self.accept(|_| {}).await);
        }
        ids
    }

    pub(crate) async fn lease(&self, count: u16) -> Vec<Lease<Delivery>> {
        self.store.queue_lease(&system(), count, LONG, &[]).await.unwrap()
    }

    pub(crate) async fn lease_one(&self) -> Lease<Delivery> {
        let mut leases = self.lease(1).await;
        assert_eq!(leases.len(), 1, "one email is due");
        leases.remove(0)
    }

    /// Waits until so many statements of others wait for a lock.
    pub(crate) async fn until_blocked(&self, count: usize) {
        let blocked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' \
             AND wait_event_type = 'Lock'";
        timeout(LONG, async { while self.ask(blocked).await != count.to_string() {} }).await.expect("they wait for a lock");
    }

    /// Has whatever writes an event fail at the very end of its commit, until the trigger `refuse` on the table is dropped.
    pub(crate) async fn refuse_commits(&self) {
        let refuse = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$; \
             CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON events DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()";
        self.database.execute(refuse).await;
    }

    /// Has so many nodes lease at once until each finds nothing more, and tells which emails they were given.
    pub(crate) async fn lease_by(&self, nodes: usize) -> Vec<EmailId> {
        let mut leasers = JoinSet::new();
        for _ in 0..nodes {
            let store = self.other_store();
            leasers.spawn(async move {
                let mut got = Vec::new();
                loop {
                    let leases = store.queue_lease(&system(), 7, LONG, &[]).await.unwrap();
                    if leases.is_empty() {
                        return got;
                    }
                    got.extend(leases.iter().map(|lease| lease.work().email_id));
                }
            });
        }
        leasers.join_all().await.into_iter().flatten().collect()
    }

    /// The first column of a query's first row.
    pub(crate) async fn ask(&self, sql: &str) -> String {
        self.database.query_one_text(sql).await
    }

    /// Puts `count` mails to one recipient each into the tables, without the store. `n` counts them in `priority` and `due_at`, which are SQL.
    pub(crate) async fn fill(&self, count: usize, priority: &str, due_at: &str) {
        self.fill_for(TenantId::DEFAULT, count, priority, due_at).await;
    }

    /// The same as another tenant's.
    pub(crate) async fn fill_for(&self, tenant: TenantId, count: usize, priority: &str, due_at: &str) {
        let sql = FILL.replace("COUNT", &count.to_string()).replace("PRIORITY", priority).replace("DUE_AT", due_at);
        self.database.execute(&sql.replace("00000000-0000-0000-0000-000000000000", &tenant.as_uuid().to_string())).await;
    }

    /// All that stands in the tables of emails.
    pub(crate) async fn everything(&self) -> Vec<String> {
        let mut rows = Vec::new();
        for table in ["emails", "messages", "recipients", "queue", "events"] {
            rows.extend(self.database.query_texts(&format!("SELECT t::text FROM {table} AS t ORDER BY 1")).await);
        }
        rows
    }

    /// The rows in each table that an email stands in.
    pub(crate) async fn rows(&self) -> String {
        let tables = ["emails", "messages", "recipients", "queue", "events"];
        let counts: Vec<_> = tables.iter().map(|table| format!("(SELECT count(*) FROM {table})")).collect();
        self.ask(&format!("SELECT concat_ws(' ', {})", counts.join(", "))).await
    }
}

pub(crate) fn address(database: &Database) -> DatabaseAddress {
    database.connection_string().parse().unwrap()
}

pub(crate) fn store(address: &DatabaseAddress, settings: PoolSettings) -> Store {
    Store::new(address, settings, vault(), Arc::new(SystemClock), Arc::new(OsEntropy))
}

pub(crate) fn store_with_clock(address: &DatabaseAddress, clock: Arc<dyn Clock>) -> Store {
    Store::new(address, PoolSettings { size: 2, ..PoolSettings::default() }, vault(), clock, Arc::new(OsEntropy))
}

fn vault() -> Vault {
    Vault::new(SecretKey::generate(&OsEntropy), vec![])
}

pub(crate) async fn accept(store: &Store, permit: &Permit<needs::Send>, change: impl FnOnce(&mut DraftParts)) -> EmailId {
    store.email_accept(acceptance(permit, draft(change))).await.unwrap().id
}

pub(crate) fn acceptance(permit: &Permit<needs::Send>, draft: Draft) -> Acceptance {
    let consented = permit.consent(draft, None).unwrap();
    Acceptance {
        id: EmailId::generate(&SystemClock, &OsEntropy),
        consented,
        message: b"Subject: s\r\n\r\nt\r\n".to_vec(),
        idempotency: None,
    }
}

pub(crate) fn draft(change: impl FnOnce(&mut DraftParts)) -> Draft {
    let parts =
        DraftParts::new("Sender <from@x.example>".parse().unwrap(), vec!["to@y.example".parse().unwrap()], "Subject".parse().unwrap());
    let mut parts = DraftParts { text: Some("Text".to_owned()), ..parts };
    change(&mut parts);
    Draft::new(parts, &Limits::default()).unwrap()
}

/// A permit of the default tenant's.
pub(crate) fn permit() -> Permit<needs::Send> {
    admin().permit().unwrap()
}

/// The environment's key: a platform key with `*`, which has no row.
pub(crate) fn admin() -> Principal {
    principal_of(ApiKey::environment(SystemClock.now()))
}

/// A key of this tenant with `*`, of which there is no row: it reads, and sends, and changes no key.
pub(crate) fn tenant_admin(tenant: TenantId) -> Principal {
    principal(Some(tenant), Permission::All, Mode::Live)
}

/// A key of which there is no row.
pub(crate) fn principal(tenant: Option<TenantId>, permission: Permission, mode: Mode) -> Principal {
    let authority = Authority { tenant, mode, permissions: permission.into(), ..Authority::everything() };
    principal_of(ApiKey { id: ApiKeyId::generate(&SystemClock, &OsEntropy), authority, ..ApiKey::environment(SystemClock.now()) })
}

/// The key, recognised.
pub(crate) fn principal_of(key: ApiKey) -> Principal {
    selfmx_testing::principal(key)
}

/// A tenant that nothing is said of.
pub(crate) async fn tenant(store: &Store) -> TenantId {
    let profile = TenantProfile::named("tenant".parse().unwrap());
    store.tenant_create(&admin().platform_permit().unwrap(), &profile.into()).await.unwrap().id
}

/// The id of no tenant.
pub(crate) fn new_tenant() -> TenantId {
    TenantId::generate(&SystemClock, &OsEntropy)
}

#[expect(clippy::disallowed_methods, reason = "the tests of the queue stand in for the server's worker")]
pub(crate) fn system() -> System {
    System::assume()
}
