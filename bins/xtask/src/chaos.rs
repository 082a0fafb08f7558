//! `cargo xtask chaos`: the account of what becomes of mail when things break, from a program of its own.

use std::ffi::OsString;
use std::process::Command;

use crate::cargo;
use crate::failure::Failure;
use crate::needs;
use crate::workspace::Workspace;

const NEEDED: &str = "Every scenario starts a PostgreSQL of its own from these programs.";
const BUILD_ADVICE: &str = "the server or the chaos program does not build: the compiler's first error stands above";
const ADVICE: &str =
    "a scenario does not hold: its ledgers and logs are in the folder named above; run it alone with `cargo xtask chaos --only NAME`";

/// Builds the server and the program that breaks things, and runs it with the arguments.
///
/// # Errors
///
/// [`Failure::Command`] when something does not build, or a scenario does not hold.
pub(crate) fn run(arguments: Vec<OsString>) -> Result<(), Failure> {
    needs::ensure(&[&needs::POSTGRES], NEEDED)?;
    let workspace = Workspace::load()?;
    let mut build = cargo::command(["build", "--locked", "--package", "selfmx-server", "--package", "selfmx-chaos"]);
    cargo::finish(build.current_dir(&workspace.root), BUILD_ADVICE)?;
    let mut chaos = Command::new(workspace.target.join("debug").join("selfmx-chaos"));
    cargo::forget_own_package(&mut chaos);
    cargo::finish(chaos.args(arguments).current_dir(&workspace.root), ADVICE)
}
