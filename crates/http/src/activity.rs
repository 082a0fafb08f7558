//! Whether anything happens on a connection: what tells an idle one from a busy one.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Whether anything happens on a connection.
///
/// What counts is a request that is worked on, and part of an answer that is taken; octets that ask for nothing (pings, say) do not.
#[derive(Debug)]
pub(crate) struct Activity(Mutex<State>);

#[derive(Debug)]
struct State {
    working: usize,
    last: Instant,
}

impl Activity {
    /// A connection that has just been opened.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(State { working: 0, last: Instant::now() })))
    }

    /// Something happened now.
    pub(crate) fn note(&self) {
        self.change(|_| {});
    }

    /// A request is worked on until the answer is dropped.
    pub(crate) fn work(self: &Arc<Self>) -> Work {
        self.change(|state| state.working += 1);
        Work(Arc::clone(self))
    }

    /// Waits until nothing was worked on and nothing happened for `span`.
    pub(crate) async fn idle_for(&self, span: Duration) {
        loop {
            let due = self.quiet_since() + span;
            if due <= Instant::now() {
                return;
            }
            sleep_until(due).await;
        }
    }

    fn quiet_since(&self) -> Instant {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.working > 0 { Instant::now() } else { state.last }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        state.last = Instant::now();
    }
}

/// A request that is worked on.
#[derive(Debug)]
pub(crate) struct Work(Arc<Activity>);

impl Drop for Work {
    fn drop(&mut self) {
        self.0.change(|state| state.working = state.working.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Duration = Duration::from_secs(60);

    async fn waited(activity: &Activity) -> Duration {
        let begin = Instant::now();
        activity.idle_for(SPAN).await;
        begin.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn idleness_begins_after_the_last_request_and_not_before() {
        let activity = Activity::new();
        assert_eq!(waited(&activity).await, SPAN);
        let (first, second) = (activity.work(), activity.work());
        drop(first);
        let waiting = tokio::spawn({
            let activity = Arc::clone(&activity);
            async move { waited(&activity).await }
        });
        tokio::time::sleep(SPAN * 3 + SPAN / 2).await;
        assert!(!waiting.is_finished());
        drop(second);
        assert_eq!(waiting.await.unwrap(), SPAN * 4 + SPAN / 2);
    }

    #[tokio::test(start_paused = true)]
    async fn what_happens_puts_it_off() {
        let activity = Activity::new();
        let wait = async {
            tokio::time::sleep(SPAN / 2).await;
            activity.note();
        };
        let (elapsed, ()) = tokio::join!(waited(&activity), wait);
        assert_eq!(elapsed, SPAN + SPAN / 2);
    }
}
