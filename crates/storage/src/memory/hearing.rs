//! What proves that a node hears of all changes: pulses that it sends to itself, by way of the database.

use std::time::{Duration, Instant};

use time::OffsetDateTime;

use super::{Changed, Memory, TRUST};

/// A connection on which changes are heard.
#[derive(Default)]
pub(super) struct Hearing {
    /// Somebody asked since the last pulse was sent.
    wanted: bool,
    pulses: u64,
    /// When the last one was sent.
    sent: Option<Instant>,
    proof: Option<Proof>,
}

/// A pulse that came back.
struct Proof {
    sent: Instant,
    /// The database's time then, or a little later.
    database: OffsetDateTime,
}

/// As long as this lives, changes are heard. It ends with the connection, in whatever way that ends.
pub(crate) struct Listening<'a>(&'a Memory);

impl Hearing {
    /// The database's time, never earlier than it is, where a pulse vouches for what is remembered.
    pub(super) fn database_time(&self, now: Instant) -> Option<OffsetDateTime> {
        let proof = self.proof.as_ref()?;
        let since = now.saturating_duration_since(proof.sent);
        (since < TRUST).then(|| proof.database.saturating_add(signed(since)))
    }

    /// Whether it was not wanted already.
    pub(super) const fn want_pulse(&mut self) -> bool {
        !std::mem::replace(&mut self.wanted, true)
    }
}

impl Memory {
    /// Changes are heard from now on. What was remembered before may have changed while nobody listened.
    pub(crate) fn listen(&self) -> Listening<'_> {
        let mut state = self.state();
        state.forget(Changed::Anything);
        state.hearing = Some(Hearing { wanted: true, ..Hearing::default() });
        self.0.asked.notify_one();
        Listening(self)
    }

    /// Notes that a pulse was heard, and its text: its number, and the database's time in microseconds of the Unix epoch.
    pub(crate) fn pulse_heard(&self, text: &str) {
        if let Some((number, database)) = parsed(text)
            && let Some(hearing) = &mut self.state().hearing
            && hearing.pulses == number
            && let Some(sent) = hearing.sent.take()
        {
            hearing.proof = Some(Proof { sent, database });
            self.0.heard.notify_one();
        }
    }
}

impl Listening<'_> {
    /// Returns when a pulse is wanted.
    pub(crate) async fn pulse_wanted(&self) {
        self.0.0.asked.notified().await;
    }

    /// Notes that a pulse is sent at `now`, and gives its number.
    pub(crate) fn pulse_sent(&self, now: Instant) -> u64 {
        let mut state = self.0.state();
        let hearing = state.hearing.get_or_insert_default();
        (hearing.wanted, hearing.sent) = (false, Some(now));
        hearing.pulses += 1;
        hearing.pulses
    }

    /// Returns when the last pulse was heard.
    pub(crate) async fn pulse_back(&self) {
        while self.0.state().hearing.as_ref().is_some_and(|hearing| hearing.sent.is_some()) {
            self.0.0.heard.notified().await;
        }
    }
}

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.hearing = None;
        state.forget(Changed::Anything);
    }
}

fn parsed(text: &str) -> Option<(u64, OffsetDateTime)> {
    let (number, micros) = text.split_once(' ')?;
    let nanos = micros.parse::<i128>().ok()?.checked_mul(1000)?;
    Some((number.parse().ok()?, OffsetDateTime::from_unix_timestamp_nanos(nanos).ok()?))
}

fn signed(duration: Duration) -> time::Duration {
    duration.try_into().unwrap_or(time::Duration::MAX)
}
