//! Makes a cluster: beside its place, then renamed into it, so that a crash leaves either none or a whole one.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::folder::Folder;
use crate::{DATABASE, Error, Programs, ROLE, log};

/// Makes our database in a cluster that does not run: `$@` is PostgreSQL in single-user mode. The door's lock, which is
/// the standard input, stays with it on another number.
const MAKE_DATABASE: &str = r#"exec 3<&0; echo "CREATE DATABASE $DATABASE" | "$@""#;

/// The major version that made the cluster; `None` if there is no cluster yet.
pub(crate) fn made_by(folder: &Folder) -> Result<Option<u32>, Error> {
    let cluster = folder.cluster();
    if is_absent_or_empty(&cluster)? {
        return Ok(None);
    }
    let version = fs::read_to_string(cluster.join("PG_VERSION")).ok();
    let major = version.and_then(|version| version.trim().parse().ok());
    major.map(Some).ok_or(Error::NotACluster { folder: cluster })
}

/// Makes the cluster. The programs that do it hold the door's lock as well: should we die, nobody comes in before they end.
pub(crate) async fn make(folder: &Folder, programs: &Programs, door: &File) -> Result<(), Error> {
    let new = folder.path("cluster.new");
    if new.symlink_metadata().is_ok() {
        tracing::warn!(folder = %new.display(), "removing a cluster that was never finished");
        fs::remove_dir_all(&new).map_err(Error::file("remove", &new))?;
    }
    tracing::info!(folder = %folder.cluster().display(), user = folder.account.name, "making a PostgreSQL {} cluster", programs.major());
    run(folder, &programs.program("initdb"), door, initdb(folder, programs, &new)).await?;
    run(folder, &programs.program("postgres"), door, make_database(folder, programs, &new)).await?;
    let renamed = fs::rename(&new, folder.cluster()).and_then(|()| File::open(folder.root())?.sync_all());
    renamed.map_err(Error::file("rename", new))
}

/// The locale is `C`: the same order on every machine, untouched by updates of the C library.
fn initdb(folder: &Folder, programs: &Programs, new: &Path) -> Command {
    let mut command = folder.account.command(&programs.program("initdb"), folder.root());
    command.arg("--pgdata").arg(new).args(["--username", ROLE, "--data-checksums", "--encoding=UTF8", "--locale=C"]);
    command.args(["--auth-local=peer", "--auth-host=reject", "--no-instructions"]);
    command
}

fn make_database(folder: &Folder, programs: &Programs, new: &Path) -> Command {
    let mut command = folder.account.command(Path::new("/bin/sh"), folder.root());
    command.env("DATABASE", DATABASE).args(["-c", MAKE_DATABASE, "sh"]).arg(programs.program("postgres"));
    // Without `exit_on_error` a refused statement would leave the exit status 0.
    command.args(["--single", "-c", "exit_on_error=on", "-D"]).arg(new).arg("template1");
    command
}

async fn run(folder: &Folder, program: &Path, door: &File, mut command: Command) -> Result<(), Error> {
    let lock = door.try_clone().map_err(Error::file("lock", folder.root()))?;
    command.stdin(lock).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut command = tokio::process::Command::from(command);
    let output = command.kill_on_drop(true).output().await.map_err(folder.account.cannot_run(program))?;
    if output.status.success() {
        return Ok(());
    }
    let printed = format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Err(Error::Failed { program: PathBuf::from(program), status: output.status, output: log::last_lines(&printed) })
}

fn is_absent_or_empty(path: &Path) -> Result<bool, Error> {
    match fs::read_dir(path) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(Error::file("read", path)(error)),
    }
}
