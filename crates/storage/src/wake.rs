//! How workers hear of new work: at once on the node that accepted it, by `NOTIFY` on the others.
//!
//! A `NOTIFY` within the accepting transaction would hold a lock on the whole database while it commits, so that no two commits could share a
//! flush. A mail is announced after its commit instead, at most every few milliseconds for all of them; a poll finds what an announcement missed.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::Store;

/// The channel on which work is announced.
pub(crate) const CHANNEL: &str = "selfmx_work";

/// The two signals of one node.
#[derive(Clone, Default)]
pub(crate) struct Wake {
    work: Arc<Notify>,
    announce: Arc<Notify>,
}

impl Wake {
    /// New work was committed on this node.
    pub(crate) fn accepted(&self) {
        self.work.notify_one();
        self.announce.notify_one();
    }

    /// New work was committed on another node.
    pub(crate) fn work_came(&self) {
        self.work.notify_one();
    }

    /// Returns when other nodes are to be told.
    pub(crate) async fn announcement_wanted(&self) {
        self.announce.notified().await;
    }
}

impl Store {
    /// Returns when there may be work. One of those who wait is woken for each signal.
    pub async fn work_arrived(&self) {
        self.wake.work.notified().await;
    }

    /// Wakes one of those who wait in [`work_arrived`](Self::work_arrived).
    pub fn work_suspected(&self) {
        self.wake.work.notify_one();
    }
}
