//! How much of the work for tenants' own relays is under way, so that a relay that hangs holds up its own tenant alone.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use selfmx_domain::TenantId;
use tokio::sync::futures::Notified;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// How many claims one tenant may have for each connection to its relay: enough that the connections need not wait for the next lease.
const CLAIMS_PER_CONNECTION: usize = 4;
/// How many tenants' relays may hang before the others with relays of their own are held up.
const TENANTS: usize = 16;

/// The shares of all tenants with relays of their own. The server's relay has nothing to do with them.
#[derive(Clone)]
pub(crate) struct Shares(Arc<Inner>);

struct Inner {
    connections: usize,
    state: Mutex<State>,
    /// One place for each message on its way to any of the relays.
    sending: Arc<Semaphore>,
    freed: Notify,
}

#[derive(Default)]
struct State {
    held: HashMap<TenantId, Held>,
    total: usize,
    /// Those who had as much as they may, until they have clearly less: their work is not claimed.
    passed_over: HashSet<TenantId>,
}

struct Held {
    claims: usize,
    /// One place for each connection to the tenant's relay.
    sending: Arc<Semaphore>,
}

/// A tenant's hold on one claim, given back when it is dropped.
pub(crate) struct Share {
    shares: Shares,
    tenant: TenantId,
    sending: Arc<Semaphore>,
}

/// A turn to send, and whether it had to be waited for.
pub(crate) struct Turn {
    pub(crate) waited: bool,
    _own: Option<OwnedSemaphorePermit>,
    _all: Option<OwnedSemaphorePermit>,
}

impl Shares {
    /// Shares of so many connections for each tenant.
    pub(crate) fn new(connections: u16) -> Self {
        let connections = usize::from(connections.max(1));
        let sending = Arc::new(Semaphore::new(connections * TENANTS));
        Self(Arc::new(Inner { connections, state: Mutex::default(), sending, freed: Notify::new() }))
    }

    /// A share for one claim. `None`: the tenant, or all together, have as much as they may, and its work is to be passed over for now.
    pub(crate) fn take(&self, tenant: TenantId) -> Option<Share> {
        let mut state = self.state();
        let claims = state.held.get(&tenant).map_or(0, |held| held.claims);
        if claims >= self.each() || state.total >= self.each() * TENANTS {
            state.passed_over.insert(tenant);
            return None;
        }
        state.total += 1;
        let fresh = || Held { claims: 0, sending: Arc::new(Semaphore::new(self.0.connections)) };
        let held = state.held.entry(tenant).or_insert_with(fresh);
        held.claims += 1;
        Some(Share { shares: self.clone(), tenant, sending: Arc::clone(&held.sending) })
    }

    /// Whose work is to be passed over.
    pub(crate) fn passed_over(&self) -> Vec<TenantId> {
        self.state().passed_over.iter().copied().collect()
    }

    /// Waits until the work of somebody who was passed over may be claimed again.
    pub(crate) fn freed(&self) -> Notified<'_> {
        self.0.freed.notified()
    }

    fn each(&self) -> usize {
        self.0.connections * CLAIMS_PER_CONNECTION
    }

    fn give_back(&self, tenant: TenantId) {
        let mut state = self.state();
        state.total -= 1;
        if let Some(held) = state.held.get_mut(&tenant) {
            held.claims -= 1;
        }
        state.held.retain(|_, held| held.claims > 0);
        if state.total > self.each() * TENANTS * 3 / 4 {
            return;
        }
        let State { held, passed_over, .. } = &mut *state;
        let before = passed_over.len();
        passed_over.retain(|tenant| held.get(tenant).is_some_and(|held| held.claims > self.each() / 2));
        if passed_over.len() < before {
            self.0.freed.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    /// Waits for a connection of the tenant's own, then for a place among all that are sent.
    pub(crate) async fn turn(&self) -> Turn {
        let at_once = Arc::clone(&self.sending).try_acquire_owned().ok();
        let waited = at_once.is_none();
        let own = match at_once {
            Some(own) => Some(own),
            // The semaphores are never closed.
            None => Arc::clone(&self.sending).acquire_owned().await.ok(),
        };
        Turn { waited, _own: own, _all: Arc::clone(&self.shares.0.sending).acquire_owned().await.ok() }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.shares.give_back(self.tenant);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use selfmx_testing::{OsEntropy, SystemClock};
    use tokio::time::timeout;

    use super::*;

    fn tenant() -> TenantId {
        TenantId::generate(&SystemClock, &OsEntropy)
    }

    fn taken(shares: &Shares, tenant: TenantId) -> Vec<Share> {
        std::iter::from_fn(|| shares.take(tenant)).collect()
    }

    async fn is_freed(shares: &Shares) -> bool {
        timeout(Duration::from_millis(10), shares.freed()).await.is_ok()
    }

    #[tokio::test]
    async fn who_has_enough_is_passed_over_until_half_of_it_is_back() {
        let (shares, one, other) = (Shares::new(4), tenant(), tenant());
        let mut held = taken(&shares, one);
        assert_eq!((held.len(), shares.passed_over()), (16, vec![one]));
        assert!(shares.take(other).is_some(), "nobody else is");
        held.truncate(9);
        assert!(shares.passed_over() == [one] && !is_freed(&shares).await);
        held.truncate(8);
        assert!(shares.passed_over().is_empty() && is_freed(&shares).await);
        drop(held);
        assert!(shares.state().held.is_empty() && shares.state().total == 0);
    }

    #[tokio::test]
    async fn all_together_have_a_bound_as_well() {
        let shares = Shares::new(1);
        let mut all: Vec<_> = (0..TENANTS).map(|_| taken(&shares, tenant())).collect();
        let late = tenant();
        assert!(shares.take(late).is_none() && shares.passed_over().contains(&late));
        all.truncate(TENANTS * 3 / 4);
        assert!(!shares.passed_over().contains(&late) && is_freed(&shares).await);
        assert!(shares.take(late).is_some());
    }

    #[tokio::test]
    async fn a_tenant_sends_as_many_as_it_has_connections() {
        let shares = Shares::new(2);
        let held = taken(&shares, tenant());
        let first = [held[0].turn().await, held[1].turn().await];
        assert!(first.iter().all(|turn| !turn.waited));
        assert!(timeout(Duration::from_millis(10), held[2].turn()).await.is_err());
        let other = shares.take(tenant()).unwrap();
        assert!(!other.turn().await.waited);
        let (third, ()) = tokio::join!(held[2].turn(), async { drop(first) });
        assert!(third.waited);
    }
}
