//! What is claimed at present and until when, renewed by a heart-beat.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use selfmx_auth::System;
use selfmx_domain::EmailId;
use selfmx_storage::{LeaseKey, Store};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

/// All claims of one worker.
#[derive(Clone, Default)]
pub(crate) struct Claims(Arc<Mutex<HashMap<EmailId, (LeaseKey, Instant)>>>);

/// One claim; it is forgotten when this is dropped.
pub(crate) struct Claim {
    claims: Claims,
    id: EmailId,
}

impl Claims {
    /// Notes a claim that lasts until `until`.
    pub(crate) fn note(&self, id: EmailId, key: LeaseKey, until: Instant) -> Claim {
        self.lock().insert(id, (key, until));
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

    async fn renew_once(&self, store: &Store, system: &System, duration: Duration) {
        let keys: Vec<_> = self.lock().values().map(|(key, _)| *key).collect();
        if keys.is_empty() {
            return;
        }
        // Counted from before the question: the database's own count begins later.
        let until = Instant::now() + duration;
        match store.queue_renew(system, &keys, duration).await {
            Ok(renewed) => self.lock().iter_mut().filter(|(id, _)| renewed.contains(id)).for_each(|(_, claim)| claim.1 = until),
            Err(error) => tracing::warn!(error = %error, claims = keys.len(), "leases could not be renewed"),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<EmailId, (LeaseKey, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claim {
    /// Whether the lease still has a good part of its time to run: only then may something be sent.
    pub(crate) fn is_fresh(&self, margin: Duration) -> bool {
        self.claims.lock().get(&self.id).is_some_and(|(_, until)| *until > Instant::now() + margin)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.claims.lock().remove(&self.id);
    }
}
