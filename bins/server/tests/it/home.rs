//! A folder in which the program runs with a private PostgreSQL.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use nix::unistd::{Uid, User};
use tempfile::TempDir;
use tokio::process::Command;

use crate::process::{Server, command_of};

/// A folder with a program in it that any user may run. Its PostgreSQL ends with it.
pub(crate) struct Home {
    folder: TempDir,
    pub(crate) data: PathBuf,
    pub(crate) owner: Option<User>,
}

impl Home {
    /// A folder of whoever runs the tests.
    pub(crate) fn own() -> Self {
        let folder = tempfile::Builder::new().prefix("selfmx-home-").permissions(Permissions::from_mode(0o755)).tempdir().unwrap();
        // By a process of its own: what other tests start at this moment would have the file open for writing, and nobody could run it.
        let copied = std::process::Command::new("cp").arg(env!("CARGO_BIN_EXE_selfmx")).arg(folder.path().join("selfmx")).status();
        assert!(copied.unwrap().success());
        Self { data: folder.path().join("selfmx-data"), folder, owner: None }
    }

    /// The same for an ordinary user: another one, where the tests run as root.
    pub(crate) fn of_an_ordinary_user() -> Self {
        let owner = Uid::effective().is_root().then(|| User::from_name("nobody").unwrap().unwrap());
        let mut home = Self::own();
        if let Some(user) = &owner {
            chown(home.folder.path(), Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
        }
        home.owner = owner;
        home
    }

    /// The program in this folder, as its owner.
    pub(crate) fn command(&self, variables: &[(&str, &str)]) -> Command {
        let mut command = self.command_as_we_are(variables);
        if let Some(user) = &self.owner {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        command
    }

    /// The program in this folder, as whoever runs the tests.
    pub(crate) fn command_as_we_are(&self, variables: &[(&str, &str)]) -> Command {
        let mut command = command_of(&self.folder.path().join("selfmx"), variables);
        command.current_dir(self.folder.path());
        command
    }

    pub(crate) async fn start(&self, variables: &[(&str, &str)]) -> Server {
        Server::spawn(self.command(variables)).await
    }

    /// PostgreSQL's process, where one runs.
    pub(crate) fn postgres(&self) -> Option<String> {
        let cluster = self.data.join("postgres/cluster");
        let pid = fs::read_to_string(cluster.join("postmaster.pid")).ok()?.lines().next()?.to_owned();
        // The number of one that is gone may be another's by now.
        (fs::read_link(format!("/proc/{pid}/cwd")).ok()? == cluster).then_some(pid)
    }

    /// Kills PostgreSQL as a power cut would.
    pub(crate) async fn kill_postgres(&self) {
        kill("-KILL", &self.postgres().unwrap());
        crate::process::eventually("PostgreSQL's end", async || self.postgres().is_none()).await;
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if let Some(pid) = self.postgres() {
            kill("-QUIT", &pid);
            while Path::new(&format!("/proc/{pid}/cwd")).exists() {
                std::thread::yield_now();
            }
        }
    }
}

/// Sends a signal.
pub(crate) fn kill(signal: &str, pid: &str) {
    assert!(std::process::Command::new("kill").args([signal, pid]).status().unwrap().success());
}
