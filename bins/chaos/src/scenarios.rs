//! What is done to the system, one file each.

mod clock;
mod database;
mod disk;
mod hooks;
mod kills;
mod matrix;
mod points;
mod relay;
mod servers;
mod storm;
mod worker;

use std::future::Future;
use std::pin::Pin;

use crate::failure::Failure;
use crate::report::Report;
use crate::stage::Stage;

/// A scenario under way.
pub(crate) type Run = Pin<Box<dyn Future<Output = Result<Report, Failure>> + Send>>;

/// Something that is done to the system, and what must not come of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scenario {
    /// Its name.
    pub(crate) name: &'static str,
    /// What is done.
    pub(crate) about: &'static str,
    /// What is taken away in its control, which then has to find something.
    pub(crate) control: &'static str,
    /// Carries it out.
    pub(crate) run: fn(Stage) -> Run,
}

/// All of them.
pub(crate) const ALL: &[Scenario] = &[
    kills::KILLS,
    servers::TWO,
    points::POINTS,
    servers::DRAINED,
    worker::FROZEN,
    worker::LATE,
    database::KILLED,
    database::FROZEN,
    database::UNREACHABLE,
    disk::FULL,
    relay::CUT,
    storm::STORM,
    clock::JUMPS,
    hooks::WEBHOOK,
    matrix::MATRIX,
];
