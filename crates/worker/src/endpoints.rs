//! How much may be on its way to which endpoint, so that none delays another: a window for each that follows how it answers, and shares for all together.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use selfmx_domain::{TenantId, WebhookId};
use selfmx_storage::WebhookDue;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::Instant;

mod pool;
mod turns;

use self::pool::Pool;
use self::turns::Turns;

/// A post that has no answer after this long gives its place back, so that those who answer do not wait for those who do not.
pub(crate) const SLOW: Duration = Duration::from_secs(1);

/// How many are on their way to one endpoint at once, from this node, at most; and where it answers, but slowly.
const WIDEST: u16 = 32;
const NARROW: u16 = 4;

/// How many of all places those have together that failed lately, and those of whom nothing is known yet: one in so many.
const SHARE: usize = 4;

/// How many times as many posts as places there may be in all, with those that gave their places back; of these too no tenant has more than half.
const IN_ALL: usize = 4;

/// How long an endpoint that is told nothing is remembered.
const REMEMBERED: Duration = Duration::from_secs(600);

/// What all webhooks have on their way.
#[derive(Clone)]
pub(crate) struct Endpoints(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    freed: Notify,
}

struct State {
    known: HashMap<WebhookId, Standing>,
    pools: [Pool; 3],
    /// All that is under way, out of whichever share or out of none.
    all: Pool,
}

/// How an endpoint has done.
#[derive(Clone, Copy)]
struct Standing {
    class: Class,
    window: u16,
    under_way: u16,
    last: Instant,
}

/// Out of which share an endpoint's posts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// It answers.
    Sound,
    /// Nothing is known of it.
    New,
    /// It did not answer, or refuses what it is told.
    Failing,
}

/// How an endpoint took a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It has it, and said so soon.
    Soon,
    /// It has it, and took its time.
    Late,
    /// It answered that it does not.
    Refused,
    /// It did not answer.
    Unanswered,
}

/// What may be begun now.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Room {
    /// How many deliveries of which webhook.
    pub(crate) wanted: Vec<(WebhookId, u16)>,
    /// Whether there would be more to begin if there were more places.
    pub(crate) is_full: bool,
}

/// A post's place, given back when it is dropped.
pub(crate) struct Place {
    endpoints: Endpoints,
    webhook: WebhookId,
    tenant: TenantId,
    /// Out of which share; `None`: it took so long that it is out of none.
    class: Option<Class>,
}

impl Endpoints {
    /// So many places.
    pub(crate) fn new(places: u16) -> Self {
        let places = usize::from(places.max(1));
        let part = (places / SHARE).max(1);
        let pools = [Pool::of(places), Pool::of(part), Pool::of(part)];
        let state = State { known: HashMap::new(), pools, all: Pool::of(places * IN_ALL) };
        Self(Arc::new(Inner { state: Mutex::new(state), freed: Notify::new() }))
    }

    /// How many deliveries of each of these webhooks may begin. Tenants take turns, and so do the webhooks of each; the first turn is that of `turn`.
    pub(crate) fn room(&self, due: &[WebhookDue], turn: usize) -> Room {
        let mut state = self.state().about(due);
        let mut turns = Turns::of(due, turn);
        let mut wanted: HashMap<WebhookId, u16> = HashMap::new();
        let mut is_full = false;
        while let Some(due) = turns.next() {
            match state.begin(due) {
                Ok(_) => *wanted.entry(due.id).or_default() += 1,
                Err(Full::Window) => turns.done(),
                Err(Full::Share) => {
                    is_full = true;
                    turns.done();
                }
            }
        }
        Room { wanted: wanted.into_iter().collect(), is_full }
    }

    /// The place of a delivery for which there was [room](Self::room).
    pub(crate) fn take(&self, due: &WebhookDue) -> Place {
        let class = self.state().count(due);
        Place { endpoints: self.clone(), webhook: due.id, tenant: due.tenant, class: Some(class) }
    }

    /// Waits until there is more room.
    pub(crate) fn freed(&self) -> Notified<'_> {
        self.0.freed.notified()
    }

    /// Forgets endpoints that are told nothing.
    pub(crate) fn forget_unused(&self) {
        self.state().known.retain(|_, standing| standing.under_way > 0 || standing.last.elapsed() < REMEMBERED);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why nothing more of a webhook's may begin.
enum Full {
    /// It has as much on its way as it may.
    Window,
    /// Others have the places that it could have.
    Share,
}

impl State {
    /// What is known of these alone, to try out what may begin.
    fn about(&self, due: &[WebhookDue]) -> Self {
        let known = due.iter().filter_map(|due| Some((due.id, *self.known.get(&due.id)?))).collect();
        Self { known, pools: self.pools.clone(), all: self.all.clone() }
    }

    fn begin(&mut self, due: &WebhookDue) -> Result<Class, Full> {
        let standing = self.standing(due);
        let (class, has_room) = (standing.class, standing.under_way < standing.window);
        if !has_room {
            return Err(Full::Window);
        }
        if !self.all.has_room(due.tenant) || !self.pool(class).has_room(due.tenant) {
            return Err(Full::Share);
        }
        Ok(self.count(due))
    }

    fn count(&mut self, due: &WebhookDue) -> Class {
        let standing = self.standing(due);
        standing.under_way += 1;
        standing.last = Instant::now();
        let class = standing.class;
        self.pool(class).take(due.tenant);
        self.all.take(due.tenant);
        class
    }

    fn standing(&mut self, due: &WebhookDue) -> &mut Standing {
        let class = if due.failing { Class::Failing } else { Class::New };
        let fresh = || Standing { class, window: 1, under_way: 0, last: Instant::now() };
        self.known.entry(due.id).or_insert_with(fresh)
    }

    const fn pool(&mut self, class: Class) -> &mut Pool {
        let [sound, new, failing] = &mut self.pools;
        match class {
            Class::Sound => sound,
            Class::New => new,
            Class::Failing => failing,
        }
    }

    fn give_back(&mut self, tenant: TenantId, class: Option<Class>) {
        if let Some(class) = class {
            self.pool(class).give_back(tenant);
        }
    }
}

impl Standing {
    fn heard(&mut self, taken: Taken) {
        self.last = Instant::now();
        (self.class, self.window) = match taken {
            Taken::Soon => (Class::Sound, (self.window + 1).min(WIDEST)),
            Taken::Late => (Class::Sound, NARROW),
            Taken::Refused if self.window > 1 => (self.class, self.window / 2),
            Taken::Refused | Taken::Unanswered => (Class::Failing, 1),
        };
    }
}

impl Place {
    /// It takes long: nobody waits for it any more, and nothing more is begun to its endpoint until that has answered.
    pub(crate) fn is_slow(&mut self) {
        let mut state = self.endpoints.state();
        state.give_back(self.tenant, self.class.take());
        if let Some(standing) = state.known.get_mut(&self.webhook) {
            (standing.class, standing.window) = (Class::Failing, 1);
        }
        drop(state);
        self.endpoints.0.freed.notify_one();
    }

    /// The endpoint took it so.
    pub(crate) fn heard(&self, taken: Taken) {
        if let Some(standing) = self.endpoints.state().known.get_mut(&self.webhook) {
            standing.heard(taken);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.endpoints.state();
        state.all.give_back(self.tenant);
        state.give_back(self.tenant, self.class);
        if let Some(standing) = state.known.get_mut(&self.webhook) {
            standing.under_way -= 1;
        }
        drop(state);
        self.endpoints.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests;
