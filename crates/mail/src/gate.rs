//! Whether a relay may be tried now: one that refused our credentials, or is not trusted, is left alone for a while.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use selfmx_metrics::{Gauge, Held};
use tokio::time::Instant;

/// How things stand with a relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RelayStatus {
    /// It was not tried yet.
    Untried,
    /// The last connection to it was good.
    Ready,
    /// No connection to it could be made the last time, or it spoke no SMTP: its mail is tried again.
    Unreachable,
    /// It cannot be used until somebody changes something: its mail waits.
    Held {
        /// Why, in words for an operator.
        reason: String,
    },
}

/// Remembers how things stand.
#[derive(Debug)]
pub(crate) struct Gate {
    /// Which relay it is, for the log.
    relay: String,
    hold: Duration,
    /// How many relays are held.
    paused: Gauge,
    /// The status, and when a held relay may be tried again.
    state: Mutex<(RelayStatus, Option<Closed>)>,
}

/// That a relay is held.
#[derive(Debug)]
struct Closed {
    until: Instant,
    _counted: Held,
}

impl Gate {
    pub(crate) const fn new(relay: String, hold: Duration, paused: Gauge) -> Self {
        Self { relay, hold, paused, state: Mutex::new((RelayStatus::Untried, None)) }
    }

    pub(crate) fn status(&self) -> RelayStatus {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// Why the relay may not be tried now, if it may not. Of those who ask once the hold is over, the first may try and the others wait on.
    pub(crate) fn closed(&self, now: Instant) -> Option<String> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (RelayStatus::Held { reason }, Some(closed)) = &mut *state else { return None };
        if now < closed.until {
            return Some(reason.clone());
        }
        closed.until = now + self.hold;
        None
    }

    /// The relay works.
    pub(crate) fn open(&self) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = (RelayStatus::Ready, None);
    }

    /// No connection could be made. A relay that is held stays so: why it is held is what has to be put right.
    pub(crate) fn fail(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(state.0, RelayStatus::Held { .. }) {
            *state = (RelayStatus::Unreachable, None);
        }
    }

    /// The relay cannot be used.
    pub(crate) fn close(&self, reason: String, now: Instant) {
        tracing::warn!(relay = self.relay, reason = without_address(&reason), "the relay is held");
        let closed = Closed { until: now + self.hold, _counted: self.paused.hold() };
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = (RelayStatus::Held { reason }, Some(closed));
    }
}

/// What a log may hold of a relay's words: up to where they repeat an address.
fn without_address(reason: &str) -> &str {
    let Some((before, _)) = reason.split_once('@') else { return reason };
    // A quoted local part may hold spaces.
    let end = before.find(['<', '"']).or_else(|| before.rfind(' ')).unwrap_or(0);
    before.split_at_checked(end).map_or("", |(told, _)| told.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_held_relay_is_tried_by_one_once_the_hold_is_over() {
        let paused = Gauge::default();
        let gate = Gate::new("relay.example:25".to_owned(), Duration::from_secs(30), paused.clone());
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!((gate.status(), gate.closed(start)), (RelayStatus::Untried, None));
        gate.close("535 no".to_owned(), start);
        gate.close("535 no".to_owned(), start);
        assert_eq!(paused.value(), 1, "one relay");
        assert_eq!(gate.closed(after(29)), Some("535 no".to_owned()));
        assert_eq!(gate.closed(after(30)), None);
        assert_eq!(gate.closed(after(31)), Some("535 no".to_owned()), "only one tries");
        gate.fail();
        assert!(matches!(gate.status(), RelayStatus::Held { .. }), "it is still to be put right");
        gate.open();
        assert_eq!((gate.status(), gate.closed(after(32))), (RelayStatus::Ready, None));
        gate.fail();
        assert_eq!((gate.status(), gate.closed(after(33))), (RelayStatus::Unreachable, None), "it is tried as ever");
        assert_eq!(paused.value(), 0);
        gate.close("535 no".to_owned(), start);
        drop(gate);
        assert_eq!(paused.value(), 0, "what is gone is not held");
    }

    #[test]
    fn a_relay_s_words_are_logged_up_to_an_address() {
        for (reason, told) in [
            ("the relay refused our credentials: 535 5.7.8 No", "the relay refused our credentials: 535 5.7.8 No"),
            ("530 5.7.0 <a@x.example>: log in first", "530 5.7.0"),
            ("530 5.7.0 sender a@x.example refused", "530 5.7.0 sender"),
            ("530 5.7.0 <\"a b\"@x.example>: no", "530 5.7.0"),
            ("a@x.example", ""),
        ] {
            assert_eq!(without_address(reason), told, "{reason}");
        }
    }
}
