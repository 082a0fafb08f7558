//! Cargo, called as a developer would call it.

use std::ffi::OsString;
use std::process::{Command, Stdio};

use crate::environment;
use crate::failure::Failure;

/// A cargo command, free of what the cargo that runs us has put into our environment: build scripts that watch those
/// variables would run again on every change between `cargo xtask` and a plain `cargo`.
pub(crate) fn command<I, S>(arguments: I) -> Command
where
    I: IntoIterator<Item = S>,
    S: Into<OsString>,
{
    let program = environment::variable("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.args(arguments.into_iter().map(Into::into));
    forget_own_package(&mut command);
    command
}

/// Removes the variables that describe this package from a child's environment.
pub(crate) fn forget_own_package(command: &mut Command) {
    for name in environment::names() {
        if describes_own_package(&name.to_string_lossy()) {
            command.env_remove(name);
        }
    }
}

/// Runs a command whose output is for the reader, to its end.
///
/// # Errors
///
/// [`Failure::Command`] with the advice when it does not end well, [`Failure::Run`] when it cannot be run.
pub(crate) fn finish(command: &mut Command, advice: &'static str) -> Result<(), Failure> {
    let line = command.get_program().display().to_string();
    let status = command.status().map_err(|source| Failure::Run { program: line.clone(), source })?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::Command { command: line, status, advice })
}

/// Whether `cargo NAME` is installed.
pub(crate) fn has_subcommand(name: &str) -> bool {
    command([name, "--version"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn describes_own_package(name: &str) -> bool {
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"].iter().any(|prefix| name.starts_with(prefix))
        || name == "CARGO_PRIMARY_PACKAGE"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_keeps_cargos_settings_and_loses_our_package() {
        assert!(describes_own_package("CARGO_MANIFEST_DIR"));
        assert!(describes_own_package("CARGO_PKG_VERSION"));
        assert!(!describes_own_package("CARGO_TARGET_DIR"));
        assert!(!describes_own_package("CARGO_HOME"));
    }
}
