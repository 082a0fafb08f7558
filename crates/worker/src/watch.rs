//! Long-lived tasks, seen to their ends: none of them stands still without anybody hearing of it.

use std::sync::Arc;
use std::time::Duration;

use crate::condition::Task;
use crate::runner::Shared;

/// Before a task that broke down is begun again.
const BEFORE_ANOTHER: Duration = Duration::from_millis(500);

impl Shared {
    /// Sees a task to its end. Where it ends before the worker was told to stop, the worker stops.
    pub(crate) async fn watch(self: Arc<Self>, task: Task, work: impl Future<Output = ()> + Send + 'static) {
        if tokio::spawn(work).await.is_err() || !self.stop.is_cancelled() {
            self.broke(task);
        }
    }

    /// Sees a task to its end on which those depend that are still under way when the worker stops: where it breaks down the worker stops, and until
    /// it has, the task is begun again with what it had in hand.
    pub(crate) async fn keep<W>(self: Arc<Self>, task: Task, mut work: impl FnMut() -> W)
    where
        W: Future<Output = ()> + Send + 'static,
    {
        while tokio::spawn(work()).await.is_err() {
            self.broke(task);
            tokio::time::sleep(BEFORE_ANOTHER).await;
        }
    }

    /// Nothing new is begun from now on. What it broke down over may hold somebody's mail, and is not logged here.
    pub(crate) fn broke(&self, task: Task) {
        self.worker.counts.add_task_broke_down();
        tracing::error!(task = %task, "a task of the worker broke down: this is an error of the server's own, and nothing more is sent");
        self.worker.condition.lose(task);
        self.stop.cancel();
    }
}
