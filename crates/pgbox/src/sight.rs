//! What can be seen of a server, whoever started it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::account::Account;
use crate::folder::Folder;
use crate::pidfile::{self, Postmaster, Status};
use crate::{Error, config, lock};

/// "May we use TLS?" in PostgreSQL's protocol 3 (its documentation, "Message Formats", `SSLRequest`).
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
/// How long an answer may take before we look again.
const ANSWER: Duration = Duration::from_secs(1);

/// Prints the folder that a link leads to.
const WORKING_FOLDER: &str = r#"cd -P "$1" 2>/dev/null && pwd -P"#;

/// What is seen in a folder.
#[derive(Debug)]
pub(crate) enum Sight {
    /// No process of a server lives.
    Down,
    /// A server comes or goes: it has not said where it stands, is stopping, or has lost its postmaster.
    Unsettled,
    /// It starts or recovers.
    Starting,
    /// It accepts connections.
    Ready(Postmaster),
}

/// Looks once. A server that we started shows by its lock, one that was started by hand by its process or its answer.
pub(crate) async fn look(folder: &Folder) -> Result<Sight, Error> {
    let alive = lock::is_alive(folder)?;
    let whose = if alive { Whose::Ours } else { whose(&pidfile::path(&folder.cluster()), folder) };
    if whose == Whose::Foreign {
        return Ok(Sight::Down);
    }
    let seen = match Postmaster::read(&folder.cluster()).filter(|postmaster| is_here(postmaster, folder)) {
        Some(postmaster) if postmaster.status == Status::Starting => Sight::Starting,
        Some(postmaster) if postmaster.status == Status::Ready && answers(folder, &postmaster).await => {
            return Ok(Sight::Ready(postmaster));
        }
        _ => Sight::Unsettled,
    };
    Ok(if whose == Whose::Ours { seen } else { Sight::Down })
}

/// The postmaster to signal, if there is one.
pub(crate) fn postmaster_pid(folder: &Folder) -> Option<i32> {
    let record = pidfile::path(&folder.cluster());
    pidfile::pid(&record).filter(|_| whose(&record, folder) != Whose::Foreign)
}

/// Removes a dead server's records if the process id in them is somebody else's process now, or a process that has ended and
/// that its parent has not yet noticed: PostgreSQL would take either for a running server. It removes all other
/// remains itself.
pub(crate) fn clear_stale(folder: &Folder, socket_dir: &Path) -> Result<(), Error> {
    for record in [pidfile::path(&folder.cluster()), pidfile::socket_path(socket_dir, config::PORT)] {
        if whose(&record, folder) == Whose::Foreign {
            tracing::info!(record = %record.display(), "removing the record of a server that is gone");
            fs::remove_file(&record).map_err(Error::file("remove", record))?;
        }
    }
    Ok(())
}

#[derive(Debug, PartialEq, Eq)]
enum Whose {
    Ours,
    /// Another's, or a process that has ended.
    Foreign,
    /// There is no such process, or the system does not let us see.
    Unknown,
}

/// Whose the recorded process id is: a postmaster's working folder is its cluster.
fn whose(record: &Path, folder: &Folder) -> Whose {
    let Some(pid) = pidfile::pid(record) else {
        return Whose::Unknown;
    };
    if has_ended(pid) {
        return Whose::Foreign;
    }
    match (working_folder(pid, &folder.account), fs::canonicalize(folder.cluster())) {
        (Some(cwd), Ok(cluster)) if cwd == cluster => Whose::Ours,
        (Some(_), Ok(_)) => Whose::Foreign,
        _ => Whose::Unknown,
    }
}

/// A process's working folder; `None` if it is gone or hidden from us. Root in a container may be hidden what the server's
/// own user may see.
fn working_folder(pid: i32, account: &Account) -> Option<PathBuf> {
    let link = format!("/proc/{pid}/cwd");
    match fs::read_link(&link) {
        Ok(cwd) => Some(cwd),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied && account.dropped => {
            let seen = account.command(Path::new("/bin/sh"), Path::new("/")).args(["-c", WORKING_FOLDER, "sh", &link]).output().ok()?;
            let cwd = String::from_utf8(seen.stdout).ok()?;
            seen.status.success().then(|| PathBuf::from(cwd.trim_end_matches('\n')))
        }
        Err(_) => None,
    }
}

/// Whether the process is a zombie: in `/proc/pid/stat` the letter after the name, which stands in brackets.
fn has_ended(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(['Z', 'X']))
}

/// Whether there is such a process and it said that it serves this folder: a copy of a running server's folder holds the
/// original's record.
fn is_here(postmaster: &Postmaster, folder: &Folder) -> bool {
    let exists = matches!(kill(Pid::from_raw(postmaster.pid), None), Ok(()) | Err(Errno::EPERM));
    exists && fs::canonicalize(&postmaster.data_dir).ok() == fs::canonicalize(folder.cluster()).ok()
}

/// Whether the server answers, being the same postmaster that we read of. That its socket takes a connection is not enough:
/// the system does that for a postmaster that is stuck or being killed.
async fn answers(folder: &Folder, postmaster: &Postmaster) -> bool {
    let answered = timeout(ANSWER, ask(&postmaster.socket())).await;
    matches!(answered, Ok(Ok(()))) && Postmaster::read(&folder.cluster()).as_ref() == Some(postmaster)
}

/// Asks for TLS, which the server answers with one byte before anything else, whoever asks.
async fn ask(socket: &Path) -> io::Result<()> {
    let mut socket = UnixStream::connect(socket).await?;
    socket.write_all(&SSL_REQUEST).await?;
    socket.read_u8().await.map(|_yes_or_no| ())
}
