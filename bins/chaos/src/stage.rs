//! With what a scenario is run, and in what its world differs from others.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::weakness::Weakness;

/// What a scenario is run with.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    /// The program `selfmx`.
    pub(crate) program: Arc<PathBuf>,
    /// A folder of its own.
    pub(crate) folder: PathBuf,
    /// What its chance follows from.
    pub(crate) seed: u64,
    /// How much of it.
    pub(crate) size: Size,
    /// Whether the defence is there.
    pub(crate) defence: Defence,
}

/// How much of a scenario is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    /// Enough to see whether it holds, in a minute.
    Short,
    /// All of it.
    Full,
}

/// Whether the defence that a scenario tests is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defence {
    /// As the product has it.
    Up,
    /// Taken away: the run has to find something.
    Down,
}

/// What differs between the worlds of scenarios.
#[derive(Clone, Debug)]
pub(crate) struct Build {
    /// How many servers.
    pub(crate) nodes: usize,
    /// How late the relay answers `late.`.
    pub(crate) late: Duration,
    /// Variables of the servers.
    pub(crate) variables: Vec<(&'static str, String)>,
    /// Lines of PostgreSQL's configuration.
    pub(crate) postgres: &'static str,
    /// What is taken away where the defence is down.
    pub(crate) weakness: Option<Weakness>,
}

impl Stage {
    /// One of two values, by the size.
    pub(crate) fn of<T>(&self, short: T, full: T) -> T {
        if self.size == Size::Short { short } else { full }
    }
}

impl Build {
    /// One server whose leases last for `lease` seconds, as it is.
    pub(crate) fn with_lease(lease: u64) -> Self {
        let variables = vec![("QUEUE_LEASE", lease.to_string()), ("SMTP_TIMEOUT", "5".to_owned())];
        Self { nodes: 1, late: Duration::from_secs(8), variables, postgres: "", weakness: None }
    }
}
