//! Where the machine's programs are.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::environment;

/// System programs stand here, often outside an ordinary user's `PATH`.
const SYSTEM_FOLDERS: &[&str] = &["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// Where Debian keeps the programs of each PostgreSQL version.
const POSTGRES_VERSIONS: &str = "/usr/lib/postgresql";

/// The PostgreSQL programs without which a private server cannot be had.
const POSTGRES_PROGRAMS: &[&str] = &["initdb", "postgres"];

/// Whether a program is on `PATH` or among the system's.
pub(crate) fn present(name: &str) -> bool {
    let path = environment::variable("PATH").unwrap_or_default();
    let system = SYSTEM_FOLDERS.iter().map(PathBuf::from);
    std::env::split_paths(&path).chain(system).any(|folder| folder.join(name).is_file())
}

/// Whether a program runs with these arguments and ends well; what it says is of no matter.
pub(crate) fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Whether PostgreSQL's programs are where the server looks: in `POSTGRES_BIN_DIR`, on `PATH`, and in Debian's folders.
pub(crate) fn postgres_present() -> bool {
    if let Some(chosen) = environment::setting("POSTGRES_BIN_DIR") {
        return has_postgres(Path::new(&chosen));
    }
    let path = environment::variable("PATH").unwrap_or_default();
    std::env::split_paths(&path).chain(folders_within(Path::new(POSTGRES_VERSIONS), "bin")).any(|folder| has_postgres(&folder))
}

/// Whether a file of this name is in the folder of libraries so called: `/usr/lib/FOLDER`, `/usr/lib64/FOLDER` or any
/// `/usr/lib/ARCHITECTURE/FOLDER`.
pub(crate) fn library_present(folder: &str, name: &str) -> bool {
    let plain = ["/usr/lib", "/usr/lib64"].map(|parent| Path::new(parent).join(folder));
    let mut folders = folders_within(Path::new("/usr/lib"), folder).into_iter().chain(plain);
    folders.any(|folder| folder.join(name).is_file())
}

fn has_postgres(folder: &Path) -> bool {
    let mut programs = POSTGRES_PROGRAMS.iter();
    programs.all(|program| folder.join(program).is_file())
}

/// `parent/*/name`, in no order; none when the parent is absent.
fn folders_within(parent: &Path, name: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(parent) else {
        return Vec::new();
    };
    entries.flatten().map(|entry| entry.path().join(name)).collect()
}
