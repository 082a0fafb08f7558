//! Why a row could not be measured; a figure that misses its goal is no failure.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;
use tokio_postgres::error::SqlState;

/// The reason, and where to look.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// The command line asks for what there is not.
    #[error("{0}")]
    Usage(String),
    /// A program that a row needs is not on this machine; the row is skipped.
    #[error("{program} is missing: apt-get install {package}")]
    Missing {
        /// The program.
        program: &'static str,
        /// The Debian package that brings it.
        package: &'static str,
    },
    /// A program could not be run.
    #[error("cannot run {program}: {source}")]
    Run {
        /// The program.
        program: String,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The server ended, or was silent, before it listened.
    #[error("the server did not start; its log is {log}")]
    NotListening {
        /// Its log.
        log: PathBuf,
    },
    /// The private PostgreSQL could not be run.
    #[error("PostgreSQL: {0}")]
    Postgres(#[from] selfmx_pgbox::Error),
    /// The database refused a question of ours.
    #[error("the database: {}", source.as_db_error().map_or_else(|| source.to_string(), ToString::to_string))]
    Database {
        /// Its reason.
        #[from]
        source: tokio_postgres::Error,
    },
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// A connection to the server broke, or could not be had.
    #[error("a connection of the load: {0}")]
    Connection(#[from] io::Error),
    /// Something did not happen.
    #[error("waited {} s in vain for {what}", waited.as_secs())]
    InVain {
        /// What was awaited.
        what: String,
        /// For how long.
        waited: Duration,
    },
    /// A program or the server said something else than it should.
    #[error("{0}")]
    Answer(String),
    /// A part of ours broke.
    #[error("a task ended early: {0}")]
    Task(#[from] tokio::task::JoinError),
}

impl Failure {
    /// Whether PostgreSQL ended a statement because two waited for each other.
    pub(crate) fn is_deadlock(&self) -> bool {
        matches!(self, Self::Database { source } if source.code() == Some(&SqlState::T_R_DEADLOCK_DETECTED))
    }

    /// For a file that cannot be used.
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }

    /// For a program that cannot be run.
    pub(crate) fn run(program: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let program = program.into();
        move |source| Self::Run { program, source }
    }
}
