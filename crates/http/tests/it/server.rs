//! A server for one test: a state without a store, a few routes, and the real transport.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use selfmx_app::{Bucket, Error, Failures, Limited, Rates, Refusal, SignInError, Standing, TooManyFailures};
use selfmx_auth::{
    ApiKey, Authority, KeyDigests, Moment, Origin, Permission, Permit, PlatformPermit, Principal, Secret, StoredKey, Unrecognised, needs,
};
use selfmx_domain::{AuditAction, Clock, EmailId, Entropy, RateLimit, Tenant, TenantId, TenantProfile, TenantStatus};
use selfmx_http::{Answer, Call, Doorkeeper, Drained, HttpSettings, Reply, Route, Router, serve_routes};
use selfmx_testing::{ManualClock, SeededEntropy};
use selfmx_wire::RequestError;
use serde_json::json;
use time::macros::datetime;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A key that holds `send` alone.
pub(crate) const SENDER: &str = "sender-0123456789";
/// A platform key that holds `*`.
pub(crate) const ADMIN: &str = "admin-0123456789";
/// A tenant's key that holds `*`.
pub(crate) const TENANT: &str = "tenant-0123456789";
/// What `GET /large` answers.
pub(crate) const LARGE: usize = 4 * 1024 * 1024;
/// A cause that no answer may show.
pub(crate) const CAUSE: &str = "SELECT secret FROM api_keys at /var/lib/selfmx\r\nX: y";

/// What the handlers work on.
pub(crate) struct State {
    clock: ManualClock,
    entropy: SeededEntropy,
    keys: HashMap<&'static str, ApiKey>,
    /// How many requests wait in `/wait` and `/hold`.
    pub(crate) waiting: watch::Sender<usize>,
    /// What lets them go on.
    pub(crate) release: Semaphore,
    /// How many of them went on.
    pub(crate) finished: AtomicUsize,
    /// How many bodies were parsed.
    pub(crate) parsed: AtomicUsize,
    rates: Rates,
    failures: Failures,
    /// The refusals that were to be noted: the action, the code, the target.
    pub(crate) refusals: Mutex<Vec<(AuditAction, &'static str, Option<String>)>>,
}

/// A running server.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) state: Arc<State>,
    pub(crate) drain: CancellationToken,
    pub(crate) serving: JoinHandle<Drained>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Starts a server with these settings on a port of its own.
pub(crate) async fn start(settings: HttpSettings) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let state = Arc::new(State::new());
    let drain = CancellationToken::new();
    let serving = tokio::spawn(serve_routes(listener, Arc::clone(&state), Router::new(table()).unwrap(), settings, drain.clone()));
    Server { address, state, drain, serving }
}

impl State {
    fn new() -> Self {
        let now = datetime!(2026-01-01 00:00 UTC);
        let admin = ApiKey::environment(now);
        let with = |authority| ApiKey { authority, ..admin.clone() };
        let sender = with(Authority { permissions: Permission::Send.into(), ..Authority::everything() });
        let tenant = with(Authority { tenant: Some(TenantId::DEFAULT), ..Authority::everything() });
        Self {
            clock: ManualClock::new(now),
            entropy: SeededEntropy::new(7),
            keys: HashMap::from([(ADMIN, admin), (SENDER, sender), (TENANT, tenant)]),
            waiting: watch::Sender::new(0),
            release: Semaphore::new(0),
            finished: AtomicUsize::new(0),
            parsed: AtomicUsize::new(0),
            rates: Rates::new(),
            failures: Failures::new(60),
            refusals: Mutex::default(),
        }
    }

    /// Waits until so many requests wait in a handler.
    pub(crate) async fn wait_for(&self, count: usize) {
        self.waiting.subscribe().wait_for(|waiting| *waiting >= count).await.unwrap();
    }

    async fn wait(&self) {
        self.waiting.send_modify(|waiting| *waiting += 1);
        self.release.acquire().await.unwrap().forget();
        self.finished.fetch_add(1, Ordering::SeqCst);
    }
}

impl Doorkeeper for State {
    fn clock(&self) -> &dyn Clock {
        &self.clock
    }

    fn entropy(&self) -> &dyn Entropy {
        &self.entropy
    }

    async fn sign_in(&self, secret: &Secret, origin: Arc<Origin>) -> Result<Principal, SignInError> {
        if secret.reveal() == "broken-0123456789" {
            return Err(SignInError::Broken(Error::Internal { source: CAUSE.into() }));
        }
        let key = self.keys.get(secret.reveal()).ok_or(Unrecognised)?.clone();
        let now = self.clock.now();
        let profile = TenantProfile::named("Default".parse().unwrap());
        let tenant = Tenant { id: TenantId::DEFAULT, status: TenantStatus::Active, profile, created_at: now, updated_at: now };
        let stored = StoredKey { digests: KeyDigests::only(secret.digest()), key, tenant: Arc::new(tenant) };
        let moment = Moment { now, origin, usual_rate: RateLimit::Unlimited };
        Principal::recognise(secret, &Arc::new(stored), &moment).or(Err(Unrecognised.into()))
    }

