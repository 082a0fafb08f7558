//! The server: everything wired together, run until a signal, drained.

use std::sync::Arc;
use std::time::Duration;

use selfmx_app::{App, Parts};
use selfmx_auth::System;
use selfmx_domain::{Clock, Entropy, Limits};
use selfmx_mail::{Capture, Relay, Transport};
use selfmx_storage::Store;
use selfmx_worker::Worker;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::chance::{OsEntropy, SystemClock};
use crate::database::{self, Opened};
use crate::environment::Environment;
use crate::failure::Failure;
use crate::first_key;
use crate::settings::Settings;
use crate::signals::Signals;

/// Beyond this the server stops whatever is still under way; leases that are lost run out by themselves.
const DRAIN: Duration = Duration::from_secs(29);
const KEY_USE: Duration = Duration::from_secs(5);

/// Runs the server until SIGTERM or SIGINT.
pub(crate) async fn serve(environment: &Environment) -> Result<(), Failure> {
    let settings = Settings::read(environment)?;
    let mut signals = Signals::new()?;
    let opened = tokio::select! {
        opened = Opened::open(settings.store.database.clone()) => opened?,
        () = signals.next() => return Ok(()),
    };
    let served = run(settings, &opened, signals).await;
    let closed = opened.close().await;
    served.and(closed)
}

async fn run(settings: Settings, opened: &Opened, mut signals: Signals) -> Result<(), Failure> {
    let (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>) = (Arc::new(SystemClock), Arc::new(OsEntropy));
    #[expect(clippy::disallowed_methods, reason = "this is where the server assumes its own authority")]
    let system = System::assume();
    let store = Store::new(&opened.address, settings.store.pool, Arc::clone(&clock), Arc::clone(&entropy));
    tokio::select! {
        prepared = database::prepare(&opened.address, &store, settings.store.schema, settings.store.pool.wait) => prepared?,
        () = signals.next() => return Ok(()),
    }
    if settings.api_key.is_none()
        && let Some(secret) = first_key::make(&store, &system, &*entropy).await?
    {
        first_key::show(&secret);
    }
    let relay = settings.relay.map(Relay::new).transpose()?.map(Arc::new);
    let transport = relay.clone().map_or(Transport::Capture(Capture::NoRelay), Transport::Relay);
    if relay.is_none() {
        tracing::warn!("SMTP_HOST is not set: mail is captured, not sent; GET /v1/emails/{{id}}/raw shows it");
    }
    let address = settings.door.address;
    let listener = TcpListener::bind(address).await.map_err(|source| Failure::Listen { address, source })?;
    let worker = Worker::new(store.clone(), system, transport, Arc::clone(&entropy), settings.worker);
    let parts =
        Parts { store: store.clone(), relay: relay.clone(), environment_key: settings.api_key, limits: Limits::default(), clock, entropy };
    let app = Arc::new(App::new(parts));

    let (drain, background) = (CancellationToken::new(), CancellationToken::new());
    let (front, behind) = (TaskTracker::new(), TaskTracker::new());
    let (listening_store, listening_address, listening_stop) = (store.clone(), opened.address.clone(), background.clone());
    behind.spawn(async move { listening_store.listen(&listening_address, listening_stop).await });
    behind.spawn(write_key_use(store.clone(), background.clone()));
    front.spawn(worker.run(drain.clone()));
    tracing::info!(address = %listener.local_addr()?, tls = settings.door.http.tls.is_some(), version = env!("CARGO_PKG_VERSION"), "listening");
    let serving = selfmx_http::serve(listener, Arc::clone(&app), settings.door.http, drain.clone());
    let mut serving = std::pin::pin!(serving);
    tokio::select! {
        ended = &mut serving => ended.map(|_| ())?,
        () = signals.next() => {}
    }
    tracing::info!("draining: open requests and deliveries finish, nothing new begins");
    app.drain();
    drain.cancel();
    front.close();
    tokio::select! {
        _ = async { tokio::join!(serving, front.wait()) } => tracing::info!("drained"),
        () = signals.next() => tracing::warn!("a second signal: stopping without waiting"),
        () = tokio::time::sleep(DRAIN) => tracing::warn!("not all could finish in time: stopping without waiting"),
    }
    background.cancel();
    behind.close();
    behind.wait().await;
    if let Some(relay) = relay {
        relay.close().await;
    }
    Ok(())
}

/// Writes when keys were last used, now and then and at the end; never on the path of a request.
async fn write_key_use(store: Store, stop: CancellationToken) {
    loop {
        let stopping = tokio::select! {
            () = stop.cancelled() => true,
            () = tokio::time::sleep(KEY_USE) => false,
        };
        if let Err(error) = store.key_use_write().await {
            tracing::warn!(error = %error, "when keys were last used could not be written: it is tried again");
        }
        if stopping {
            return;
        }
    }
}
