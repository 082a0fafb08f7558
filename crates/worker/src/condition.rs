//! Whether a worker is sound, and what broke down where it is not.

use std::fmt;

use tokio::sync::watch;

/// Why a worker ended before it was told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// One of its tasks broke down, or ended of itself: an error of the server's own. Whatever it had in hand is protected by its leases.
    #[error("the worker's {0} broke down: this is an error of the server's own, the log has more")]
    BrokeDown(Task),
}

/// What a worker does all the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Records what came of attempts.
    Recorder,
    /// Renews the leases.
    HeartBeat,
    /// Claims work and begins it.
    Runner,
    /// Looks now and then for work of which no signal told.
    Look,
    /// Records that an attempt broke down.
    FaultRecorder,
    /// Has all the others.
    Delivery,
}

impl fmt::Display for Task {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Recorder => "recorder",
            Self::HeartBeat => "heart-beat",
            Self::Runner => "runner",
            Self::Look => "look for work",
            Self::FaultRecorder => "recorder of faults",
            Self::Delivery => "delivery",
        })
    }
}

/// Whether a worker is sound. Once it is not, it begins nothing more, and is never sound again.
#[derive(Clone, Debug)]
pub struct Condition(watch::Sender<Option<Error>>);

impl Default for Condition {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Condition {
    /// Whether it is sound.
    ///
    /// # Errors
    ///
    /// What broke down first.
    pub fn check(&self) -> Result<(), Error> {
        let lost = *self.0.borrow();
        lost.map_or(Ok(()), Err)
    }

    /// Waits until something breaks down.
    pub async fn lost(&self) {
        // The sender is ours, so that the wait ends by the value alone.
        let _ = self.0.subscribe().wait_for(Option::is_some).await;
    }

    pub(crate) fn lose(&self, task: Task) {
        self.0.send_if_modified(|lost| lost.is_none() && lost.replace(Error::BrokeDown(task)).is_none());
    }
}
