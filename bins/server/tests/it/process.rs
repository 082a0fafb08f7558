//! The server as a process of its own.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use selfmx_storage::migrate;
use selfmx_testing::{Database, HttpAnswer, HttpClient};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::described;

/// The operator's key of all servers here.
pub(crate) const KEY: &str = "a-default-key-for-tests-only";

/// The key that secrets are sealed with, of all servers here that have no private database.
pub(crate) const SECRET_KEY: &str = "a-made-up-secret-key-for-the-server-s-tests";

/// Longer than any start takes.
const PATIENCE: Duration = Duration::from_secs(60);
/// Nothing outside a process tells when its state has changed.
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

/// A running server.
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
    log: Arc<Mutex<String>>,
    standard_output: Arc<Mutex<String>>,
    gathering: [JoinHandle<()>; 2],
}

/// How a server ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) log: String,
    pub(crate) standard_output: String,
}

/// A database of the test's own, migrated.
pub(crate) async fn database() -> Database {
    Database::create("selfmx", async |address| {
        migrate(&address.parse().unwrap()).await.unwrap();
    })
    .await
}

/// Waits until `sql` gives `expected`.
pub(crate) async fn until(database: &Database, sql: &str, expected: &str) {
    eventually(&format!("{sql} to give {expected}"), async || database.query_one_text(sql).await == expected).await;
}

/// Waits until something holds of which nobody tells when it begins to.
pub(crate) async fn eventually(what: &str, holds: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}

/// The program with these variables, and where they are not among them a secret key and no limits of rates, of which a test would soon have
/// too much. No others.
pub(crate) fn command(variables: &[(&str, &str)]) -> Command {
    let usual = [("SECRET_KEY", SECRET_KEY), ("RATE_LIMIT_REQUESTS", "0"), ("AUTH_FAILURES_PER_MINUTE", "0")];
    command_of(Path::new(env!("CARGO_BIN_EXE_selfmx")), &[&usual, variables].concat())
}

/// A program of one's own with these variables and no others.
pub(crate) fn command_of(program: &Path, variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("HOST", "127.0.0.1").env("PORT", "0").env("LOG_FORMAT", "json").envs(variables.iter().copied());
    // Where no `.env` lies.
    command.current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// Runs a server that is expected to end by itself.
pub(crate) async fn ends(variables: &[(&str, &str)]) -> Ended {
    command_ends(command(variables)).await
}

/// Runs a command that is expected to end by itself.
pub(crate) async fn command_ends(mut command: Command) -> Ended {
    let output = timeout(PATIENCE, command.output()).await.unwrap().unwrap();
    let text = |octets| String::from_utf8(octets).unwrap();
    Ended { code: output.status.code(), log: text(output.stderr), standard_output: text(output.stdout) }
}

impl Server {
    /// Starts a server on `database` with the operator's key and these variables.
    pub(crate) async fn start(database: &Database, variables: &[(&str, &str)]) -> Self {
        let usual = [("DATABASE_URL", database.connection_string()), ("API_KEY", KEY)];
        Self::start_with(&[&usual[..], variables].concat()).await
    }

    /// Starts a server with just these variables.
    pub(crate) async fn start_with(variables: &[(&str, &str)]) -> Self {
        Self::spawn(command(variables)).await
    }

    /// Starts a server by a command of one's own.
    pub(crate) async fn spawn(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let (log, standard_output) = (Arc::new(Mutex::new(String::new())), Arc::new(Mutex::new(String::new())));
        let (listening, mut address) = watch::channel(None);
        let gathering = [
            tokio::spawn(gather(child.stderr.take().unwrap(), Arc::clone(&log), move |line| {
                let event: Value = serde_json::from_str(line).unwrap_or_default();
                if event["message"] == "listening" {
                    listening.send_replace(event["address"].as_str().and_then(|address| address.parse().ok()));
                }
            })),
            tokio::spawn(gather(child.stdout.take().unwrap(), Arc::clone(&standard_output), |_| {})),
        ];
        // An error: it ended before it listened.
        let address = timeout(PATIENCE, address.wait_for(Option::is_some)).await.ok().and_then(|found| *found.ok()?);
        assert!(address.is_some(), "the server did not start; its log:\n{}", log.lock().unwrap());
        Self { child, address: address.unwrap(), log, standard_output, gathering }
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Asks once, over a connection of its own. What is answered has to be as it is described.
    pub(crate) async fn ask(&self, method: &str, path: &str, key: Option<&str>, body: Option<&Value>) -> HttpAnswer {
        let answer = self.connect().await.send(method, path, key, body).await.unwrap();
        described::check(method, path, &answer);
        answer
    }

    /// A connection to it.
    pub(crate) async fn connect(&self) -> HttpClient {
        HttpClient::connect(self.address).await.unwrap()
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until a line of its log holds `text`.
    pub(crate) async fn logged(&self, text: &str) {
        eventually(&format!("a line of the log with {text:?}"), async || self.log().contains(text)).await;
    }

    /// What it has printed so far.
    pub(crate) fn standard_output(&self) -> String {
        self.standard_output.lock().unwrap().clone()
    }

    /// Kills it as a power cut would.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Asks it to stop, as an init system does.
    pub(crate) fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().unwrap().to_string();
        assert!(std::process::Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(mut self) -> Ended {
        let status = timeout(PATIENCE, self.child.wait()).await.unwrap().unwrap();
        for gathering in self.gathering {
            gathering.await.unwrap();
        }
        let text = |gathered: &Mutex<String>| gathered.lock().unwrap().clone();
        Ended { code: status.code(), log: text(&self.log), standard_output: text(&self.standard_output) }
    }

    /// Asks it to stop, and waits until it has ended.
    pub(crate) async fn stop(self) -> Ended {
        self.terminate();
        self.ended().await
    }
}

/// Gathers what comes, line by line, until the end.
async fn gather(from: impl AsyncRead + Unpin, into: Arc<Mutex<String>>, seen: impl Fn(&str)) {
    let mut lines = BufReader::new(from).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        into.lock().unwrap().push_str(&format!("{line}\n"));
        seen(&line);
    }
}
