//! The cells of the matrix: a step, a fault, and what is to follow.

use std::fmt;
use std::time::Duration;

use selfmx_testing::{Act, Phase};

/// What is to come of the first attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// It arrived.
    Delivered,
    /// It is tried again as soon as the policy says.
    Retried,
    /// It may have arrived: it is tried again, and not within five minutes.
    Ambiguous,
    /// It was refused for good.
    Bounced,
    /// The relay is left alone, and no attempt has been used up.
    Held,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Delivered => "delivered",
            Self::Retried => "retried",
            Self::Ambiguous => "ambiguous",
            Self::Bounced => "bounced",
            Self::Held => "held",
        })
    }
}

/// Where something goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nobody listens, or nothing that is said arrives.
    Connect,
    /// At a step of the conversation.
    At(Phase),
    /// In the middle of the message.
    Body,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Wrong {
    /// The relay does so.
    Act(Act),
    /// The connection does: it is closed.
    Closed,
    /// Everything that is said is swallowed.
    Swallowed,
}

/// One of them.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    pub(super) step: Step,
    pub(super) wrong: Wrong,
    pub(super) expected: Class,
    fault: &'static str,
}

impl Cell {
    /// Its recipient, who is in no other.
    pub(super) fn address(&self) -> String {
        format!("{}@matrix.example", self.name())
    }

    /// The step and the fault.
    pub(super) fn name(&self) -> String {
        let step = match self.step {
            Step::Connect => "connect".to_owned(),
            Step::Body => "body".to_owned(),
            Step::At(phase) => format!("{phase:?}").to_lowercase(),
        };
        format!("{step}-{}", self.fault)
    }

    /// Whether it goes wrong before or while the connection is secured.
    pub(super) fn needs_login(&self) -> bool {
        matches!(self.step, Step::At(Phase::StartTls | Phase::Auth))
    }
}

/// Slower than the three seconds that a reply has.
const DRIP: Duration = Duration::from_millis(500);

/// All cells but silence after the dot, which is waited out for five minutes: the tests of `selfmx-mail` have it, with less patience.
pub(super) fn cells() -> Vec<Cell> {
    let mut cells = vec![
        Cell { step: Step::Connect, wrong: Wrong::Closed, expected: Class::Retried, fault: "close" },
        Cell { step: Step::Connect, wrong: Wrong::Swallowed, expected: Class::Retried, fault: "silence" },
        // It was written whole, with its dot, before the connection broke: nobody knows how much of it has arrived.
        Cell { step: Step::Body, wrong: Wrong::Closed, expected: Class::Ambiguous, fault: "close" },
    ];
    for phase in
        [Phase::Greeting, Phase::Ehlo, Phase::StartTls, Phase::Auth, Phase::Mail, Phase::Rcpt, Phase::Data, Phase::FinalDot, Phase::Quit]
    {
        let faults = faults(phase).into_iter().filter(|(fault, _)| (phase, *fault) != (Phase::FinalDot, "silence"));
        cells.extend(faults.map(|(fault, act)| Cell {
            step: Step::At(phase),
            wrong: Wrong::Act(act),
            expected: expected(phase, fault),
            fault,
        }));
    }
    cells
}

fn faults(phase: Phase) -> [(&'static str, Act); 9] {
    let (later, never) = match phase {
        Phase::Auth => ("454 4.7.0 later", "535 5.7.8 wrong"),
        _ => ("450 4.2.0 later", "550 5.1.1 never"),
    };
    [
        ("4xx", Act::Reply(later.to_owned())),
        ("5xx", Act::Reply(never.to_owned())),
        ("421", Act::Reply("421 4.3.2 closing".to_owned())),
        ("reset", Act::Reset),
        ("close", Act::Close),
        ("silence", Act::Silence),
        ("drip", Act::Drip("250 2.0.0 Ok, slowly".to_owned(), DRIP)),
        ("garbage", Act::Reply("HTTP/1.1 400 Bad Request".to_owned())),
        ("endless", Act::Endless("250-and so on".to_owned())),
    ]
}

fn expected(phase: Phase, fault: &str) -> Class {
    match (phase, fault) {
        // What was said after the mail had arrived changes nothing; nor does it matter how slowly the last word came.
        (Phase::Quit, _) | (Phase::FinalDot, "drip") => Class::Delivered,
        (Phase::Auth, "5xx") => Class::Held,
        (Phase::Mail | Phase::Rcpt | Phase::Data | Phase::FinalDot, "5xx") => Class::Bounced,
        (Phase::FinalDot, "reset" | "close" | "silence" | "garbage" | "endless") => Class::Ambiguous,
        _ => Class::Retried,
    }
}
