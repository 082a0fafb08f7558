//! Posts events to webhooks: leases what is due, posts it, has recorded what came of it.

use std::sync::Arc;
use std::time::Duration;

use selfmx_auth::System;
use selfmx_domain::{Entropy, WebhookId};
use selfmx_storage::{Error, Lease, Store, WebhookDelivery, WebhookDue, WebhookLook};
use selfmx_webhook::Poster;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::WebhookCounts;
use crate::endpoints::{Endpoints, Place, Room};
use crate::webhook_post::posted;
use crate::webhook_recorder::{Done, WebhookRecorder};

/// How long it waits at least after a look that found nothing to begin: however many commit, there are no more looks than these.
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

const AFTER_A_FAILURE: Duration = Duration::from_secs(1);

/// How often it looks which tenants have webhooks; what others make meanwhile is found by a poll.
const BETWEEN_LESSONS: Duration = Duration::from_secs(5);

/// How a [`WebhookWorker`] works.
#[derive(Clone, Copy, Debug)]
pub struct WebhookSettings {
    /// How many events are posted at once, without those whose endpoints take long.
    pub posting: u16,
    /// How long a lease lasts: longer than the poster's time and what recording may take.
    pub lease: Duration,
    /// How often it looks for what no signal told of: retries that have come due, leases that ran out.
    pub poll: Duration,
}

impl Default for WebhookSettings {
    /// 256 events at once, leases of 60 s, a look twice a second.
    fn default() -> Self {
        Self { posting: 256, lease: Duration::from_secs(60), poll: Duration::from_millis(500) }
    }
}

/// Posts what is queued for webhooks.
#[derive(Clone)]
pub struct WebhookWorker {
    store: Store,
    system: System,
    poster: Arc<Poster>,
    entropy: Arc<dyn Entropy>,
    settings: WebhookSettings,
    counts: Arc<WebhookCounts>,
}

/// One run of a worker.
struct Run {
    worker: WebhookWorker,
    endpoints: Endpoints,
    results: mpsc::Sender<Done>,
    attempts: TaskTracker,
    /// Where the next look goes on.
    after: Option<WebhookId>,
    /// How many looks there were.
    turn: usize,
    learned: Option<Instant>,
}

/// What a look led to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Looked {
    /// There may be more to begin at once.
    More,
    /// What there was is begun.
    All,
    /// There was nothing to begin.
    Nothing,
    /// The database did not say.
    Failed,
}

impl WebhookWorker {
    /// A worker that posts by `poster`.
    #[must_use]
    pub fn new(store: Store, system: System, poster: Poster, entropy: Arc<dyn Entropy>, settings: WebhookSettings) -> Self {
        Self { store, system, poster: Arc::new(poster), entropy, settings, counts: Arc::default() }
    }

    /// What it and its clones count.
    #[must_use]
    pub fn counts(&self) -> Arc<WebhookCounts> {
        Arc::clone(&self.counts)
    }

    /// Works until `stop`; then begins nothing more, and returns when all that was begun is recorded.
    pub async fn run(self, stop: CancellationToken) {
        let (results, recorded) = mpsc::channel(1024);
        let recorder = WebhookRecorder { store: self.store.clone(), system: self.system, counts: Arc::clone(&self.counts) };
        let recording = tokio::spawn(recorder.run(recorded));
        let endpoints = Endpoints::new(self.settings.posting);
        let mut run = Run { worker: self, endpoints, results, attempts: TaskTracker::new(), after: None, turn: 0, learned: None };
        while !stop.is_cancelled() && !recording.is_finished() {
            run.keep_house().await;
            let looked = run.looked().await;
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = run.pause(looked) => {}
            }
        }
        let Run { results, attempts, .. } = run;
        drop(results);
        attempts.close();
        attempts.wait().await;
        // Recording ends with the last attempt's sender.
        let _ = recording.await;
    }

    async fn attempt(&self, lease: Lease<WebhookDelivery>, mut place: Place, results: &mpsc::Sender<Done>) {
        let posted = posted(lease.work(), &self.poster, &*self.entropy, &mut place).await;
        self.counts.posted(&posted);
        let done = Done { settlement: lease.settle(posted), place };
        // The recorder's end of it outlives every attempt.
        drop(results.send(done).await);
    }
}

impl Run {
    /// Looks, and begins what there is room for.
    async fn looked(&mut self) -> Looked {
        self.look().await.unwrap_or_else(|error| {
            tracing::warn!(%error, "what is queued for webhooks cannot be read");
            Looked::Failed
        })
    }

    /// Waits until there may be more to begin: something happened, a place is free, or it is time to look anyway.
    async fn pause(&self, looked: Looked) {
        match looked {
            Looked::More => return,
            Looked::All => {}
            Looked::Nothing => sleep(BETWEEN_LOOKS).await,
            Looked::Failed => return sleep(AFTER_A_FAILURE).await,
        }
        tokio::select! {
            () = self.worker.store.webhook_work_arrived() => {}
            () = self.endpoints.freed() => {}
            () = sleep(self.worker.settings.poll) => {}
        }
    }

    async fn look(&mut self) -> Result<Looked, Error> {
        let WebhookWorker { store, system, settings, .. } = &self.worker;
        let WebhookLook { due, after } = store.webhook_look(system, self.after).await?;
        self.turn = self.turn.wrapping_add(1);
        let Room { wanted, is_full } = self.endpoints.room(&due, self.turn);
        // Where there was no room for some, they are those that the next look begins with.
        let is_end = after.is_none();
        self.after = after;
        if wanted.is_empty() {
            return Ok(if is_end { Looked::Nothing } else { Looked::More });
        }
        let leases = store.webhook_lease(system, &wanted, settings.lease).await?;
        let (began, planned) = (leases.len(), wanted.iter().map(|(_, count)| usize::from(*count)).sum());
        for lease in leases {
            self.begin(lease, &due);
        }
        // Who had less than there was room for may have kept others out.
        let is_wrong = is_full && began < planned && began > 0;
        Ok(if is_end && !is_wrong { Looked::All } else { Looked::More })
    }

    fn begin(&self, lease: Lease<WebhookDelivery>, due: &[WebhookDue]) {
        let Some(due) = due.iter().find(|due| due.id == lease.work().webhook_id) else { return };
        let (worker, place, results) = (self.worker.clone(), self.endpoints.take(due), self.results.clone());
        self.attempts.spawn(async move { worker.attempt(lease, place, &results).await });
    }

    /// Now and then: what is known of tenants, endpoints and connections.
    async fn keep_house(&mut self) {
        if self.learned.is_some_and(|at| at.elapsed() < BETWEEN_LESSONS) {
            return;
        }
        self.learned = Some(Instant::now());
        self.endpoints.forget_unused();
        self.worker.poster.forget_idle();
        if let Err(error) = self.worker.store.webhook_tenants_learn(&self.worker.system).await {
            tracing::debug!(%error, "who has webhooks cannot be read");
        }
    }
}
