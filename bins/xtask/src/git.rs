//! The files of the repository, as git lists them.

use std::path::Path;
use std::process::Command;

use crate::failure::Failure;

const ADVICE: &str = "the checks read git's list of files: run them in a git checkout, as a user who may read it";

/// Every file that is tracked, or new and not ignored, relative to the root; files deleted and not yet committed are
/// left out.
///
/// # Errors
///
/// [`Failure::Run`] when git is absent, [`Failure::Command`] outside a repository.
pub(crate) fn files(root: &Path) -> Result<Vec<String>, Failure> {
    let mut command = Command::new("git");
    // The checkout may belong to another user than the one who checks it.
    command.args(["-c", "safe.directory=*", "ls-files", "-z"]);
    command.args(["--cached", "--others", "--exclude-standard"]);
    command.current_dir(root);
    let output = command.output().map_err(|source| Failure::Run { program: "git".to_owned(), source })?;
    if !output.status.success() {
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        return Err(Failure::Command { command: "git ls-files".to_owned(), status: output.status, advice: ADVICE });
    }
    let mut files = existing(root, &String::from_utf8_lossy(&output.stdout));
    files.sort();
    Ok(files)
}

fn existing(root: &Path, listing: &str) -> Vec<String> {
    let names = listing.split('\0').filter(|name| !name.is_empty());
    let present = names.filter(|name| root.join(name).exists());
    present.map(str::to_owned).collect()
}
