//! Emails that may end the process that delivers them: one at a time, so that the next process knows which it was.

use std::sync::Arc;
use std::time::Duration;

use selfmx_domain::EmailId;
use selfmx_storage::{Delivery, Fault, Lease, Suspicion};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::runner::{Shared, Worker};
use crate::work::Place;

/// How many wait for their turn. They keep nobody else from anything, but they are leased.
const WAITING: usize = 64;
/// How long one waits before others may, so that a relay that hangs does not keep those of other relays waiting.
const PATIENCE: Duration = Duration::from_secs(10);
/// When what found no place, or no turn, may be claimed again.
const LATER: Duration = Duration::from_secs(1);

/// The suspects of one worker.
pub(crate) struct Suspects {
    waiting: Arc<Semaphore>,
    alone: Arc<Semaphore>,
}

impl Default for Suspects {
    fn default() -> Self {
        Self { waiting: Arc::new(Semaphore::new(WAITING)), alone: Arc::new(Semaphore::new(1)) }
    }
}

impl Suspects {
    /// A place among those that wait, where there is one.
    pub(crate) fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.waiting).try_acquire_owned().ok()
    }

    async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        timeout(PATIENCE, Arc::clone(&self.alone).acquire_owned()).await.ok()?.ok()
    }
}

impl Shared {
    /// The place with which an email may be sent: that of a suspect is free when no other suspect is under way or without its result in the database, since
    /// whoever comes next would take the blame for it otherwise. `None`: not now.
    pub(crate) async fn settled_place(&self, lease: &Lease<Delivery>, place: Place) -> Option<Place> {
        let Place::Suspect(_waiting) = place else { return Some(place) };
        let alone = tokio::select! {
            biased;
            () = self.stop.cancelled() => return None,
            turn = self.suspects.turn() => turn?,
        };
        if !Self::is_for_own_relay(lease.work()) {
            return Some(Place::Alone(alone, None));
        }
        self.shares.take(lease.work().tenant).map(|share| Place::Alone(alone, Some(share)))
    }

    /// Whether an email may be begun. That it was is noted of a suspect.
    pub(crate) async fn may_begin(&self, lease: &Lease<Delivery>) -> bool {
        let email_id = lease.work().email_id;
        if lease.work().suspicion == Suspicion::None {
            return true;
        }
        tracing::warn!(%email_id, "no result came of an email three times or more: it is delivered while no other such email is");
        match self.worker.store.queue_begin_alone(&self.worker.system, lease.key()).await {
            Ok(is_ours) => is_ours,
            Err(error) => {
                tracing::warn!(%email_id, error = %error, "what is to be known of it cannot be recorded: the email waits");
                false
            }
        }
    }

    /// Leaves what was not begun to its next lease. A suspect is given back, since a lease that runs out would speak against it; everything else would be due
    /// at once by that, and be tried as fast as it fails.
    pub(crate) async fn leave(&self, lease: Lease<Delivery>) {
        if lease.work().suspicion != Suspicion::None {
            self.postpone(vec![lease]).await;
        }
    }

    pub(crate) async fn postpone(&self, leases: Vec<Lease<Delivery>>) {
        if let Err(error) = self.worker.store.queue_postpone(&self.worker.system, leases, LATER).await {
            tracing::warn!(error = %error, "leases could not be given back: they run out by themselves");
        }
    }

    /// An attempt of which nothing is known but that it was the only one of its kind when the process ended.
    pub(crate) async fn died(&self, lease: Lease<Delivery>) {
        let Worker { store, system, settings, .. } = &self.worker;
        let email_id: EmailId = lease.work().email_id;
        tracing::error!(%email_id, "the server ended each time that it had this email in hand, the last time alone: it counts as an attempt");
        if let Err(error) = store.queue_fault(system, lease.key(), Fault::Died, &settings.policy).await {
            tracing::warn!(%email_id, error = %error, "the attempt could not be recorded: its lease runs out by itself");
        }
    }
}