    fn is_operators(&self, _text: &str) -> bool {
        false
    }

    async fn acting_for(&self, permit: &PlatformPermit<needs::All>, tenant: TenantId) -> Result<Principal, Error> {
        if tenant == TenantId::DEFAULT {
            return Err(Error::NotFound);
        }
        let now = self.clock.now();
        let profile = TenantProfile::named("Named".parse().unwrap());
        let tenant = Tenant { id: tenant, status: TenantStatus::Active, profile, created_at: now, updated_at: now };
        Ok(Principal::acting_for(permit, Arc::new(tenant)))
    }

    fn sign_in_failed(&self, client: IpAddr) -> Result<(), TooManyFailures> {
        self.failures.count(client, Instant::now())
    }

    fn spend(&self, principal: &Principal) -> Result<Option<Standing>, Limited> {
        self.rates.spend(&[(Bucket::Key(principal.key().id), principal.rate_limit())], Instant::now())
    }

    async fn refused(&self, _principal: &Principal, refusal: Refusal) {
        self.refusals.lock().unwrap().push((refusal.action, refusal.code, refusal.target));
    }
}

fn table() -> Vec<Route<State>> {
    vec![
        Route::public("/open", open),
        Route::public("/large", large),
        Route::public("/panic", panics),
        Route::public("/broken", broken),
        Route::public("/wait", wait),
        Route::get("/any", any),
        Route::get("/missing", missing),
        Route::get("/platform", platform).with_parameters(&["limit"]).audited(AuditAction::TenantRead),
        Route::post("/measure", measure),
        Route::post("/email", measure).with_email_body(),
        Route::post("/hold", hold).with_email_body(),
        Route::post("/things/{id}", thing),
        Route::put("/things/{id}", thing),
        Route::patch("/things/{id}", thing),
        Route::delete("/things/{id}", deleted),
        Route::get("/limited", limited),
    ]
}

async fn open(_call: Call<State>) -> Answer {
    Reply::ok(&json!({"open": true}))
}

async fn large(_call: Call<State>) -> Answer {
    Ok(Reply::octets("message/rfc822", vec![b'x'; LARGE]))
}

async fn panics(_call: Call<State>) -> Answer {
    panic!("a handler's own words");
}

async fn broken(_call: Call<State>) -> Answer {
    Err(Error::Internal { source: CAUSE.into() }.into())
}

async fn wait(call: Call<State>) -> Answer {
    call.state().wait().await;
    Reply::ok(&json!({"waited": true}))
}

async fn any(principal: Principal, _call: Call<State>) -> Answer {
    Reply::ok(&json!({"key": principal.key().name.as_str()}))
}

async fn missing(_principal: Principal, _call: Call<State>) -> Answer {
    Err(Error::NotFound.into())
}

async fn limited(_principal: Principal, _call: Call<State>) -> Answer {
    let standing = Standing { limit: 100, remaining: 0, whole_in: Duration::from_secs(60) };
    Err(Limited { standing, retry_after: Duration::from_millis(600) }.into())
}

async fn platform(_permit: PlatformPermit<needs::All>, call: Call<State>) -> Answer {
    Reply::ok(&json!({"limit": call.query().text("limit")}))
}

async fn measure(_permit: Permit<needs::Send>, mut call: Call<State>) -> Answer {
    let octets = call.read(length).await?;
    call.state().parsed.fetch_add(1, Ordering::SeqCst);
    Reply::ok(&json!({"octets": octets}))
}

async fn hold(_permit: Permit<needs::Send>, mut call: Call<State>) -> Answer {
    let octets = call.read(length).await?;
    call.state().wait().await;
    Reply::ok(&json!({"octets": octets}))
}

async fn thing(_permit: Permit<needs::LogsRead>, mut call: Call<State>) -> Answer {
    let id: EmailId = call.id()?;
    let octets = call.read(length).await?;
    Reply::ok(&json!({"id": id, "octets": octets}))
}

async fn deleted(_permit: Permit<needs::LogsRead>, call: Call<State>) -> Answer {
    let id: EmailId = call.id()?;
    Reply::ok(&json!({"id": id}))
}

#[expect(clippy::unnecessary_wraps, reason = "it stands for a reader of the wire")]
fn length(octets: &[u8]) -> Result<usize, RequestError> {
    Ok(octets.len())
}
