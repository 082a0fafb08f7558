//! What the programs of development have in common: how they end, and where they keep things meanwhile.

use std::fmt::Display;
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;
use std::process::ExitCode;

/// The exit status of a program that found everything good, or not, or could not be run, and then says why.
pub fn exit_code(outcome: Result<bool, impl Display>) -> ExitCode {
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::from(2)
        }
    }
}

/// Makes a folder that any user may pass through, since PostgreSQL may have to run as another.
///
/// # Errors
///
/// The operating system's reason; also where the folder is there already.
pub fn make_passable(folder: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o711).create(folder)?;
    // Once more, since the mask of the process takes bits away.
    fs::set_permissions(folder, Permissions::from_mode(0o711))
}
