//! A key as the model knows it: what it may do, which secrets it has and had, and all that its ancestors ever could.

use selfmx_domain::Clock as _;
use selfmx_testing::SystemClock;
use serde_json::Value;

use super::authority::{Authority, Shown, milliseconds};
use crate::world::text;

/// A node that remembers a key may tell the database's time up to a second too early or late, for what ends and so on the safe side; the rest is
/// for clocks that are read at different places.
const EARLY: i64 = 1_050;
const LATE: i64 = 50;

/// A key of a walk.
pub(super) struct Key {
    pub(super) id: String,
    pub(super) shown: Shown,
    pub(super) revoked: bool,
    pub(super) made_by: String,
    pub(super) secret: String,
    /// The secret before the last rotation, and until when it counts.
    pub(super) former: Option<(String, i64)>,
    /// Those that count no more.
    pub(super) dead: Vec<String>,
    /// The join over history of all that made it or changed it, and of all that made or changed those; a root's is what it was made with.
    pub(super) bound: Authority,
}

/// When a call was made: it began no earlier and ended no later.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub(super) begin: i64,
    pub(super) end: i64,
}

/// Whether something holds, as far as a clock can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Certainty {
    Yes,
    No,
    Unsure,
}

pub(super) fn now() -> i64 {
    i64::try_from(SystemClock.now().unix_timestamp_nanos() / 1_000_000).unwrap()
}

impl Span {
    /// Whether something that ends then had not ended.
    pub(super) fn before(self, end: i64) -> Certainty {
        if end > self.end + EARLY {
            return Certainty::Yes;
        }
        if end < self.begin - LATE { Certainty::No } else { Certainty::Unsure }
    }
}

impl Key {
    /// Of the answer that makes it.
    pub(super) fn of(created: &Value, ancestors: Option<Authority>) -> Self {
        let shown = Shown::of(created);
        let bound = ancestors.unwrap_or_else(|| Authority::of(&shown));
        let (id, secret, made_by) = (text(&created["id"]), text(&created["key"]), text(&created["created_by"]));
        Self { id, shown, revoked: false, made_by, secret, former: None, dead: Vec::new(), bound }
    }

    pub(super) fn authority(&self) -> Authority {
        Authority::of(&self.shown)
    }

    /// Whether it is recognised by this secret.
    pub(super) fn is_recognised(&self, secret: &str, span: Span) -> Certainty {
        if self.revoked || !self.shown.enabled {
            return Certainty::No;
        }
        let counts = match &self.former {
            _ if secret == self.secret => Certainty::Yes,
            Some((former, until)) if secret == former => span.before(*until),
            _ => Certainty::No,
        };
        let lives = self.shown.ends().map_or(Certainty::Yes, |ends| span.before(ends));
        match (counts, lives) {
            (Certainty::Yes, Certainty::Yes) => Certainty::Yes,
            (Certainty::No, _) | (_, Certainty::No) => Certainty::No,
            _ => Certainty::Unsure,
        }
    }

    /// Takes the new secret of a rotation, and tells whether the old one ends when it was to, after so many seconds.
    pub(super) fn rotated(&mut self, answer: &Value, grace: u32, span: Span) -> bool {
        let old = std::mem::replace(&mut self.secret, text(&answer["key"]));
        self.dead.extend(self.former.take().map(|(secret, _)| secret));
        let until = answer["previous_secret_until"].as_str().map(milliseconds);
        match until {
            Some(until) => self.former = Some((old, until)),
            None => self.dead.push(old),
        }
        let begins = until.map(|until| until - i64::from(grace) * 1_000);
        begins.map_or(grace == 0, |begins| grace > 0 && (span.begin - LATE..=span.end + LATE).contains(&begins))
    }

    /// Every secret that it has or had.
    pub(super) fn secrets(&self) -> Vec<&String> {
        self.dead.iter().chain(self.former.as_ref().map(|(secret, _)| secret)).chain([&self.secret]).collect()
    }

    /// Compares it with an answer that shows it, and says what is different.
    pub(super) fn difference(&self, answer: &Value) -> Option<String> {
        let shown = Shown::of(answer);
        let hint = answer["hint"].as_str().is_some_and(|hint| self.secret.ends_with(hint));
        let until = answer["previous_secret_until"].as_str().map(milliseconds);
        let same = shown == self.shown
            && answer["revoked_at"].is_string() == self.revoked
            && answer["created_by"] == self.made_by.as_str()
            && until == self.former.as_ref().map(|(_, until)| *until)
            && hint;
        (!same).then(|| format!("{} is not what it should be ({:?}, revoked: {}): {answer}", self.id, self.shown, self.revoked))
    }
}
