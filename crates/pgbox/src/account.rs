//! The operating system user that PostgreSQL runs as, and commands run as that user.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::unistd::{Uid, User, geteuid};

use crate::Error;

/// Debian's user for PostgreSQL, and most other systems'.
const POSTGRES: &str = "postgres";

/// Whom PostgreSQL runs as.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) name: String,
    /// Whether we are root and this is another user, so that commands have to drop to it.
    pub(crate) dropped: bool,
}

impl Account {
    /// Ourselves; as root the first owner that is not root of the folders given, else `postgres`.
    pub(crate) fn choose(folders: &[&Path]) -> Result<Self, Error> {
        let us = geteuid();
        if !us.is_root() {
            return Self::from_uid(us, false);
        }
        let owners = folders.iter().filter_map(|folder| fs::metadata(folder).ok());
        if let Some(owner) = owners.map(|folder| Uid::from_raw(folder.uid())).find(|owner| !owner.is_root()) {
            return Self::from_uid(owner, true);
        }
        let user = User::from_name(POSTGRES).map_err(|source| Error::Users { source })?;
        let folder = folders.first().copied().unwrap_or(Path::new("/"));
        user.map(|user| Self::from_user(user, true)).ok_or_else(|| Error::NoAccount { folder: folder.to_path_buf() })
    }

    /// A command run as this user: no environment of ours (it holds secrets, and PostgreSQL reads `PG*`), no standard
    /// input, in a process group of its own so that the terminal's Ctrl-C passes it by.
    pub(crate) fn command(&self, program: &Path, folder: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C").env("TZ", "UTC");
        command.current_dir(folder).process_group(0).stdin(Stdio::null());
        if self.dropped {
            // The standard library also clears root's supplementary groups here.
            command.gid(self.gid).uid(self.uid);
        }
        command
    }

    /// The error of a command of [`command`](Self::command) that could not be run: for `map_err`.
    pub(crate) fn cannot_run(&self, program: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
        let (program, user) = (program.to_path_buf(), self.name.clone());
        move |source| Error::RunAs { program, user, source }
    }

    fn from_uid(uid: Uid, dropped: bool) -> Result<Self, Error> {
        let user = User::from_uid(uid).map_err(|source| Error::Users { source })?;
        user.map(|user| Self::from_user(user, dropped)).ok_or(Error::Nameless { uid: uid.as_raw() })
    }

    fn from_user(user: User, dropped: bool) -> Self {
        Self { uid: user.uid.as_raw(), gid: user.gid.as_raw(), name: user.name, dropped }
    }
}
