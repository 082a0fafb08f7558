//! What a node remembers of keys and tenants, and for how long it may go by it without asking the database.
//!
//! | what happens | what becomes of what is remembered |
//! |---|---|
//! | a key or a tenant changes on this node | that one is forgotten before the change is answered |
//! | it changes on another node | that one is forgotten when the notification is heard |
//! | this node's own pulse is heard, [`TRUST`] or less after it was sent | the rest counts for `TRUST` from when it was sent |
//! | no pulse is heard for that long | nothing counts, until one is |
//! | the connection is lost, or made | all is forgotten |
//!
//! PostgreSQL delivers notifications in the order of the commits: whoever hears a pulse has heard of each change that was committed before the
//! pulse was sent. So a change that was answered counts on every node after `TRUST` at the latest, also where the network has failed silently.
//!
//! Only live keys are remembered: those that are unknown, revoked, expired or switched off cost a query each time, and are not told apart by time.

mod halves;
mod hearing;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use selfmx_auth::{Digest, StoredKey};
use selfmx_domain::{ApiKeyId, Tenant, TenantId};
use tokio::sync::Notify;

use self::halves::Halves;
use self::hearing::Hearing;
pub(crate) use self::hearing::Listening;
use crate::FoundKey;

/// How long a pulse that was heard vouches for what is remembered, counted from when it was sent. With what a request takes it is less than a second.
pub(crate) const TRUST: Duration = Duration::from_millis(900);

/// After this anything is asked for again: what somebody changed by hand, past SelfMX, is announced to nobody.
const OLD: Duration = Duration::from_secs(60);

/// The most keys.
const KEYS: usize = 10_000;

/// What one node remembers.
#[derive(Clone, Default)]
pub(crate) struct Memory(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// Held for no longer than a look takes, never across an `await`.
    state: Mutex<State>,
    asked: Notify,
    heard: Notify,
}

struct State {
    keys: Halves<RememberedKey>,
    default_tenant: Option<(Arc<Tenant>, Instant)>,
    /// Moves whenever something is forgotten: an answer to a question that was asked before may be older than that.
    turn: u64,
    hearing: Option<Hearing>,
}

impl Default for State {
    fn default() -> Self {
        Self { keys: Halves::new(KEYS), default_tenant: None, turn: 0, hearing: None }
    }
}

struct RememberedKey {
    id: ApiKeyId,
    tenant: TenantId,
    stored: Arc<StoredKey>,
    since: Instant,
}

/// What is known, or else the question that goes to the database.
pub(crate) enum Recalled<T> {
    Known(T),
    Unknown(Question),
}

/// A question to the database, with the turn at which it was asked.
#[derive(Clone, Copy)]
pub(crate) struct Question(u64);

/// What has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Changed {
    Key(ApiKeyId),
    /// A tenant, and so all its keys.
    Tenant(TenantId),
    Anything,
}

impl Changed {
    /// Reads an announcement. One that a later version may understand can mean anything.
    pub(crate) fn announced(text: &str) -> Self {
        let key = text.parse().map(Self::Key);
        key.or_else(|_| text.parse().map(Self::Tenant)).unwrap_or(Self::Anything)
    }
}

impl Memory {
    /// The live key of which this is the digest of a secret.
    pub(crate) fn key(&self, digest: &Digest, now: Instant) -> Recalled<FoundKey> {
        let mut state = self.asked_state();
        let unknown = Recalled::Unknown(Question(state.turn));
        let Some(at) = state.hearing.as_ref().and_then(|hearing| hearing.database_time(now)) else { return unknown };
        let Some(key) = state.keys.find(digest.as_bytes()) else { return unknown };
        let found = FoundKey { stored: Arc::clone(&key.stored), at };
        if is_old(key.since, now) || !found.is_live(digest) {
            state.keys.remove(digest.as_bytes());
            return unknown;
        }
        Recalled::Known(found)
    }

    /// Keeps the database's answer, unless something was forgotten since it was asked.
    pub(crate) fn keep_key(&self, question: Question, digest: &Digest, found: &FoundKey, now: Instant) {
        let mut state = self.state();
        if !state.may_keep(question) || !found.is_live(digest) {
            return;
        }
        let stored = Arc::clone(&found.stored);
        let key = RememberedKey { id: stored.key.id, tenant: stored.tenant.id, stored, since: now };
        state.keys.put(*digest.as_bytes(), key);
    }

    /// The tenant on which platform keys act.
    pub(crate) fn default_tenant(&self, now: Instant) -> Recalled<Arc<Tenant>> {
        let state = self.asked_state();
        let counts = state.hearing.as_ref().is_some_and(|hearing| hearing.database_time(now).is_some());
        match &state.default_tenant {
            Some((tenant, since)) if counts && !is_old(*since, now) => Recalled::Known(Arc::clone(tenant)),
            _ => Recalled::Unknown(Question(state.turn)),
        }
    }

    /// Keeps the database's answer, unless something was forgotten since it was asked.
    pub(crate) fn keep_default_tenant(&self, question: Question, tenant: &Arc<Tenant>, now: Instant) {
        let mut state = self.state();
        if state.may_keep(question) {
            state.default_tenant = Some((Arc::clone(tenant), now));
        }
    }

    /// Forgets what has changed.
    pub(crate) fn forget(&self, changed: Changed) {
        self.state().forget(changed);
    }

    /// Somebody asks: a pulse is wanted.
    fn asked_state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state();
        if state.hearing.as_mut().is_some_and(Hearing::want_pulse) {
            self.0.asked.notify_one();
        }
        state
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn may_keep(&self, question: Question) -> bool {
        self.hearing.is_some() && question.0 == self.turn
    }

    fn forget(&mut self, changed: Changed) {
        self.turn += 1;
        match changed {
            Changed::Key(id) => self.keys.retain(|key| key.id != id),
            Changed::Tenant(id) => {
                self.keys.retain(|key| key.tenant != id);
                self.default_tenant.take_if(|(tenant, _)| tenant.id == id);
            }
            Changed::Anything => {
                self.keys.retain(|_| false);
                self.default_tenant = None;
            }
        }
    }
}

fn is_old(since: Instant, now: Instant) -> bool {
    now.saturating_duration_since(since) >= OLD
}
