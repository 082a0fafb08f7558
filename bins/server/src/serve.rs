//! The server: everything wired together, run until a signal, drained.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use selfmx_app::{App, Parts};
use selfmx_auth::System;
use selfmx_domain::{Clock, Entropy, Limits};
use selfmx_http::HttpSettings;
use selfmx_mail::{Capture, Relay, RelaySettings, Transport};
use selfmx_storage::{DatabaseAddress, Store};
use selfmx_worker::{Routes, Worker};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

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
    let limits = Limits::default();
    let parts = Parts {
        store: store.clone(),
        relay: relay.clone(),
        signer: settings.signer,
        terms: settings.terms,
        environment_key: settings.api_key,
        limits,
        usual_rate: settings.usual_rate,
        failures_per_minute: settings.failures_per_minute,
        clock,
        entropy,
    };

    let (background, tasks) = (CancellationToken::new(), TaskTracker::new());
    tasks.spawn(listen_for_work(store.clone(), opened.address.clone(), background.clone()));
    let always = [Upkeep::BringBack, Upkeep::Erase, Upkeep::ForgetDays, Upkeep::ForgetRequests];
    for upkeep in always.into_iter().chain(settings.retention.map(Upkeep::Purge)) {
        tasks.spawn(upkeep.run(store.clone(), system, background.clone()));
    }
    tasks.spawn(behind::write(store, background.clone()));
    let served = until_drained(listener, App::new(parts), settings.door.http, worker, signals).await;
    background.cancel();
    tasks.close();
    tasks.wait().await;
    if let Some(relay) = relay {
        relay.close().await;
    }
    served
}

/// Serves and delivers until a signal, then drains, until all is done, the time is up, or a second signal.
async fn until_drained(listener: TcpListener, app: App, http: HttpSettings, worker: Worker, mut signals: Signals) -> Result<(), Failure> {
    let (app, drain) = (Arc::new(app), CancellationToken::new());
    let delivering = tokio::spawn(worker.run(drain.clone()));
    let mut serving = pin!(selfmx_http::serve(listener, Arc::clone(&app), http, drain.clone()));
    tokio::select! {
        ended = &mut serving => ended.map(|_| ())?,
        () = signals.next() => {}
    }
    tracing::info!("draining: open requests and deliveries finish, nothing new begins");
    app.drain();
    drain.cancel();
    tokio::select! {
        _ = async { tokio::join!(serving, delivering) } => tracing::info!("drained"),
        () = signals.next() => tracing::warn!("a second signal: stopping without waiting"),
        () = tokio::time::sleep(DRAIN) => tracing::warn!("not all could finish in time: stopping without waiting"),
    }
    Ok(())
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
