//! A running private server, as its user holds it.

use std::fs::{self, File};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::folder::Folder;
use crate::launch::Launched;
use crate::pace::Pace;
use crate::pidfile::Postmaster;
use crate::sight::Sight;
use crate::{Absent, Error, Lifetime, ROLE, Settings, lock, open, sight};

/// How long a server has for a fast shutdown, which ends with writing everything to its files.
const FAST: Duration = Duration::from_secs(60);
/// How long it then has to drop everything; it recovers at the next start.
const AT_ONCE: Duration = Duration::from_secs(15);

/// A running private PostgreSQL server, started by us or found.
///
/// Dropping it leaves a [detached](Lifetime::Detached) server running, for the next [`open`](Self::open) to find, and
/// stops a [tethered](Lifetime::Tethered) one that it started, waiting (and blocking) until that is gone.
#[derive(Debug)]
#[must_use = "dropped, it leaves a server running that nobody stops"]
pub struct PgBox {
    settings: Settings,
    folder: Folder,
    postmaster: Postmaster,
    /// Shows other processes that we use the server.
    users: File,
    launched: Option<Launched>,
}

/// What [`PgBox::stop`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// The server is down.
    Down,
    /// Another process still uses the server, so it was left running; that one stops it.
    InUse,
}

impl PgBox {
    /// Opens the server in a folder: finds it if it runs, else starts it, after making it if it is not there; waits until
    /// it accepts connections, crash recovery included, and logs what it waits for.
    ///
    /// Any number of processes may open one folder at once: one starts the server, the others find it. The settings of a
    /// server that is found are those that it was started with. Short file operations block the thread.
    ///
    /// If this future is dropped early, a server that has started goes on, unless it is tethered; half-made files are
    /// removed by the next call.
    ///
    /// # Errors
    ///
    /// Any of [`Error`] but [`Error::StopTimedOut`]; each says what to do.
    pub async fn open(settings: Settings) -> Result<Self, Error> {
        open::open(&settings).await
    }

    pub(crate) fn new(settings: Settings, folder: Folder, postmaster: Postmaster, users: File, launched: Option<Launched>) -> Self {
        Self { settings, folder, postmaster, users, launched }
    }

    /// Starts the server again where no process of it is left, as after its postmaster was killed, and waits until it has recovered; tells whether
    /// it had to. Where one lives, whatever it does, this is a look at a file. The [connection string](Self::connection_string) stays what it is.
    ///
    /// A cluster that is gone is not made anew. If this future is dropped early, a server that has started goes on, unless it is tethered.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open); [`Error::NoCluster`] where the cluster is gone. It may be tried again.
    pub async fn revive(&mut self) -> Result<bool, Error> {
        if lock::is_alive(&self.folder)? || !matches!(sight::look(&self.folder).await?, Sight::Down) {
            return Ok(false);
        }
        *self = open::open(&self.settings.clone().absent(Absent::Refuse)).await?;
        Ok(true)
    }

    /// How to connect to one of its databases, such as [`DATABASE`](crate::DATABASE): over the unix socket as [`ROLE`], in the
    /// `name='value'` form of libpq, which tokio-postgres and `pg_dump --dbname` read as well. It holds no secret, and more
    /// parameters may be appended to it.
    pub fn connection_string(&self, database: &str) -> String {
        let Postmaster { socket_dir, port, .. } = &self.postmaster;
        let host = quoted(&socket_dir.to_string_lossy());
        format!("host={host} port={port} user={ROLE} dbname={}", quoted(database))
    }

    /// Stops the server: a fast shutdown, which ends its sessions and writes everything to its files; after a minute, at once.
    /// Returns when its last process is gone. Does nothing to a server that another process has open, unless it is one of
    /// ours that is tethered.
    ///
    /// # Errors
    ///
    /// [`Error::Signal`] if we may not stop it, [`Error::StopTimedOut`] if it does not obey, [`Error::Busy`] if another process
    /// has been starting or stopping it for a minute, [`Error::File`] if its folder cannot be read.
    pub async fn stop(self) -> Result<Stopped, Error> {
        let Self { folder, users, launched, .. } = self;
        let mut pace = Pace::new(FAST);
        let _door = lock::door(&folder, &mut pace).await?;
        drop(users);
        let ours = launched.as_ref().is_some_and(|launched| launched.lifetime == Lifetime::Tethered);
        if !ours && lock::has_users(&folder)? {
            tracing::info!("PostgreSQL is left running: another process uses it");
            return Ok(Stopped::InUse);
        }
        if !signal_and_wait(&folder, Signal::SIGINT, FAST).await? {
            tracing::warn!("PostgreSQL did not stop in {} s: told to stop at once", FAST.as_secs());
            if !signal_and_wait(&folder, Signal::SIGQUIT, AT_ONCE).await? {
                return Err(Error::StopTimedOut { waited: FAST + AT_ONCE, log: folder.log() });
            }
        }
        if let Some(launched) = launched {
            launched.stopped();
        }
        remove_short_socket_dir(&folder)?;
        tracing::info!("PostgreSQL stopped in {} ms", pace.waited().as_millis());
        Ok(Stopped::Down)
    }
}

/// Signals the postmaster, if there is one, and waits until the server's last process is gone; `false` after `limit`.
async fn signal_and_wait(folder: &Folder, signal: Signal, limit: Duration) -> Result<bool, Error> {
    let mut pace = Pace::new(limit);
    let mut signalled = None;
    while !matches!(sight::look(folder).await?, Sight::Down) {
        if let Some(pid) = sight::postmaster_pid(folder).filter(|pid| signalled != Some(*pid)) {
            match kill(Pid::from_raw(pid), signal) {
                Ok(()) | Err(Errno::ESRCH) => signalled = Some(pid),
                Err(source) => return Err(Error::Signal { pid, source }),
            }
        }
        if !pace.step("PostgreSQL to stop").await {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Removes the socket's folder if it is outside ours, unless something else is in it.
fn remove_short_socket_dir(folder: &Folder) -> Result<(), Error> {
    let socket_dir = folder.socket_dir()?;
    if !socket_dir.starts_with(folder.root())
        && let Err(error) = fs::remove_dir(&socket_dir)
    {
        tracing::warn!(%error, "cannot remove {}", socket_dir.display());
    }
    Ok(())
}

/// A value between quotes, as libpq's connection strings have it.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cannot_leave_their_quotes() {
        assert_eq!(quoted(r"it's a \ name"), r"'it\'s a \\ name'");
    }
}
