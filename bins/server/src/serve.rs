//! The server: everything wired together, run until a signal, drained.

use std::num::NonZeroU32;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use selfmx_app::{App, Parts};
use selfmx_auth::System;
use selfmx_domain::{Clock, Entropy, Limits};
use selfmx_http::HttpSettings;
use selfmx_mail::{Capture, Relay, RelaySettings, Tracker, Transport};
use selfmx_storage::{DatabaseAddress, Store};
use selfmx_webhook::{Poster, PosterSettings};
use selfmx_worker::{Routes, WebhookSettings, WebhookWorker, Worker};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::background;
use crate::behind;
use crate::chance::{OsEntropy, SystemClock};
use crate::database::{self, Opened};
use crate::dkim;
use crate::environment::{Environment, SettingError};
use crate::failure::Failure;
use crate::first_key;
use crate::settings::{Door, Settings};
use crate::signals::Signals;
use crate::upkeep::Upkeep;

/// Beyond this the server stops whatever is still under way; leases that are lost run out by themselves.
const DRAIN: Duration = Duration::from_secs(29);

/// The relay where there is one, and where mail goes.
type Outgoing = (Option<Arc<Relay>>, Transport);

/// Runs the server until SIGTERM or SIGINT.
pub(crate) async fn serve(environment: &Environment) -> Result<(), Failure> {
    let mut settings = Settings::read(environment)?;
    let mut signals = Signals::new()?;
    let relay = relay(settings.relay.take())?;
    let opening = Opened::open(settings.store.database.clone());
    let Some(opened) = Opened::unless_stopped(opening, &mut signals).await? else { return Ok(()) };
    let served = run(settings, relay, &opened, signals).await;
    let closed = opened.close().await;
    served.and(closed)
}

async fn run(settings: Settings, (relay, transport): Outgoing, opened: &Opened, mut signals: Signals) -> Result<(), Failure> {
    let (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>) = (Arc::new(SystemClock), Arc::new(OsEntropy));
    #[expect(clippy::disallowed_methods, reason = "this is where the server assumes its own authority")]
    let system = System::assume();
    let vault = settings.secrets.vault(&*entropy).map_err(SettingError::from)?;
    let store = Store::new(&opened.address, settings.store.pool, vault, Arc::clone(&clock), Arc::clone(&entropy));
    tokio::select! {
        prepared = database::prepare(&opened.address, &store, settings.store.schema, settings.store.pool.wait) => prepared?,
        () = signals.next() => return Ok(()),
    }
    if settings.api_key.is_none()
        && let Some(secret) = first_key::make(&store, &system, &*entropy).await?
    {
        first_key::show(&secret);
    }
    let listener = listen(&settings.door).await?;
    settings.signer.iter().for_each(dkim::tell);
    let routes = Routes { server: transport, tenants: settings.terms.clone() };
    let worker = Worker::new(store.clone(), system, routes, Arc::clone(&entropy), settings.worker);
    let poster = Poster::new(&PosterSettings { reach: settings.webhook_reach, ..PosterSettings::default() })?;
    let webhooks = WebhookWorker::new(store.clone(), system, poster, Arc::clone(&entropy), WebhookSettings::default());
    let limits = Limits::default();
    let tracker = Tracker::new(settings.public_url, store.vault().derived(Tracker::KEYS).map_err(selfmx_storage::Error::from)?);
    let parts = Parts {
        store: store.clone(),
        relay: relay.clone(),
        signer: settings.signer,
        tracker,
        terms: settings.terms,
        environment_key: settings.api_key,
        limits,
        usual_rate: settings.usual_rate,
        failures_per_minute: settings.failures_per_minute,
        webhook_reach: settings.webhook_reach,
        metrics_token: settings.metrics_token,
        clock,
        entropy,
    };

    let (background, tasks) = (CancellationToken::new(), TaskTracker::new());
    begin(&tasks, &store, (system, settings.retention), opened, &background);
    let served = until_drained(listener, App::new(parts), settings.door.http, (worker, webhooks), signals).await;
    background.cancel();
    tasks.close();
    tasks.wait().await;
    if let Some(relay) = relay {
        relay.close().await;
    }
    served
}

/// Begins what goes on in the background until `stop`.
fn begin(tasks: &TaskTracker, store: &Store, (system, retention): (System, Option<NonZeroU32>), opened: &Opened, stop: &CancellationToken) {
    let listening = {
        let (store, address, stop) = (store.clone(), opened.address.clone(), stop.clone());
        move || listen_for_work(store.clone(), address.clone(), stop.clone())
    };
    tasks.spawn(background::keep("listening", stop.clone(), listening));
    if let Some(private) = opened.private() {
        let heard = stop.clone();
        let keeping = move || database::keep(Arc::clone(&private), heard.clone());
        tasks.spawn(background::keep("private PostgreSQL", stop.clone(), keeping));
    }
    for (name, upkeep) in Upkeep::all(retention) {
        let (store, heard) = (store.clone(), stop.clone());
        tasks.spawn(background::keep(name, stop.clone(), move || upkeep.run(store.clone(), system, heard.clone())));
    }
    let (behind, heard) = (store.clone(), stop.clone());
    tasks.spawn(background::keep("writing behind", stop.clone(), move || behind::write(behind.clone(), heard.clone())));
    let (store, heard) = (store.clone(), stop.clone());
    let recording = move || behind::record_tracked(store.clone(), system, heard.clone());
    tasks.spawn(background::keep("recording opens and clicks", stop.clone(), recording));
}

