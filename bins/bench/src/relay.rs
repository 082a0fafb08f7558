//! Postfix's own programs: the relay that all deliver to, and the client that is measured against.

use std::io::{self, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use crate::failure::Failure;
use crate::letter::SENDER;
use crate::node::in_vain;

/// Where Debian and most others keep them; an ordinary user's `PATH` often lacks it.
const FOLDERS: [&str; 2] = ["/usr/sbin", "/usr/bin"];
const PATIENCE: Duration = Duration::from_secs(60);

/// `smtp-sink`, which takes everything, keeps nothing, and counts.
pub(crate) struct Relay {
    child: Child,
    address: SocketAddr,
    taken: watch::Receiver<u64>,
}

impl Relay {
    /// Starts one and waits until it listens.
    pub(crate) async fn start() -> Result<Self, Failure> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut command = program("smtp-sink")?;
        if nix::unistd::geteuid().is_root() {
            command.args(["-u", "postfix"]);
        }
        command.args(["-c", &address.to_string(), "256"]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(Failure::run("smtp-sink"))?;
        let (told, taken) = watch::channel(0);
        if let Some(counters) = child.stdout.take() {
            thread::spawn(move || listen(counters, &told));
        }
        let relay = Self { child, address, taken };
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            if begun.elapsed() > PATIENCE {
                return Err(in_vain("smtp-sink", PATIENCE));
            }
            // Nothing tells when another program has begun to listen.
            sleep(Duration::from_millis(5)).await;
        }
        Ok(relay)
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many messages it has taken.
    pub(crate) fn taken(&self) -> u64 {
        *self.taken.borrow()
    }

    /// Waits until it has taken so many.
    pub(crate) async fn has_taken(&self, messages: u64) -> Result<(), Failure> {
        let mut taken = self.taken.clone();
        let waited = timeout(PATIENCE, taken.wait_for(|taken| *taken >= messages)).await;
        match waited {
            Ok(Ok(_)) => Ok(()),
            _ => Err(in_vain(&format!("message {messages} at the relay, which took {}", self.taken()), PATIENCE)),
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Reads `sess=1 quit=0 mesg=7`, over and over.
fn listen(mut counters: impl Read, told: &watch::Sender<u64>) {
    let (mut read, mut piece) = (Vec::new(), [0; 4096]);
    while let Ok(count @ 1..) = counters.read(&mut piece) {
        read.extend(piece.iter().take(count));
        let last = read.iter().rposition(|octet| *octet == b'\r').unwrap_or_default();
        let rest = read.split_off(last);
        if let Some(messages) = messages(&String::from_utf8_lossy(&read)) {
            told.send_replace(messages);
        }
        read = rest;
    }
}

/// The last count of messages in whole lines.
fn messages(lines: &str) -> Option<u64> {
    lines.rsplit_once("mesg=")?.1.trim().parse().ok()
}

/// Has `smtp-source` send so many mails over so many kept connections, and tells when it is done.
pub(crate) async fn smtp_source(to: SocketAddr, connections: usize, mails: u64) -> Result<Duration, Failure> {
    let mut command = tokio::process::Command::from(program("smtp-source")?);
    // With the header fields that the server writes, its mails are that much longer.
    command.args([
        "-d",
        "-l",
        "2400",
        "-s",
        &connections.to_string(),
        "-m",
        &mails.to_string(),
        "-f",
        SENDER,
        "-t",
        "00000000@load.example",
    ]);
    command.arg(to.to_string()).stdin(Stdio::null()).kill_on_drop(true);
    let begun = Instant::now();
    let output = timeout(PATIENCE, command.output()).await.map_err(|_late| in_vain("smtp-source", PATIENCE))?;
    let output = output.map_err(Failure::run("smtp-source"))?;
    if output.status.success() {
        return Ok(begun.elapsed());
    }
    Err(Failure::Answer(format!("smtp-source: {}", String::from_utf8_lossy(&output.stderr))))
}

/// Whether a Postfix of one's own can be had.
///
/// # Errors
///
/// [`Failure::Missing`] where it is not installed, and a refusal where this is not root.
pub(crate) fn postfix_is_there() -> Result<(), Failure> {
    program("postfix")?;
    program("saslpasswd2").or(Err(Failure::Missing { program: "saslpasswd2", package: "sasl2-bin libsasl2-modules" }))?;
    if nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    let source = io::ErrorKind::PermissionDenied.into();
    Err(Failure::Run { program: "postfix (it starts as root only)".to_owned(), source })
}

fn program(name: &'static str) -> Result<Command, Failure> {
    let found = FOLDERS.iter().map(|folder| Path::new(folder).join(name)).find(|path| path.is_file());
    found.map(Command::new).ok_or(Failure::Missing { program: name, package: "postfix" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_count_counts_and_half_of_one_is_waited_for() {
        let (told, taken) = watch::channel(0);
        listen(&b"sess=1 quit=0 mesg=7\rsess=1 quit=0 mesg=12\rsess=1 quit=0 mesg=1"[..], &told);
        assert_eq!(*taken.borrow(), 12);
        assert_eq!(messages("sess=1 quit=0"), None);
    }
}
