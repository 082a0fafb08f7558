//! A folder for all test processes of one run, and the watch that clears it away when the run ends.
//!
//! A test process cannot own the server: under `cargo nextest` each test is a process of its own. What they have in common is their
//! parent (`cargo`, `cargo-nextest`), so that the run lasts as long as the parent does.

use std::env;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::process::{CommandExt, parent_id};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where Linux keeps files in memory.
#[cfg(target_os = "linux")]
const MEMORY: &str = "/dev/shm";
/// Several times as much as a run uses, in octets.
#[cfg(target_os = "linux")]
const PLENTY: u64 = 8 << 30;

/// Waits for the end of process `$1`, then ends the server in `$2` as a power cut would, and removes the folder. Its standard input is the
/// lock that shows that it watches. The server is known by its working folder, since the number of a dead one may be another's by now.
const WATCH: &str = r#"
while kill -0 "$1" 2>/dev/null; do sleep 1; done
server=$(head -n 1 "$2/postgres/cluster/postmaster.pid" 2>/dev/null)
if [ -n "$server" ] && [ "$(readlink "/proc/$server/cwd")" = "$2/postgres/cluster" ]; then
    kill -QUIT "$server"
    while kill -0 "$server" 2>/dev/null; do sleep 0.1; done
fi
rm -rf "$2"
"#;

/// The run's folder, the same for all its processes; any user may pass through it. It is removed when the run has ended, after the server in
/// its `postgres/`, if there is one, was stopped.
pub(super) fn folder_that_ends_with_the_run() -> io::Result<PathBuf> {
    let runner = parent_id();
    let folder = fs::canonicalize(place())?.join(format!("selfmx-testing-{runner}"));
    match DirBuilder::new().mode(0o711).create(&folder) {
        Ok(()) => fs::set_permissions(&folder, Permissions::from_mode(0o711))?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    let lock = OpenOptions::new().create(true).append(true).open(folder.join("watch.lock"))?;
    match lock.try_lock() {
        Ok(()) => watch(runner, &folder, lock)?,
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => return Err(error),
    }
    Ok(folder)
}

/// Memory where there is plenty, which takes the disk out of the time that making a database takes: from ten times as much to a third,
/// by how busy the disk is. What is tested is not whether a disk keeps its word.
fn place() -> PathBuf {
    #[cfg(target_os = "linux")]
    if nix::sys::statvfs::statvfs(MEMORY).is_ok_and(|memory| memory.blocks_available().saturating_mul(memory.fragment_size()) >= PLENTY) {
        return PathBuf::from(MEMORY);
    }
    env::temp_dir()
}

fn watch(runner: u32, folder: &Path, lock: File) -> io::Result<()> {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", WATCH, "sh", &runner.to_string()]).arg(folder).current_dir("/");
    // Neither the terminal's Ctrl-C ends it nor does a reader of our output wait for it.
    command.process_group(0).stdin(lock).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().map(|_child| ())
}
