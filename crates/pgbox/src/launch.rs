//! Starts PostgreSQL's own process, on its own or tethered to ours.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::folder::Folder;
use crate::{Error, Lifetime, Programs, config};

/// Runs PostgreSQL (`$@`) until our end of the pipe on standard input closes, which it does when we die, however we die.
/// Standard error brings in the alive lock, which becomes PostgreSQL's standard input and is then let go of here.
/// SIGQUIT makes it stop at once.
const TETHER: &str = r#"
"$@" <&2 2>&1 &
server=$!
exec 2>&1
read -r _
kill -QUIT "$server" 2>/dev/null
wait "$server"
"#;

/// A server that we started.
#[derive(Debug)]
pub(crate) struct Launched {
    /// PostgreSQL itself, or the shell that the tether ends in.
    child: Child,
    pub(crate) lifetime: Lifetime,
}

impl Launched {
    /// Waits for a process that is known to be ending, so that it leaves no zombie.
    fn reap(&mut self) {
        drop(self.child.stdin.take());
        if let Err(error) = self.child.wait() {
            tracing::warn!(%error, "cannot wait for PostgreSQL's process");
        }
    }

    /// Lets go of a server that has stopped.
    pub(crate) fn stopped(mut self) {
        self.reap();
    }
}

impl Drop for Launched {
    fn drop(&mut self) {
        match self.lifetime {
            // Waiting keeps the folder in place until nothing writes to it any more.
            Lifetime::Tethered => self.reap(),
            Lifetime::Detached => drop(self.child.try_wait()),
        }
    }
}

/// Starts PostgreSQL on the folder's cluster; `alive` is the lock that shows that it lives, `log` where it writes.
pub(crate) fn launch(
    folder: &Folder,
    programs: &Programs,
    socket_dir: &Path,
    lifetime: Lifetime,
    alive: File,
    log: File,
) -> Result<Launched, Error> {
    let postgres = programs.program("postgres");
    let mut command = match lifetime {
        Lifetime::Detached => detached(folder, &postgres, alive, log)?,
        Lifetime::Tethered => tethered(folder, &postgres, alive, log),
    };
    command.arg("-D").arg(folder.cluster());
    for setting in config::fixed(socket_dir) {
        command.args(["-c", &setting]);
    }
    let child = command.spawn().map_err(folder.account.cannot_run(&postgres))?;
    Ok(Launched { child, lifetime })
}

fn detached(folder: &Folder, postgres: &Path, alive: File, log: File) -> Result<Command, Error> {
    let log_too = log.try_clone().map_err(Error::file("open", folder.log()))?;
    let mut command = folder.account.command(postgres, folder.root());
    command.stdin(alive).stdout(log).stderr(log_too);
    Ok(command)
}

fn tethered(folder: &Folder, postgres: &Path, alive: File, log: File) -> Command {
    let mut command = folder.account.command(Path::new("/bin/sh"), folder.root());
    command.args(["-c", TETHER, "sh"]).arg(postgres);
    command.stdin(Stdio::piped()).stdout(log).stderr(alive);
    command
}
