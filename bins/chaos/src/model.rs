//! The lease protocol as a model of which every state is looked at: with the fence, and without it as the negative control.
//!
//! One email, workers that may stop for any time at any step, die and come back, and a clock that may let a lease run out at any moment. It stands
//! for `queue_lease`, `queue_renew` and `queue_settle` of `selfmx-storage`; what a heart-beat does is that a lease does not run out.

use stateright::{Checker, Model, Property};

/// So many claims are looked at; each has a token of its own.
const CLAIMS: u8 = 5;

/// Whether a settlement needs the token of the present lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fence {
    Up,
    Down,
}

/// The protocol, with so many workers.
struct Protocol {
    workers: usize,
    fence: Fence,
}

/// The email's row in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Row {
    Due,
    Leased { token: u8 },
    RunOut { token: u8 },
    Gone,
}

/// What a worker knows. `kept`: its lease has not run out since it was claimed, which the worker itself does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Worker {
    Idle,
    Claimed { token: u8, kept: bool },
    Tried { token: u8, kept: bool, delivered: bool },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    row: Row,
    workers: Vec<Worker>,
    claims: u8,
    /// Whether the relay has it at all.
    arrived: bool,
    /// How often it arrived by an attempt that ended, with its lease kept all the time.
    recorded: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Claim(usize),
    RunOut,
    Deliver(usize),
    Defer(usize),
    Settle(usize),
    Die(usize),
}

impl State {
    /// What takes the lease away, marks the attempt that it belonged to.
    fn run_out(&mut self, lost: u8) {
        for worker in &mut self.workers {
            match worker {
                Worker::Claimed { token, kept } | Worker::Tried { token, kept, .. } if *token == lost => *kept = false,
                _ => {}
            }
        }
    }

    /// How often it has arrived though no lease ran out and nobody died: more than once cannot be explained.
    fn unexplained(&self) -> usize {
        let kept = |worker: &&Worker| matches!(worker, Worker::Tried { kept: true, delivered: true, .. });
        usize::from(self.recorded) + self.workers.iter().filter(kept).count()
    }
}

impl Protocol {
    fn settle(&self, state: &mut State, with: u8, delivered: bool) {
        let (Row::Leased { token } | Row::RunOut { token }) = state.row else {
            // Without the fence whoever is late gives back what nobody has: it is gone, or due as it was.
            return;
        };
        if self.fence == Fence::Down || token == with {
            state.row = if delivered { Row::Gone } else { Row::Due };
        }
    }
}

impl Model for Protocol {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State { row: Row::Due, workers: vec![Worker::Idle; self.workers], claims: 0, arrived: false, recorded: 0 }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if matches!(state.row, Row::Leased { .. }) {
            actions.push(Action::RunOut);
        }
        for (number, worker) in state.workers.iter().enumerate() {
            match worker {
                Worker::Idle if matches!(state.row, Row::Due | Row::RunOut { .. }) => actions.push(Action::Claim(number)),
                Worker::Idle => {}
                Worker::Claimed { .. } => actions.extend([Action::Deliver(number), Action::Defer(number), Action::Die(number)]),
                Worker::Tried { .. } => actions.extend([Action::Settle(number), Action::Die(number)]),
            }
        }
    }

    fn next_state(&self, before: &State, action: Action) -> Option<State> {
        let mut state = before.clone();
        match action {
            Action::RunOut => {
                let Row::Leased { token } = state.row else { return None };
                state.row = Row::RunOut { token };
                state.run_out(token);
            }
            Action::Claim(number) => {
                state.claims += 1;
                let token = state.claims;
                state.row = Row::Leased { token };
                state.workers[number] = Worker::Claimed { token, kept: true };
            }
            Action::Deliver(number) | Action::Defer(number) => {
                let Worker::Claimed { token, kept } = state.workers[number] else { return None };
                let delivered = action == Action::Deliver(number);
                state.arrived |= delivered;
                state.workers[number] = Worker::Tried { token, kept, delivered };
            }
            Action::Settle(number) => {
                let Worker::Tried { token, kept, delivered } = state.workers[number] else { return None };
                self.settle(&mut state, token, delivered);
                state.recorded += u8::from(kept && delivered);
                state.workers[number] = Worker::Idle;
            }
            Action::Die(number) => state.workers[number] = Worker::Idle,
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("nothing is lost", |_, state: &State| state.row != Row::Gone || state.arrived),
            Property::always("no duplicate is unexplained", |_, state: &State| state.unexplained() <= 1),
            Property::always("nothing is stuck", |model: &Self, state| {
                let mut actions = Vec::new();
                model.actions(state, &mut actions);
                state.row == Row::Gone || !actions.is_empty()
            }),
            Property::sometimes("it is recorded after a worker has died", |_, state: &State| state.row == Row::Gone && state.claims > 1),
        ]
    }

    fn within_boundary(&self, state: &State) -> bool {
        state.claims <= CLAIMS
    }
}

#[test]
fn with_the_fence_nothing_is_lost_stuck_or_repeated_without_a_reason() {
    for workers in [2, 3] {
        let checked = Protocol { workers, fence: Fence::Up }.checker().spawn_bfs().join();
        checked.assert_properties();
        assert!(checked.unique_state_count() > 500, "{} states", checked.unique_state_count());
    }
}

#[test]
fn without_it_a_stale_worker_has_the_mail_sent_again() {
    let checked = Protocol { workers: 2, fence: Fence::Down }.checker().spawn_bfs().join();
    checked.assert_any_discovery("no duplicate is unexplained");
}
