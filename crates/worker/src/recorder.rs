//! Records what came of attempts, many in one commit, until the database takes it.

use std::sync::Arc;
use std::time::Duration;

use selfmx_auth::System;
use selfmx_storage::{Settlement, Store};
use tokio::sync::{Mutex, mpsc, watch};

use crate::claims::Claim;
use crate::counts::WorkerCounts;
use crate::runner::Worker;
use crate::work::Place;

/// How many settlements one commit holds at most.
const AT_ONCE: usize = 200;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A settlement with what is given back once it is recorded: the claim and its place.
pub(crate) struct Settled {
    pub(crate) settlement: Settlement,
    pub(crate) claim: Claim,
    pub(crate) place: Place,
}

/// Whether results can be recorded at present, for those who are about to make some.
#[derive(Clone, Debug)]
pub(crate) struct Recording(watch::Sender<bool>);

impl Default for Recording {
    fn default() -> Self {
        Self(watch::Sender::new(true))
    }
}

impl Recording {
    /// Waits until results can be recorded.
    pub(crate) async fn works(&self) {
        // The sender is ours, so that the wait ends by the value alone.
        let _ = self.0.subscribe().wait_for(|works| *works).await;
    }

    fn set(&self, works: bool) {
        self.0.send_if_modified(|now| std::mem::replace(now, works) != works);
    }
}

/// What records.
pub(crate) struct Recorder {
    store: Store,
    system: System,
    recording: Recording,
    counts: Arc<WorkerCounts>,
    desk: Mutex<Desk>,
}

/// What outlives a recording that breaks down.
struct Desk {
    results: mpsc::Receiver<Settled>,
    /// What is to be recorded next.
    settlements: Vec<Settlement>,
    /// What is given back once that is recorded.
    held: Vec<(Claim, Place)>,
}

impl Recorder {
    /// Records what comes by `results` for `worker`.
    pub(crate) fn new(worker: &Worker, recording: Recording, results: mpsc::Receiver<Settled>) -> Self {
        let Worker { store, system, counts, .. } = worker;
        let desk = Mutex::new(Desk { results, settlements: Vec::new(), held: Vec::new() });
        Self { store: store.clone(), system: *system, recording, counts: Arc::clone(counts), desk }
    }

    /// Records until the last sender is gone. While one commit is under way the next settlements gather.
    ///
    /// Where it breaks down nothing is lost: begun again, it goes on with what it had in hand.
    pub(crate) async fn run(self: Arc<Self>) {
        let mut desk = self.desk.lock().await;
        while !desk.settlements.is_empty() || desk.gather().await {
            self.record(&desk.settlements).await;
            desk.settlements.clear();
            desk.held.clear();
        }
    }

    /// Tries until it succeeds: a result that is not recorded means a mail that is sent again.
    async fn record(&self, settlements: &[Settlement]) {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.store.queue_settle(&self.system, settlements).await {
                Ok(recorded) => {
                    let stale = settlements.len() - recorded.len();
                    if stale > 0 {
                        self.counts.add_stale(stale);
                        tracing::warn!(stale, "leases had run out: another worker has the emails, nothing was changed");
                    }
                    self.recording.set(true);
                    return;
                }
                Err(error) => {
                    tracing::error!(error = %error, results = settlements.len(), "results cannot be recorded: nothing new is sent until they are")
                }
            }
            self.recording.set(false);
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

impl Desk {
    /// Waits for more; `false` where there will be none.
    async fn gather(&mut self) -> bool {
        let mut gathered = Vec::new();
        let count = self.results.recv_many(&mut gathered, AT_ONCE).await;
        for Settled { settlement, claim, place } in gathered {
            self.settlements.push(settlement);
            self.held.push((claim, place));
        }
        count > 0
    }
}
