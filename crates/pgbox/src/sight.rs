//! What can be seen of a server, whoever started it.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::folder::Folder;
use crate::pidfile::{self, Postmaster, Status};
use crate::{Error, config, lock};

/// "May we use TLS?" in PostgreSQL's protocol 3 (its documentation, "Message Formats", `SSLRequest`).
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
/// How long an answer may take before we look again.
const ANSWER: Duration = Duration::from_secs(1);

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

/// Looks once.
pub(crate) async fn look(folder: &Folder) -> Result<Sight, Error> {
    if !lock::is_alive(folder)? && whose(&pidfile::path(&folder.cluster()), folder) != Whose::Ours {
        return Ok(Sight::Down);
    }
    let Some(postmaster) = Postmaster::read(&folder.cluster()).filter(|postmaster| exists(postmaster.pid)) else {
        return Ok(Sight::Unsettled);
    };
    match postmaster.status {
        Status::Starting => Ok(Sight::Starting),
        Status::Ready if accepts(folder, &postmaster).await => Ok(Sight::Ready(postmaster)),
        Status::Ready | Status::Other => Ok(Sight::Unsettled),
    }
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
    match (fs::read_link(format!("/proc/{pid}/cwd")), fs::canonicalize(folder.cluster())) {
        (Ok(cwd), Ok(cluster)) if cwd == cluster => Whose::Ours,
        (Ok(_), Ok(_)) => Whose::Foreign,
        _ => Whose::Unknown,
    }
}

/// Whether the process is a zombie: in `/proc/pid/stat` the letter after the name, which stands in brackets.
fn has_ended(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(['Z', 'X']))
}

fn exists(pid: i32) -> bool {
    matches!(kill(Pid::from_raw(pid), None), Ok(()) | Err(Errno::EPERM))
}

/// Whether the server answers, being the same postmaster that we read of. That its socket takes a connection is not enough:
/// the system does that for a postmaster that is stuck or being killed.
async fn accepts(folder: &Folder, postmaster: &Postmaster) -> bool {
    let answered = timeout(ANSWER, ask(&postmaster.socket())).await;
    matches!(answered, Ok(Ok(()))) && Postmaster::read(&folder.cluster()).as_ref() == Some(postmaster)
}

/// Asks for TLS, which the server answers with one byte before anything else, whoever asks.
async fn ask(socket: &Path) -> io::Result<()> {
    let mut socket = UnixStream::connect(socket).await?;
    socket.write_all(&SSL_REQUEST).await?;
    socket.read_u8().await.map(|_yes_or_no| ())
}
