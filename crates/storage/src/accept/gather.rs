//! Gathering: emails that are accepted at the same time share a statement and a commit. One that is alone waits for nobody.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::{Acceptance, Accepted};
use crate::{Error, Store};

/// How many statements run at once: one flushes while another is being worked on.
const LANES: usize = 2;
/// The most emails of one statement.
const EMAILS: usize = 128;
/// The most octets of one statement's messages; a larger one goes alone.
const OCTETS: usize = 4 * 1024 * 1024;
/// The most emails that wait for their statement, and the most octets of their messages.
const WAITING: Size = Size { emails: 10_000, octets: 128 * 1024 * 1024 };

/// For so long emails are tried one by one whose statement was refused: where the database is what is slow, that would help nobody.
const PATIENCE: Duration = Duration::from_secs(2);

/// What has become of an email.
type Answer = Result<Accepted, Error>;

/// The emails of one node that wait for a statement.
#[derive(Clone)]
pub(crate) struct Gatherer {
    state: Arc<Mutex<State>>,
    most: Size,
}

#[derive(Clone, Copy, Default)]
struct Size {
    emails: usize,
    octets: usize,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Waiting>,
    octets: usize,
    lanes: usize,
}

struct Waiting {
    acceptance: Acceptance,
    answer: oneshot::Sender<Answer>,
}

/// One of the statements that run at once. However it ends, another may begin.
struct Lane {
    gatherer: Gatherer,
    open: bool,
}

impl Default for Gatherer {
    fn default() -> Self {
        Self { state: Arc::default(), most: WAITING }
    }
}

impl Gatherer {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that holds the lock can panic half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has an email wait for the next statement, and tells on which lane that runs if it is not under way yet.
    fn push(&self, acceptance: Acceptance) -> Result<(oneshot::Receiver<Answer>, Option<Lane>), Error> {
        let (answer, answered) = oneshot::channel();
        let octets = acceptance.message.len();
        let mut state = self.state();
        // What waits for nothing is never too much.
        if !state.waiting.is_empty() && (state.waiting.len() >= self.most.emails || state.octets + octets > self.most.octets) {
            return Err(Error::Full);
        }
        state.octets += octets;
        state.waiting.push_back(Waiting { acceptance, answer });
        let lane = (state.lanes < LANES).then(|| {
            state.lanes += 1;
            Lane { gatherer: self.clone(), open: true }
        });
        Ok((answered, lane))
    }
}

impl Lane {
    /// The emails of the next statement, in their order; none where nothing waits, and then the lane is closed.
    fn next(&mut self) -> Vec<Waiting> {
        let mut state = self.gatherer.state();
        let (mut batch, mut octets) = (Vec::new(), 0);
        while let Some(first) = state.waiting.front() {
            let more = first.acceptance.message.len();
            if batch.len() == EMAILS || (!batch.is_empty() && octets + more > OCTETS) {
                break;
            }
            octets += more;
            batch.extend(state.waiting.pop_front());
        }
        state.octets -= octets;
        if batch.is_empty() {
            state.lanes -= 1;
            self.open = false;
        }
        batch
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        if !self.open {
            return;
        }
        let mut state = self.gatherer.state();
        state.lanes -= 1;
        if state.lanes == 0 {
            // Nobody would come for them: they are told that it is not known.
            state.waiting.clear();
            state.octets = 0;
        }
    }
}

impl Store {
    /// Accepts an email together with those that come at the same time.
    pub(super) async fn accept_gathered(&self, acceptance: Acceptance) -> Answer {
        let (answered, lane) = self.gatherer.push(acceptance)?;
        if let Some(lane) = lane {
            tokio::spawn(self.clone().run_lane(lane));
        }
        answered.await.unwrap_or_else(|_| Err(Error::Unavailable("the statement was given up".to_owned())))
    }

    async fn run_lane(self, mut lane: Lane) {
        loop {
            let batch = lane.next();
            if batch.is_empty() {
                return;
            }
            self.accept_together(batch).await;
        }
    }

    /// Answers each once it is committed. Where the database refuses a statement, nothing of it was done: each is tried by itself, so that the one that is
    /// wrong fails alone.
    async fn accept_together(&self, batch: Vec<Waiting>) {
        let began = Instant::now();
        let all: Vec<_> = batch.iter().map(|waiting| &waiting.acceptance).collect();
        match self.accept_each(&all).await {
            Ok(answers) => batch.into_iter().zip(answers).for_each(|(waiting, answer)| waiting.tell(answer)),
            Err(Error::Database(_)) if batch.len() > 1 && began.elapsed() < PATIENCE => self.accept_one_by_one(batch, began).await,
            Err(error) => {
                let text = error.to_string();
                let mut first = Some(error);
                for waiting in batch {
                    waiting.tell(Err(first.take().unwrap_or_else(|| Error::Unavailable(text.clone()))));
                }
            }
        }
    }

    async fn accept_one_by_one(&self, batch: Vec<Waiting>, began: Instant) {
        for waiting in batch {
            if began.elapsed() >= PATIENCE {
                waiting.tell(Err(Error::Unavailable("the database takes too long".to_owned())));
                continue;
            }
            let answer = self.accept_each(&[&waiting.acceptance]).await;
            waiting.tell(answer.and_then(|answers| answers.into_iter().next().unwrap_or(Err(Error::Unreadable("emails")))));
        }
    }
}

impl Waiting {
    /// Whoever has gone meanwhile is told nothing.
    fn tell(self, answer: Answer) {
        let _gone = self.answer.send(answer);
    }
}
