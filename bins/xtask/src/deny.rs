//! cargo-deny's part of the test run: licences, sources, bans and, where they can be had, advisories.

use std::process::{Command, Stdio};

use crate::cargo;
use crate::failure::Failure;
use crate::steps::{Step, Steps};

const RULES: &str = "deny.toml says what is allowed and why; mend the dependency, or add an exception with its reason";

const ADVISORIES: &str = "move the named package to a version without the flaw: `cargo update --package NAME`";

/// How long fetching the advisories may take, in seconds, as `timeout` reads it.
const PATIENCE: &str = "60";

/// Checks what may be checked on this machine, and says in one line what is left out.
///
/// # Errors
///
/// [`Failure::Command`] when a dependency breaks a rule of `deny.toml` or has a known flaw.
pub(crate) fn run(steps: &mut Steps) -> Result<(), Failure> {
    if !cargo::has_subcommand("deny") {
        steps.left_out("deny", "cargo-deny is not installed; `cargo install cargo-deny --locked` brings it");
        return Ok(());
    }
    let rules = ["deny", "--locked", "check", "licenses", "bans", "sources"];
    steps.command(Step { name: "deny", command: cargo::command(rules), advice: RULES })?;
    if !fetched() {
        steps.left_out("advisories", "their database cannot be fetched from here");
        return Ok(());
    }
    // Offline: the database was fetched just now.
    let advisories = ["deny", "--offline", "check", "advisories"];
    steps.command(Step { name: "advisories", command: cargo::command(advisories), advice: ADVISORIES })
}

/// Whether the advisories' database was fetched, within [`PATIENCE`].
fn fetched() -> bool {
    let fetch = cargo::command(["deny", "fetch", "db"]);
    let mut patient = Command::new("timeout");
    patient.arg(PATIENCE).arg(fetch.get_program()).args(fetch.get_args());
    cargo::forget_own_package(&mut patient);
    patient.stdout(Stdio::null()).stderr(Stdio::null());
    patient.status().is_ok_and(|status| status.success())
}
