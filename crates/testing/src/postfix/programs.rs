//! Where Postfix's programs are, and what they need.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};

pub(super) const INSTALL: &str = "Postfix is needed: apt-get install postfix sasl2-bin libsasl2-modules";

/// Where Debian and most others keep them; an ordinary user's `PATH` often lacks it.
const PROGRAMS: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// A program of Postfix's or SASL's, looked for where root would.
pub(super) fn program(name: &str) -> Command {
    let found = PROGRAMS.split(':').map(|folder| Path::new(folder).join(name)).find(|path| path.exists());
    let mut command = Command::new(found.unwrap_or_else(|| name.into()));
    command.env("PATH", PROGRAMS).env_remove("MAIL_CONFIG").stdin(Stdio::null());
    command
}

/// A shell that runs a script and finds the same programs; its arguments follow.
pub(super) fn shell(script: &str) -> Command {
    let mut command = program("sh");
    command.args(["-c", script, "sh"]);
    command
}

/// Whether a program is there.
pub(super) fn is_installed(name: &str) -> bool {
    PROGRAMS.split(':').any(|folder| Path::new(folder).join(name).exists())
}

pub(super) fn is_root() -> bool {
    // The owner of what a process has just made is the process.
    let made = tempfile::NamedTempFile::new().unwrap();
    made.as_file().metadata().unwrap().uid() == 0
}

/// A port that was free a moment ago: Postfix cannot be given one that is open already.
pub(super) fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
