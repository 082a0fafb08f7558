//! What all connections of a server have in common.

use std::sync::Arc;

use selfmx_metrics::Source;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::body::{Bounds, Room};
use crate::request_counts::RequestCounts;
use crate::route::BodySize;
use crate::{Doorkeeper, HttpSettings, Router};

const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// What all connections of a server have in common.
pub(crate) struct Shared<S> {
    pub(crate) state: Arc<S>,
    pub(crate) router: Router<S>,
    pub(crate) settings: HttpSettings,
    pub(crate) tls: Option<TlsAcceptor>,
    /// The room for bodies.
    pub(crate) room: Arc<Room>,
    /// The room for large answers that are on their way out, in octets.
    pub(crate) answers: Arc<Semaphore>,
    /// The requests that are worked on, also after their client has gone.
    pub(crate) tasks: TaskTracker,
    pub(crate) drain: CancellationToken,
    pub(crate) counts: Arc<RequestCounts>,
}

impl<S: Doorkeeper> Shared<S> {
    /// A server's, before its first connection.
    pub(crate) fn new(state: Arc<S>, router: Router<S>, settings: HttpSettings, drain: CancellationToken) -> Arc<Self> {
        let tls = settings.tls.as_deref().map(|given| {
            let mut config = given.clone();
            config.alpn_protocols = ALPN.iter().map(|protocol| protocol.to_vec()).collect();
            TlsAcceptor::from(Arc::new(config))
        });
        let room = settings.max_bodies.max(settings.max_send_body).max(settings.max_body);
        let answers = Arc::new(Semaphore::new(settings.max_answers.min(Semaphore::MAX_PERMITS)));
        let counts = Arc::<RequestCounts>::default();
        state.watch(Arc::clone(&counts) as Arc<dyn Source>);
        Arc::new(Self { state, router, settings, tls, room: Arc::new(Room::new(room)), answers, tasks: TaskTracker::new(), drain, counts })
    }
}

impl<S> Shared<S> {
    /// The bounds of the body of a route.
    pub(crate) const fn bounds(&self, size: BodySize) -> Bounds {
        let octets = match size {
            BodySize::Usual => self.settings.max_body,
            BodySize::Email => self.settings.max_send_body,
        };
        Bounds { octets, time: self.settings.body_timeout, rate: self.settings.min_body_rate }
    }
}
