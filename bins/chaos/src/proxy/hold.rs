//! What a proxy looks for, to hold it until it is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use crate::failure::Failure;

/// The end of PostgreSQL's answer to a statement outside a transaction: "ReadyForQuery, idle". What was to be committed is committed.
const READY: &[u8] = b"Z\x00\x00\x00\x05I";

/// From which side octets come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// From whoever connected.
    Client,
    /// From where the proxy leads.
    Target,
}

/// At which point of a question and its answer the connection is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Point {
    /// A question with the mark does not reach the target.
    Question,
    /// The answer to a question with the mark, once it is whole, does not reach the client.
    AnswerToQuestion,
    /// An answer with the mark does not reach the client.
    Answer,
}

/// A mark that is looked for, and what happens where it is found.
#[derive(Clone, Debug)]
pub(crate) struct Hold {
    mark: Arc<[u8]>,
    point: Point,
    found: Arc<watch::Sender<bool>>,
    fate: Arc<watch::Sender<Option<Fate>>>,
}

/// What becomes of what is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It goes on.
    Passes,
    /// It never arrives.
    Dropped,
}

impl Hold {
    /// A question with the mark is held, and not carried out: before the commit.
    pub(crate) fn before(mark: &str) -> Self {
        Self::at(mark, Point::Question)
    }

    /// A question with the mark is carried out, and its answer is held: after the commit.
    pub(crate) fn after(mark: &str) -> Self {
        Self::at(mark, Point::AnswerToQuestion)
    }

    /// An answer with the mark is held.
    pub(crate) fn answer(mark: &str) -> Self {
        Self::at(mark, Point::Answer)
    }

    fn at(mark: &str, point: Point) -> Self {
        Self { mark: mark.as_bytes().into(), point, found: Arc::default(), fate: Arc::default() }
    }

    /// Waits until something is held.
    pub(crate) async fn reached(&self, patience: Duration) -> Result<(), Failure> {
        let mut found = self.found.subscribe();
        let what = || format!("{:?} with the mark {:?}", self.point, String::from_utf8_lossy(&self.mark));
        match timeout(patience, found.wait_for(|found| *found)).await {
            Ok(_seen) => Ok(()),
            Err(_late) => Err(Failure::InVain { what: what(), waited: patience }),
        }
    }

    /// Decides about what is held, and about what will be.
    pub(super) fn decide(&self, fate: Fate) {
        self.fate.send_replace(Some(fate));
    }

    /// Waits until it is decided.
    pub(super) async fn fate(&self) -> Fate {
        let mut fates = self.fate.subscribe();
        // The sender is ours, so that the wait ends by the value alone.
        let decided = fates.wait_for(Option::is_some).await.ok().and_then(|fate| *fate);
        decided.unwrap_or(Fate::Passes)
    }

    /// Whether these octets are where the connection has to be held.
    pub(super) fn catches(&self, from: Side, octets: &[u8], held: &Held) -> bool {
        let marked = holds(octets, &self.mark);
        let caught = match (self.point, from) {
            (Point::Question, Side::Client) | (Point::Answer, Side::Target) => marked,
            (Point::AnswerToQuestion, Side::Client) => {
                held.asked.fetch_or(marked, Ordering::SeqCst);
                false
            }
            (Point::AnswerToQuestion, Side::Target) => held.asked.load(Ordering::SeqCst) && holds(octets, READY),
            _ => false,
        };
        if caught {
            self.found.send_replace(true);
        }
        caught
    }
}

/// What one connection remembers between its directions.
#[derive(Debug, Default)]
pub(super) struct Held {
    asked: AtomicBool,
}

fn holds(octets: &[u8], mark: &[u8]) -> bool {
    octets.windows(mark.len()).any(|window| window == mark)
}
