//! The loop: claim, hand over, pass on what came of it.

use std::sync::Arc;
use std::time::Duration;

use selfmx_auth::System;
use selfmx_domain::{EmailId, Entropy};
use selfmx_mail::{RelayTerms, Transport};
use selfmx_storage::{Fault, LeaseKey, Store, Suspicion};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::claims::Claims;
use crate::condition::{Condition, Error, Task};
use crate::counts::WorkerCounts;
use crate::pace::Pace;
use crate::recorder::{Recorder, Recording, Settled};
use crate::relays::Relays;
use crate::settings::WorkerSettings;
use crate::shares::Shares;
use crate::suspects::Suspects;
use crate::work::Work;

const AFTER_A_FAILURE: Duration = Duration::from_secs(1);

/// Where live mail goes; what test keys sent is captured.
#[derive(Clone, Debug)]
pub struct Routes {
    /// That of tenants without a relay of their own.
    pub server: Transport,
    /// On what terms tenants' own relays are used.
    pub tenants: RelayTerms,
}

/// Delivers what is queued.
#[derive(Clone)]
pub struct Worker {
    pub(crate) store: Store,
    pub(crate) system: System,
    pub(crate) routes: Routes,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) settings: WorkerSettings,
    pub(crate) counts: Arc<WorkerCounts>,
    pub(crate) condition: Condition,
}

/// What all runners and attempts of one worker share.
pub(crate) struct Shared {
    pub(crate) worker: Worker,
    claims: Claims,
    /// One place for each message on its way to the server's relay.
    pub(crate) sending: Semaphore,
    pub(crate) relays: Relays,
    pub(crate) shares: Shares,
    pub(crate) suspects: Suspects,
    pub(crate) recording: Recording,
    pub(crate) stop: CancellationToken,
    attempts: TaskTracker,
}

impl Worker {
    /// A worker that hands live mail over by `routes` and captures what test keys sent.
    #[must_use]
    pub fn new(store: Store, system: System, routes: Routes, entropy: Arc<dyn Entropy>, settings: WorkerSettings) -> Self {
        Self { store, system, routes, entropy, settings, counts: Arc::default(), condition: Condition::default() }
    }

    /// What it and its clones count.
    #[must_use]
    pub fn counts(&self) -> Arc<WorkerCounts> {
        Arc::clone(&self.counts)
    }

    /// Whether it and its clones are sound.
    #[must_use]
    pub fn condition(&self) -> Condition {
        self.condition.clone()
    }

    /// Works until `stop`; then begins nothing more, gives back what was claimed and not begun, waits for what was begun, and returns when all
    /// of it is recorded.
    ///
    /// Where one of its tasks breaks down it does the same at once, without `stop`. What it waits for then may never come: whoever runs it hears of that by
    /// its [`Condition`], and bounds the time.
    ///
    /// # Errors
    ///
    /// [`Error`] says what broke down.
    pub async fn run(self, stop: CancellationToken) -> Result<(), Error> {
        let shared = Arc::new(Shared::of(self, stop.child_token()));
        let _stops_with_this = shared.stop.clone().drop_guard();
        Arc::clone(&shared).watch(Task::Delivery, Arc::clone(&shared).deliver()).await;
        shared.worker.condition.check()
    }
}

impl Shared {
    fn of(worker: Worker, stop: CancellationToken) -> Self {
        let terms = worker.routes.tenants.clone();
        Self {
            claims: Claims::default(),
            sending: Semaphore::new(usize::from(worker.settings.sending.max(1))),
            shares: Shares::new(terms.pool_size),
            suspects: Suspects::default(),
            relays: Relays::new(worker.store.clone(), worker.system, terms),
            recording: Recording::default(),
            stop,
            attempts: TaskTracker::new(),
            worker,
        }
    }

    async fn deliver(self: Arc<Self>) {
        let Worker { store, system, settings, .. } = self.worker.clone();
        let (results, recorded) = mpsc::channel(1024);
        let recorder = Arc::new(Recorder::new(&self.worker, self.recording.clone(), recorded));
        let recording = tokio::spawn(Arc::clone(&self).keep(Task::Recorder, move || Arc::clone(&recorder).run()));
        let (claims, finished) = (self.claims.clone(), CancellationToken::new());
        let beat = {
            let finished = finished.clone();
            move || claims.clone().renew(store.clone(), system, settings.lease, finished.clone())
        };
        let renewing = tokio::spawn(Arc::clone(&self).keep(Task::HeartBeat, beat));
        let runners = TaskTracker::new();
        for _ in 0..settings.runners.max(1) {
            runners.spawn(Arc::clone(&self).watch(Task::Runner, Arc::clone(&self).run(results.clone())));
        }
        drop(results);
        runners.close();
        Arc::clone(&self).watch(Task::Look, Arc::clone(&self).poll()).await;
        runners.wait().await;
        self.attempts.close();
        self.attempts.wait().await;
        // Recording ends with the last attempt's sender.
        let _ = recording.await;
        self.relays.close().await;
        finished.cancel();
        let _ = renewing.await;
    }

