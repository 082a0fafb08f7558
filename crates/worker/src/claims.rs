//! What is claimed at present and until when, renewed by a heart-beat.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use selfmx_auth::System;
use selfmx_domain::EmailId;
use selfmx_storage::{Error, LeaseKey, Store};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

/// All claims of one worker.
#[derive(Clone, Default)]
pub(crate) struct Claims(Arc<Mutex<HashMap<EmailId, (LeaseKey, Hold)>>>);

/// What is known of a claim's lease.
#[derive(Clone, Copy)]
enum Hold {
    /// It lasts until then; after that anybody may take the email, and until somebody does it can be renewed.
    Until(Instant),
    /// Another worker has taken the email.
    Lost,
}

/// One claim; it is forgotten when this is dropped.
pub(crate) struct Claim {
    claims: Claims,
    id: EmailId,
}

impl Claims {
    /// Notes a claim that lasts until `until`.
    pub(crate) fn note(&self, id: EmailId, key: LeaseKey, until: Instant) -> Claim {
        self.lock().insert(id, (key, Hold::Until(until)));
        Claim { claims: self.clone(), id }
    }

    /// Renews the claims at a third of their duration until told to stop.
    pub(crate) async fn renew(self, store: Store, system: System, duration: Duration, stop: CancellationToken) {
        let mut beat = tokio::time::interval(duration / 3);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = beat.tick() => self.renew_once(&store, &system, duration).await,
            }
        }
    }

    /// Renews the claims where one of them may run out soon, so that a worker that was cut off from the database does not take its own work for somebody
    /// else's.
    ///
    /// # Errors
    ///
    /// Where the database cannot: then nothing is known of the claims.
    pub(crate) async fn renew_late(&self, store: &Store, system: &System, duration: Duration) -> Result<(), Error> {
        let late = Instant::now() + duration / 3;
        let is_late = |(_, hold): &(_, Hold)| matches!(hold, Hold::Until(until) if *until <= late);
        if self.lock().values().any(is_late) {
            return self.renew_now(store, system, duration).await;
        }
        Ok(())
    }

    async fn renew_once(&self, store: &Store, system: &System, duration: Duration) {
        if let Err(error) = self.renew_now(store, system, duration).await {
            tracing::warn!(error = %error, "leases could not be renewed");
        }
    }

    async fn renew_now(&self, store: &Store, system: &System, duration: Duration) -> Result<(), Error> {
        let keys: HashMap<_, _> =
            self.lock().iter().filter(|(_, (_, hold))| matches!(hold, Hold::Until(_))).map(|(id, (key, _))| (*id, *key)).collect();
        if keys.is_empty() {
            return Ok(());
        }
        // Counted from before the question: the database's own count begins later.
        let until = Instant::now() + duration;
        let asked: Vec<_> = keys.values().copied().collect();
        let renewed = store.queue_renew(system, &asked, duration).await?;
        for (id, (_, hold)) in self.lock().iter_mut().filter(|(id, (key, _))| keys.get(id) == Some(key)) {
            *hold = if renewed.contains(id) { Hold::Until(until) } else { Hold::Lost };
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<EmailId, (LeaseKey, Hold)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claim {
    /// Whether the lease still has a good part of its time to run: only then may something be sent.
    pub(crate) fn is_fresh(&self, margin: Duration) -> bool {
        self.claims.lock().get(&self.id).is_some_and(|(_, hold)| matches!(hold, Hold::Until(until) if *until > Instant::now() + margin))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.claims.lock().remove(&self.id);
    }
}
