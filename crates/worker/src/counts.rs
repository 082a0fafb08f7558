//! What a worker counts for whoever watches it.

use std::sync::atomic::{AtomicU64, Ordering};

/// What has gone wrong since the worker was made. Each only grows.
#[derive(Debug, Default)]
pub struct WorkerCounts {
    stale: AtomicU64,
    broke_down: AtomicU64,
    tasks_broke_down: AtomicU64,
}

impl WorkerCounts {
    /// Results that changed nothing, since the lease had run out and another worker had taken the email: it may have gone out twice.
    #[must_use]
    pub fn stale(&self) -> u64 {
        self.stale.load(Ordering::Relaxed)
    }

    /// Attempts that broke down within the server.
    #[must_use]
    pub fn broke_down(&self) -> u64 {
        self.broke_down.load(Ordering::Relaxed)
    }

    /// How often one of the worker's own tasks broke down: each time the worker stopped, and has to be made anew.
    #[must_use]
    pub fn tasks_broke_down(&self) -> u64 {
        self.tasks_broke_down.load(Ordering::Relaxed)
    }

    pub(crate) fn add_stale(&self, count: usize) {
        self.stale.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(crate) fn add_broke_down(&self) {
        self.broke_down.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn add_task_broke_down(&self) {
        self.tasks_broke_down.fetch_add(1, Ordering::Relaxed);
    }
}
