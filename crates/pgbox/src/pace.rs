//! How often to look while waiting, when to say so, and when to give up.

use std::time::Duration;

use tokio::time::{Instant, sleep};

const FIRST: Duration = Duration::from_millis(2);
const LONGEST: Duration = Duration::from_millis(100);
const NEWS: Duration = Duration::from_secs(5);

/// One bounded wait: quick looks at first, then ever slower ones.
#[derive(Debug)]
pub(crate) struct Pace {
    start: Instant,
    limit: Duration,
    next: Duration,
    told: Instant,
}

impl Pace {
    pub(crate) fn new(limit: Duration) -> Self {
        let start = Instant::now();
        Self { start, limit, next: FIRST, told: start }
    }

    /// Sleeps until the next look is due; `false` at once when the limit has passed. Logs every few seconds what is waited for.
    pub(crate) async fn step(&mut self, awaited: &str) -> bool {
        let waited = self.waited();
        if waited >= self.limit {
            return false;
        }
        if self.told.elapsed() >= NEWS {
            self.told = Instant::now();
            tracing::info!(waited_s = waited.as_secs(), "waiting for {awaited}");
        }
        sleep(self.next).await;
        self.next = (self.next * 5 / 4).min(LONGEST);
        true
    }

    pub(crate) fn waited(&self) -> Duration {
        self.start.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn gives_up_at_the_limit_and_not_before() {
        let mut pace = Pace::new(Duration::from_secs(3));
        let mut looks = 0;
        while pace.step("nothing").await {
            looks += 1;
        }
        assert!(pace.waited() >= Duration::from_secs(3) && pace.waited() < Duration::from_secs(4));
        assert!((30..80).contains(&looks), "{looks}");
    }
}
