//! Why a scenario could not be carried out; what it found is no failure but an account.

use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

/// How the reason begins where a scenario was left out.
pub(crate) const SKIPPED: &str = "skipped: ";

/// The reason, and where to look.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// The command line asks for what there is not.
    #[error("{0}")]
    Usage(String),
    /// A program could not be run.
    #[error("cannot run {program}: {source}")]
    Run {
        /// The program.
        program: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The server ended, or was silent, before it listened.
    #[error("the server did not start; its log is {log}")]
    NotListening {
        /// Its log.
        log: PathBuf,
    },
    /// The server did not end as it should.
    #[error("the server ended with {code:?}; its log is {log}")]
    Ended {
        /// Its exit code; none where a signal ended it or it did not end.
        code: Option<i32>,
        /// Its log.
        log: PathBuf,
    },
    /// A process could not be signalled.
    #[error("process {pid} cannot be signalled: {source}")]
    Signal {
        /// The process.
        pid: i32,
        /// The operating system's reason.
        source: nix::errno::Errno,
    },
    /// The private PostgreSQL could not be run.
    #[error("PostgreSQL: {0}")]
    Postgres(#[from] selfmx_pgbox::Error),
    /// The database refused a question of ours.
    #[error("the database: {0}")]
    Database(#[from] tokio_postgres::Error),
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A socket of ours could not be had.
    #[error("a socket on the loopback: {0}")]
    Socket(std::io::Error),
    /// A line of a ledger is not one.
    #[error("a ledger cannot be read: {0}")]
    Ledger(#[from] serde_json::Error),
    /// Something did not happen.
    #[error("waited {} s in vain for {what}", waited.as_secs())]
    InVain {
        /// What was awaited.
        what: String,
        /// For how long.
        waited: Duration,
    },
    /// The server answered something else than it should.
    #[error("{0}")]
    Answer(String),
    /// The machine has not what the scenario needs.
    #[error("{SKIPPED}{0}")]
    Skipped(String),
    /// A part of ours broke.
    #[error("a task ended early: {0}")]
    Task(#[from] tokio::task::JoinError),
}

impl Failure {
    /// For a file that cannot be used.
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}
