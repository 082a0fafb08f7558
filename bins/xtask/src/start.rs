//! `cargo xtask start`: from a fresh checkout to a running server in one command.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::failure::Failure;
use crate::workspace::Workspace;
use crate::{cargo, environment, needs};

const ALTERNATIVE: &str =
    "Or set DATABASE_URL=postgres://user:password@host:5432/database, and a SECRET_KEY, to use a PostgreSQL that you run.";

const BUILD_ADVICE: &str = "the server does not build: the compiler's first error stands above";

/// Installs PostgreSQL's programs unless the server will use a database that is run elsewhere, builds the server and
/// becomes it, so that signals and the exit code are the server's own.
///
/// # Errors
///
/// [`Failure::Missing`] and its like when PostgreSQL cannot be had, [`Failure::Command`] when the server does not
/// build, [`Failure::Run`] when it cannot be started.
pub(crate) fn run(arguments: Vec<OsString>) -> Result<(), Failure> {
    if !environment::is_set("DATABASE_URL") {
        needs::ensure(&[&needs::POSTGRES], ALTERNATIVE)?;
    }
    let workspace = Workspace::load()?;
    build(&workspace)?;
    let program = workspace.target.join("release").join("selfmx");
    let mut server = Command::new(&program);
    cargo::forget_own_package(&mut server);
    let source = server.args(arguments).exec();
    Err(Failure::Run { program: program.display().to_string(), source })
}

fn build(workspace: &Workspace) -> Result<(), Failure> {
    let arguments = ["build", "--release", "--package", "selfmx-server"];
    let mut build = cargo::command(arguments);
    let status = build.current_dir(&workspace.root).status().map_err(|source| Failure::Run { program: "cargo".to_owned(), source })?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::Command { command: format!("cargo {}", arguments.join(" ")), status, advice: BUILD_ADVICE })
}
