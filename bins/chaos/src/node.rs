//! One SelfMX server as a process of its own, with proxies on its ways to the database and to the relay.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use crate::failure::Failure;
use crate::ledger::{Moment, Watch};
use crate::postgres::{Postgres, send};
use crate::proxy::{Proxy, Target};

/// The operator's key of all servers here.
pub(crate) const KEY: &str = "a-made-up-key-for-chaos-alone";
const SECRET_KEY: &str = "a-made-up-secret-key-for-chaos-and-its-runs";
/// Longer than any start takes.
const START: Duration = Duration::from_secs(60);
/// A server has 30 s to drain.
const DRAIN: Duration = Duration::from_secs(35);
/// Longer than a process takes to stop where it is.
const STANDS: Duration = Duration::from_secs(10);
const BETWEEN_LOOKS: Duration = Duration::from_millis(1);

/// Where a node's ways lead, and with what it is run.
pub(crate) struct NodeSettings<'a> {
    /// The program `selfmx`.
    pub(crate) program: &'a Path,
    /// Where its log goes.
    pub(crate) log: PathBuf,
    pub(crate) database: Target,
    pub(crate) relay: SocketAddr,
    /// Variables beside the usual ones.
    pub(crate) variables: Vec<(String, String)>,
}

/// A server that runs, or that was killed and can be started again.
pub(crate) struct Node {
    program: PathBuf,
    log: PathBuf,
    variables: Vec<(String, String)>,
    /// Its way to the database.
    pub(crate) database: Proxy,
    /// Its way to the relay.
    pub(crate) relay: Proxy,
    running: Option<Running>,
}

struct Running {
    child: Child,
    pid: i32,
    address: SocketAddr,
    since: Moment,
}

impl Node {
    /// Starts one.
    pub(crate) async fn start(settings: NodeSettings<'_>, watch: Watch) -> Result<Self, Failure> {
        let (database, relay) = (Proxy::start(settings.database).await?, Proxy::start(Target::Tcp(settings.relay)).await?);
        let ways = [
            ("DATABASE_URL", Postgres::url(database.address().port())),
            ("SMTP_HOST", "127.0.0.1".to_owned()),
            ("SMTP_PORT", relay.address().port().to_string()),
        ];
        let usual = [
            ("HOST", "127.0.0.1"),
            ("PORT", "0"),
            ("LOG_FORMAT", "json"),
            ("API_KEY", KEY),
            ("SECRET_KEY", SECRET_KEY),
            ("SMTP_TLS", "false"),
            ("RATE_LIMIT_REQUESTS", "0"),
            ("QUEUE_RETRY_DELAY", "0"),
        ];
        let mut variables: Vec<_> = usual.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        variables.extend(ways.map(|(name, value)| (name.to_owned(), value)));
        variables.extend(settings.variables);
        let mut node = Self { program: settings.program.to_path_buf(), log: settings.log, variables, database, relay, running: None };
        node.start_again(watch).await?;
        Ok(node)
    }

    /// Starts it again after it was killed or has ended, and tells when it was told to.
    pub(crate) async fn start_again(&mut self, watch: Watch) -> Result<Moment, Failure> {
        let since = watch.now();
        let mut command = Command::new(&self.program);
        command.env_clear().envs(self.variables.iter().cloned()).current_dir("/");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().map_err(|source| Failure::Run { program: self.program.clone(), source })?;
        let not_listening = || Failure::NotListening { log: self.log.clone() };
        let log = OpenOptions::new().create(true).append(true).open(&self.log).map_err(Failure::file(&self.log))?;
        let (found, address) = oneshot::channel();
        tokio::spawn(gather(child.stderr.take().ok_or_else(not_listening)?, log, found));
        let address = timeout(START, address).await.map_err(|_late| not_listening())?.map_err(|_ended| not_listening())?;
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).ok_or_else(not_listening)?;
        self.running = Some(Running { child, pid, address, since });
        Ok(since)
    }

    /// Where it listens; nothing while it does not run.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.running.as_ref().map(|running| running.address)
    }

    /// Since when it has run.
    pub(crate) fn since(&self) -> Moment {
        self.running.as_ref().map(|running| running.since).unwrap_or_default()
    }

    /// Kills it as a power cut would (SIGKILL), and waits until it is gone.
    pub(crate) async fn kill(&mut self) -> Result<(), Failure> {
        let Some(mut running) = self.running.take() else { return Ok(()) };
        running.child.kill().await.map_err(|source| Failure::Run { program: self.program.clone(), source })
    }

    /// Stops it where it is, and waits until it stands: on a busy machine it goes on for a moment after the signal.
    pub(crate) async fn freeze(&self) -> Result<(), Failure> {
        self.signal(Signal::SIGSTOP)?;
        let Some(pid) = self.running.as_ref().map(|running| running.pid) else { return Ok(()) };
        let stands = async {
            while !stands_still(pid) {
                sleep(BETWEEN_LOOKS).await;
            }
        };
        timeout(STANDS, stands).await.map_err(|_late| Failure::InVain { what: "a frozen server to stand still".to_owned(), waited: STANDS })
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) -> Result<(), Failure> {
        self.signal(Signal::SIGCONT)
    }

    /// Asks it to stop, and waits until it has ended with 0.
    pub(crate) async fn stop(&mut self) -> Result<(), Failure> {
        self.signal(Signal::SIGTERM)?;
        let Some(mut running) = self.running.take() else { return Ok(()) };
        let ended = timeout(DRAIN, running.child.wait()).await.ok().and_then(Result::ok);
        let code = ended.and_then(|status| status.code());
        if code == Some(0) {
            return Ok(());
        }
        Err(Failure::Ended { code, log: self.log.clone() })
    }

    fn signal(&self, signal: Signal) -> Result<(), Failure> {
        self.running.as_ref().map_or(Ok(()), |running| send(running.pid, signal))
    }
}

/// Whether all threads of a process are stopped by a signal.
fn stands_still(pid: i32) -> bool {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let mut states = tasks.filter_map(|task| fs::read_to_string(task.path().join("stat")).ok());
    states.all(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T')))
}

/// Keeps the log, and finds in it where the server listens.
async fn gather(from: ChildStderr, mut log: File, found: oneshot::Sender<SocketAddr>) {
    let mut lines = BufReader::new(from).lines();
    let mut found = Some(found);
    while let Ok(Some(line)) = lines.next_line().await {
        // A log that cannot be kept costs an explanation, not a result.
        drop(writeln!(log, "{line}"));
        let event: Value = serde_json::from_str(&line).unwrap_or_default();
        let address = event.get("address").and_then(Value::as_str).and_then(|address| address.parse().ok());
        if event.get("message").and_then(Value::as_str) == Some("listening")
            && let (Some(address), Some(found)) = (address, found.take())
        {
            // Nobody waits for it any more.
            let _ = found.send(address);
        }
    }
}
