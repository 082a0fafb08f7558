//! A place in the conversation where a sink waits until it is let on.

use std::sync::Arc;

use tokio::sync::watch;

/// Shut at first. All conversations that come to it wait until it is [opened](Self::open); its copies are the same gate.
#[derive(Clone, Debug)]
pub struct Gate(Arc<watch::Sender<State>>);

#[derive(Debug, Default)]
struct State {
    open: bool,
    came: usize,
}

impl Default for Gate {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(State::default())))
    }
}

impl PartialEq for Gate {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Gate {}

impl Gate {
    /// Lets all on who wait and all who come.
    pub fn open(&self) {
        self.0.send_modify(|state| state.open = true);
    }

    /// Lets nobody on from now on.
    pub fn shut(&self) {
        self.0.send_modify(|state| state.open = false);
    }

    /// Waits until `count` conversations have come to it, counted from its making.
    pub async fn reached(&self, count: usize) {
        // The sender is ours, so that the wait ends by the count alone.
        let _ = self.0.subscribe().wait_for(|state| state.came >= count).await;
    }

    /// How many conversations have come to it.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.borrow().came
    }

    pub(super) async fn pass(&self) {
        self.0.send_modify(|state| state.came += 1);
        let _ = self.0.subscribe().wait_for(|state| state.open).await;
    }
}
