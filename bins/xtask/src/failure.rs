//! Why a task stops.

use std::path::PathBuf;
use std::process::{ExitCode, ExitStatus};

use thiserror::Error;

use crate::task::USAGE;

/// The reason, and what to do about it.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// The command line names no task, or gives it arguments that it does not take.
    #[error("{0}\n\n{USAGE}")]
    Usage(String),
    /// Programs are missing and may not, or cannot, be installed from here.
    #[error("missing: {what}\n{remedy}")]
    Missing {
        /// The programs, in words.
        what: String,
        /// The line to run, and any other way out.
        remedy: String,
    },
    /// The package manager ran and did not install what was asked of it.
    #[error("`apt-get {arguments}` failed ({status}); its own message stands above")]
    Install {
        /// What it was asked.
        arguments: String,
        /// How it ended.
        status: ExitStatus,
    },
    /// A program could not be run at all.
    #[error("cannot run `{program}`: {source}")]
    Run {
        /// Its name.
        program: String,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A program ran and failed; its output stands above.
    #[error("`{command}` failed ({status})\n{advice}")]
    Command {
        /// The command line.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// What to do now.
        advice: &'static str,
    },
    /// A file of the repository could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// `cargo metadata` did not answer.
    #[error("cargo cannot describe the workspace: {0}")]
    Metadata(#[from] cargo_metadata::Error),
    /// Rules of the house are broken; each finding was printed.
    #[error("{0} to mend; the list stands above")]
    Findings(usize),
}

impl Failure {
    /// 2 for a wrong call, 1 for everything else.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            _ => ExitCode::FAILURE,
        }
    }
}
