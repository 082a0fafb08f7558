//! The loop: claim, hand over, pass on what came of it.

use std::sync::Arc;
use std::time::Duration;

use selfmx_auth::System;
use selfmx_domain::{Entropy, Verdict};
use selfmx_mail::Transport;
use selfmx_storage::{Delivery, Lease, Store};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::attempt::{attempt, refuse};
use crate::claims::{Claim, Claims};
use crate::recorder::{self, Recording, Settled};
use crate::settings::WorkerSettings;

const AFTER_A_FAILURE: Duration = Duration::from_secs(1);

/// Delivers what is queued.
#[derive(Clone)]
pub struct Worker {
    store: Store,
    system: System,
    relay: Transport,
    entropy: Arc<dyn Entropy>,
    settings: WorkerSettings,
}

/// What all runners and attempts of one worker share.
struct Shared {
    worker: Worker,
    claims: Claims,
    /// One place for each message on its way to the relay.
    sending: Semaphore,
    recording: Recording,
    stop: CancellationToken,
    attempts: TaskTracker,
}

impl Worker {
    /// A worker that hands live mail to `relay` and captures what test keys sent.
    #[must_use]
    pub fn new(store: Store, system: System, relay: Transport, entropy: Arc<dyn Entropy>, settings: WorkerSettings) -> Self {
        Self { store, system, relay, entropy, settings }
    }

    /// Works until `stop`; then begins nothing more, gives back what was claimed and not begun, waits for what was begun, and returns when all
    /// of it is recorded.
    pub async fn run(self, stop: CancellationToken) {
        let sending = Semaphore::new(usize::from(self.settings.sending.max(1)));
        let (claims, recording, attempts) = (Claims::default(), Recording::default(), TaskTracker::new());
        let shared = Arc::new(Shared { worker: self, claims, sending, recording, stop, attempts });
        let (worker, settings) = (&shared.worker, shared.worker.settings);
        let (results, recorded) = mpsc::channel(1024);
        let recording = tokio::spawn(recorder::record(worker.store.clone(), worker.system, shared.recording.clone(), recorded));
        let finished = CancellationToken::new();
        let renewing = tokio::spawn(shared.claims.clone().renew(worker.store.clone(), worker.system, settings.lease, finished.clone()));
        let runners = TaskTracker::new();
        for _ in 0..settings.runners.max(1) {
            runners.spawn(Arc::clone(&shared).run(results.clone()));
        }
        drop(results);
        runners.close();
        shared.poll().await;
        runners.wait().await;
        shared.attempts.close();
        shared.attempts.wait().await;
        // Recording ends with the last attempt's sender.
        let _ = recording.await;
        finished.cancel();
        let _ = renewing.await;
    }
}

impl Shared {
    /// A look now and then finds what no signal told of: retries that have come due, leases that ran out.
    async fn poll(&self) {
        let mut tick = tokio::time::interval(self.worker.settings.poll);
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                _ = tick.tick() => self.worker.store.work_suspected(),
            }
        }
    }

    async fn run(self: Arc<Self>, results: mpsc::Sender<Settled>) {
        let most = self.worker.settings.claims_per_runner();
        let places = Arc::new(Semaphore::new(usize::from(most)));
        while !self.stop.is_cancelled() {
            let Some(wanted) = self.wait_for_places(&places, most).await else { return };
            match self.claim(&places, wanted).await {
                Claimed::Work(claimed) => claimed.into_iter().for_each(|work| self.begin(work, &results)),
                Claimed::Nothing => tokio::select! {
                    () = self.stop.cancelled() => {}
                    () = self.worker.store.work_arrived() => {}
                },
                Claimed::Failed => tokio::select! {
                    () = self.stop.cancelled() => {}
                    () = tokio::time::sleep(AFTER_A_FAILURE) => {}
                },
            }
        }
    }

    /// Waits until half of the places are free, so that leases come in batches under load, and tells how many are.
    async fn wait_for_places(&self, places: &Arc<Semaphore>, most: u16) -> Option<u16> {
        let half = u32::from(most.div_ceil(2));
        tokio::select! {
            () = self.stop.cancelled() => None,
            permit = places.acquire_many(half) => {
                drop(permit.ok()?);
                u16::try_from(places.available_permits()).ok()
            }
        }
    }

    async fn claim(&self, places: &Arc<Semaphore>, wanted: u16) -> Claimed {
        let Worker { store, system, settings, .. } = &self.worker;
        // Counted from before the question: the database's own count begins later.
        let until = Instant::now() + settings.lease;
        let leases = match store.queue_lease(system, wanted, settings.lease).await {
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
        let claimed = leases.into_iter().filter_map(|lease| {
            let place = Arc::clone(places).try_acquire_owned().ok()?;
            let claim = self.claims.note(lease.work().email_id, lease.key(), until);
            Some(Work { lease, claim, place })
        });
        Claimed::Work(claimed.collect())
    }

    fn begin(self: &Arc<Self>, work: Work, results: &mpsc::Sender<Settled>) {
        let (shared, results) = (Arc::clone(self), results.clone());
        self.attempts.spawn(async move {
            if let Some(settled) = shared.work(work).await {
                // The recorder outlives every attempt.
                let _ = results.send(settled).await;
            }
        });
    }

    /// Hands one email over, unless it is too late for it or the worker is stopping.
    async fn work(&self, work: Work) -> Option<Settled> {
        let Worker { store, relay, entropy, settings, .. } = &self.worker;
        let Work { mut lease, claim, place } = work;
        let Some(_turn) = self.turn().await else {
            self.release(lease).await;
            return None;
        };
        let settlement = match store.queue_message(&mut lease).await {
            Ok(message) if claim.is_fresh(settings.lease / 3) => attempt(lease, &message, relay, &settings.policy, &**entropy).await,
            Ok(_) => {
                tracing::warn!(email_id = %lease.work().email_id, "a lease ran out before its turn came: the email is left to the next one");
                return None;
            }
            Err(error) if error.is_transient() => {
                // Given back, it would be due at once, and tried as fast as it fails.
                tracing::warn!(email_id = %lease.work().email_id, error = %error, "a message cannot be read: it is tried again when its lease has run out");
                return None;
            }
            Err(error) => {
                tracing::error!(email_id = %lease.work().email_id, error = %error, "a message cannot be read");
                refuse(lease, &Verdict::Undeliverable("the message cannot be read from the store".to_owned()), &settings.policy, &**entropy)
            }
        };
        Some(Settled { settlement, claim, place })
    }

    /// Waits for a place among those that are sent, at a time when results can be recorded; `None` where nothing more is to be begun.
    async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        let turn = async {
            let turn = self.sending.acquire().await.ok()?;
            self.recording.works().await;
            Some(turn)
        };
        tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            turn = turn => turn,
        }
    }

    async fn release(&self, lease: Lease<Delivery>) {
        if let Err(error) = self.worker.store.queue_release(&self.worker.system, vec![lease]).await {
            tracing::warn!(error = %error, "a lease could not be given back: it runs out by itself");
        }
    }
}

/// An email that was claimed.
struct Work {
    lease: Lease<Delivery>,
    claim: Claim,
    place: OwnedSemaphorePermit,
}

/// What a look at the queue brought.
enum Claimed {
    Work(Vec<Work>),
    Nothing,
    Failed,
}
