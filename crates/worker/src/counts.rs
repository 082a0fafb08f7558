//! What a worker counts for whoever watches it.

use selfmx_metrics::{Counter, Exposition, Source};

/// What has gone wrong since the worker was made. Each only grows.
#[derive(Debug, Default)]
pub struct WorkerCounts {
    stale: Counter,
    broke_down: Counter,
    tasks_broke_down: Counter,
}

impl WorkerCounts {
    /// Results that changed nothing, since the lease had run out and another worker had taken the email: it may have gone out twice.
    #[must_use]
    pub fn stale(&self) -> u64 {
        self.stale.value()
    }

    /// Attempts that broke down within the server.
    #[must_use]
    pub fn broke_down(&self) -> u64 {
        self.broke_down.value()
    }

    /// How often one of the worker's own tasks broke down: each time the worker stopped, and has to be made anew.
    #[must_use]
    pub fn tasks_broke_down(&self) -> u64 {
        self.tasks_broke_down.value()
    }

    pub(crate) fn add_stale(&self, count: usize) {
        self.stale.add(count);
    }

    pub(crate) fn add_broke_down(&self) {
        self.broke_down.increment();
    }

    pub(crate) fn add_task_broke_down(&self) {
        self.tasks_broke_down.increment();
    }
}

impl Source for WorkerCounts {
    fn tell(&self, exposition: &mut Exposition) {
        let help = "Results that changed nothing, since another worker had the email by then: it may have gone out twice.";
        exposition.counter("selfmx_worker_stale_results_total", help, &self.stale);
        exposition.counter("selfmx_worker_broken_attempts_total", "Attempts that broke down within the server.", &self.broke_down);
        let help = "Tasks of the worker that broke down: each time the server stops and has to be started again.";
        exposition.counter("selfmx_worker_broken_tasks_total", help, &self.tasks_broke_down);
    }
}
