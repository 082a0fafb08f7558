//! The server as a process of its own.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use selfmx_storage::migrate;
use selfmx_testing::{Database, HttpAnswer, HttpClient};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{Instant, timeout};

/// The operator's key of all servers here.
pub(crate) const KEY: &str = "a-default-key-for-tests-only";

/// Longer than any start takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server.
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
    log: Arc<Mutex<String>>,
    standard_output: Arc<Mutex<String>>,
}

/// How a server ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) log: String,
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
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = database.query_one_text(sql).await;
        if found == expected {
            return;
        }
        assert!(Instant::now() < deadline, "{sql} stayed at {found} instead of {expected}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The program with these variables and no others.
pub(crate) fn command(variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_selfmx"));
    command.env_clear().envs(variables.iter().copied()).env("HOST", "127.0.0.1").env("PORT", "0").env("LOG_FORMAT", "json");
    // Where no `.env` lies.
    command.current_dir(std::env::temp_dir());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// Runs a server that is expected to end by itself.
pub(crate) async fn ends(variables: &[(&str, &str)]) -> Ended {
    let output = timeout(PATIENCE, command(variables).output()).await.unwrap().unwrap();
    Ended { code: output.status.code(), log: String::from_utf8(output.stderr).unwrap() }
}

impl Server {
    /// Starts a server on `database` with the operator's key and these variables.
    pub(crate) async fn start(database: &Database, variables: &[(&str, &str)]) -> Self {
        let usual = [("DATABASE_URL", database.connection_string()), ("API_KEY", KEY)];
        Self::start_with(&[&usual[..], variables].concat()).await
    }

    /// Starts a server with just these variables.
    pub(crate) async fn start_with(variables: &[(&str, &str)]) -> Self {
        let mut child = command(variables).spawn().unwrap();
        let (log, standard_output) = (Arc::new(Mutex::new(String::new())), Arc::new(Mutex::new(String::new())));
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = timeout(PATIENCE, async {
            loop {
                let Some(line) = lines.next_line().await.unwrap() else { return None };
                let event: Value = serde_json::from_str(&line).unwrap_or_default();
                log.lock().unwrap().push_str(&format!("{line}\n"));
                if event["message"] == "listening" {
                    return event["address"].as_str().unwrap().parse().ok();
                }
            }
        });
        let address: Option<SocketAddr> = address.await.ok().flatten();
        assert!(address.is_some(), "the server did not start; its log:\n{}", log.lock().unwrap());
        let address = address.unwrap();
        let gathered = Arc::clone(&log);
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                gathered.lock().unwrap().push_str(&format!("{line}\n"));
            }
        });
        let (mut stdout, gathered) = (child.stdout.take().unwrap(), Arc::clone(&standard_output));
        tokio::spawn(async move {
            let mut buffer = [0; 1024];
            while let Ok(count @ 1..) = stdout.read(&mut buffer).await {
                gathered.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..count]));
            }
        });
        Self { child, address, log, standard_output }
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Asks once, over a connection of its own.
    pub(crate) async fn ask(&self, method: &str, path: &str, key: Option<&str>, body: Option<&Value>) -> HttpAnswer {
        HttpClient::connect(self.address).await.unwrap().send(method, path, key, body).await.unwrap()
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
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
        let pid = self.child.id().unwrap().to_string();
        assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(mut self) -> Ended {
        let status = timeout(PATIENCE, self.child.wait()).await.unwrap().unwrap();
        Ended { code: status.code(), log: self.log() }
    }
}