/// Serves and delivers until a signal, or until delivery breaks down; then drains, until all is done, the time is up, or a signal more.
async fn until_drained(
    listener: TcpListener,
    app: App,
    http: HttpSettings,
    (worker, webhooks): (Worker, WebhookWorker),
    mut signals: Signals,
) -> Result<(), Failure> {
    let (app, drain) = (Arc::new(app), CancellationToken::new());
    app.watch(worker.counts());
    app.watch(webhooks.counts());
    let condition = worker.condition();
    let delivering = tokio::spawn(worker.run(drain.clone()));
    let heard = drain.clone();
    let posting = tokio::spawn(background::keep("webhooks", drain.clone(), move || webhooks.clone().run(heard.clone())));
    let mut serving = pin!(selfmx_http::serve(listener, Arc::clone(&app), http, drain.clone()));
    tokio::select! {
        ended = &mut serving => ended.map(|_| ())?,
        () = condition.lost() => tracing::error!("mail cannot be delivered any more: the server stops"),
        () = signals.next() => {}
    }
    tracing::info!("draining: open requests and deliveries finish, nothing new begins");
    app.drain();
    drain.cancel();
    tokio::select! {
        _ = async { tokio::join!(serving, delivering, posting) } => tracing::info!("drained"),
        () = signals.next() => tracing::warn!("a second signal: stopping without waiting"),
        () = tokio::time::sleep(DRAIN) => tracing::warn!("not all could finish in time: stopping without waiting"),
    }
    condition.check().map_err(Failure::from)
}

fn relay(settings: Option<RelaySettings>) -> Result<Outgoing, Failure> {
    let Some(settings) = settings else {
        tracing::warn!("SMTP_HOST is not set: mail is captured, not sent; GET /v1/emails/{{id}}/raw shows it");
        return Ok((None, Transport::Capture(Capture::NoRelay)));
    };
    let relay = Arc::new(Relay::new(settings)?);
    Ok((Some(Arc::clone(&relay)), Transport::Relay(relay)))
}

async fn listen(door: &Door) -> Result<TcpListener, Failure> {
    let address = door.address;
    let listener = TcpListener::bind(address).await.map_err(|source| Failure::Listen { address, source })?;
    let tls = door.http.tls.is_some();
    tracing::info!(address = %listener.local_addr()?, tls, version = env!("CARGO_PKG_VERSION"), "listening");
    Ok(listener)
}

async fn listen_for_work(store: Store, address: DatabaseAddress, stop: CancellationToken) {
    store.listen(&address, stop).await;
}

#[cfg(test)]
mod tests {
    use selfmx_domain::{Domain, RateLimit, Reach};
    use selfmx_mail::RelayTerms;
    use selfmx_storage::{PoolSettings, SecretKey, Vault};
    use selfmx_worker::{Error, Task, WorkerSettings};

    use super::*;

    #[tokio::test]
    async fn a_server_whose_delivery_breaks_down_ends_and_says_why() {
        let (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>) = (Arc::new(SystemClock), Arc::new(OsEntropy));
        // Nothing listens there.
        let address = "postgres://nobody@127.0.0.1:1/none".parse().unwrap();
        let pool = PoolSettings { wait: Duration::from_millis(100), ..PoolSettings::default() };
        let vault = Vault::new(SecretKey::generate(&*entropy), vec![]);
        let store = Store::new(&address, pool, vault, Arc::clone(&clock), Arc::clone(&entropy));
        let terms = RelayTerms::new(Domain::localhost());
        let parts = Parts {
            store: store.clone(),
            relay: None,
            signer: None,
            tracker: Tracker::new(None, [[0_u8; 32]]),
            terms: terms.clone(),
            environment_key: None,
            limits: Limits::default(),
            usual_rate: RateLimit::Unlimited,
            failures_per_minute: 0,
            webhook_reach: Reach::PublicOnly,
            metrics_token: None,
            clock,
            entropy: Arc::clone(&entropy),
        };
        let routes = Routes { server: Transport::Capture(Capture::NoRelay), tenants: terms };
        // Such an interval cannot be: the task that has it breaks down.
        let broken = WorkerSettings { poll: Duration::ZERO, ..WorkerSettings::default() };
        #[expect(clippy::disallowed_methods, reason = "the test stands in for the server")]
        let system = System::assume();
        let poster = Poster::new(&PosterSettings::default()).unwrap();
        let webhooks = WebhookWorker::new(store.clone(), system, poster, Arc::clone(&entropy), WebhookSettings::default());
        let worker = Worker::new(store, system, routes, entropy, broken);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let serving = until_drained(listener, App::new(parts), HttpSettings::default(), (worker, webhooks), Signals::new().unwrap());
        let failure = tokio::time::timeout(Duration::from_secs(25), serving).await.unwrap().unwrap_err();
        assert!(matches!(failure, Failure::Delivery(Error::BrokeDown(Task::Look))), "{failure}");
        assert_eq!(failure.exit_code(), 1);
    }
}