    /// A look now and then finds what no signal told of: retries that have come due, leases that ran out.
    async fn poll(self: Arc<Self>) {
        let mut tick = tokio::time::interval(self.worker.settings.poll);
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                _ = tick.tick() => {
                    self.worker.store.work_suspected();
                    self.relays.forget_unused();
                }
            }
        }
    }

    async fn run(self: Arc<Self>, results: mpsc::Sender<Settled>) {
        let mut pace = Pace::of(&self.worker.settings);
        let places = Arc::new(Semaphore::new(usize::from(pace.most())));
        while !self.stop.is_cancelled() {
            let Some(wanted) = self.wait_for_places(&places, pace).await else { return };
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                () = self.recording.works() => {}
            }
            match self.claim(&places, wanted).await {
                Claimed::Work(claimed) => {
                    let (begun, had_all) = (Instant::now(), claimed.len() == usize::from(wanted));
                    claimed.into_iter().for_each(|work| self.begin(work, &results));
                    if self.wait_for_places(&places, pace).await.is_none() {
                        return;
                    }
                    pace.heard(had_all, begun.elapsed());
                }
                Claimed::Nothing => tokio::select! {
                    () = self.stop.cancelled() => {}
                    () = self.worker.store.work_arrived() => {}
                    () = self.shares.freed() => {}
                },
                Claimed::Failed => tokio::select! {
                    () = self.stop.cancelled() => {}
                    () = tokio::time::sleep(AFTER_A_FAILURE) => {}
                },
            }
        }
    }

    /// Waits until half of the places that there are at this pace are free, so that leases come in batches under load, and tells how many are.
    async fn wait_for_places(&self, places: &Arc<Semaphore>, pace: Pace) -> Option<u16> {
        let kept_back = pace.most() - pace.now();
        let half = u32::from(kept_back + pace.now().div_ceil(2));
        tokio::select! {
            () = self.stop.cancelled() => None,
            permit = places.acquire_many(half) => {
                drop(permit.ok()?);
                Some(u16::try_from(places.available_permits()).ok()?.saturating_sub(kept_back))
            }
        }
    }

    async fn claim(&self, places: &Arc<Semaphore>, wanted: u16) -> Claimed {
        let Worker { store, system, settings, .. } = &self.worker;
        if let Err(error) = self.claims.renew_late(store, system, settings.lease).await {
            tracing::warn!(error = %error, "leases could not be renewed: nothing more is claimed");
            return Claimed::Failed;
        }
        // Counted from before the question: the database's own count begins later.
        let until = Instant::now() + settings.lease;
        let leases = match store.queue_lease(system, wanted, settings.lease, &self.shares.passed_over()).await {
            Ok(leases) => leases,
            Err(error) => {
                tracing::warn!(error = %error, "the queue cannot be read");
                return Claimed::Failed;
            }
        };
        if leases.is_empty() {
            return Claimed::Nothing;
        }
        if leases.len() == usize::from(wanted) {
            // There may be more: another runner should look.
            store.work_suspected();
        }
        let (mut claimed, mut surplus, mut postponed) = (Vec::new(), Vec::new(), Vec::new());
        for lease in leases {
            let suspicion = lease.work().suspicion;
            if suspicion == Suspicion::Died {
                self.died(lease).await;
                continue;
            }
            let Some(place) = self.place(&lease, places) else {
                if suspicion == Suspicion::None { &mut surplus } else { &mut postponed }.push(lease);
                continue;
            };
            let claim = self.claims.note(lease.work().email_id, lease.key(), until);
            claimed.push(Work { lease, claim, place });
        }
        self.release(surplus).await;
        self.postpone(postponed).await;
        Claimed::Work(claimed)
    }

    fn begin(self: &Arc<Self>, work: Work, results: &mpsc::Sender<Settled>) {
        let (shared, results) = (Arc::clone(self), results.clone());
        let (id, key) = (work.lease.work().email_id, work.lease.key());
        self.attempts.spawn(async move {
            let worker = Arc::clone(&shared);
            // A task of its own, so that what breaks down in it breaks nothing else.
            match tokio::spawn(async move { worker.work(work).await }).await {
                Ok(None) => {}
                // The recorder's end of it outlives every attempt.
                Ok(Some(settled)) => drop(results.send(settled).await),
                Err(_) => shared.broke_down(id, key).await,
            }
        });
    }

    /// The attempt counts, so that an email at which the server breaks down each time has an end. What it broke down over may hold somebody's mail, and
    /// is not logged.
    async fn broke_down(&self, id: EmailId, key: LeaseKey) {
        let Worker { store, system, settings, .. } = self.worker.clone();
        self.worker.counts.add_broke_down();
        tracing::error!(email_id = %id, "an attempt broke down: this is an error of the server's own");
        // A task of its own: where nothing can be counted, nothing is to be tried for ever.
        match tokio::spawn(async move { store.queue_fault(&system, key, Fault::BrokeDown, &settings.policy).await }).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                tracing::warn!(email_id = %id, error = %error, "a broken attempt could not be recorded: its lease runs out by itself");
            }
            Err(_) => self.broke(Task::FaultRecorder),
        }
    }
}

/// What a look at the queue brought.
enum Claimed {
    Work(Vec<Work>),
    Nothing,
    Failed,
}
