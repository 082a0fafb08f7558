//! `cargo xtask bench`: how fast it is, measured against what it stands on, by a program of its own.

use std::ffi::OsString;
use std::process::Command;

use crate::cargo;
use crate::failure::Failure;
use crate::needs;
use crate::workspace::Workspace;

const NEEDED: &str = "Every row starts a PostgreSQL of its own from these programs.";
const BUILD_ADVICE: &str = "the server or the bench program does not build: the compiler's first error stands above";
const ADVICE: &str = "a row could not be measured: its reason stands in the table; run it alone with `cargo xtask bench --only ROW`";

/// Builds the server and the program that measures it, as they are released, and runs it with the arguments, in the workspace's root.
///
/// # Errors
///
/// [`Failure::Command`] when something does not build, or cannot be measured.
pub(crate) fn run(arguments: Vec<OsString>) -> Result<(), Failure> {
    needs::ensure(&[&needs::POSTGRES], NEEDED)?;
    let workspace = Workspace::load()?;
    let mut build = cargo::command(["build", "--locked", "--release", "--package", "selfmx-server", "--package", "selfmx-bench"]);
    cargo::finish(build.current_dir(&workspace.root), BUILD_ADVICE)?;
    let mut bench = Command::new(workspace.target.join("release").join("selfmx-bench"));
    cargo::forget_own_package(&mut bench);
    cargo::finish(bench.args(arguments).current_dir(&workspace.root), ADVICE)
}
