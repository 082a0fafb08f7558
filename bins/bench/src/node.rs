//! One SelfMX server as a process of its own, with the settings that it has when nobody says anything.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use crate::failure::Failure;

/// The operator's key of all servers here.
pub(crate) const KEY: &str = "a-made-up-key-for-measuring-alone";
/// Longer than any start takes.
const START: Duration = Duration::from_secs(60);
const DRAIN: Duration = Duration::from_secs(35);
const BETWEEN_LOOKS: Duration = Duration::from_millis(1);

/// A running server; killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Node {
    child: Child,
    pid: i32,
    address: SocketAddr,
    log: PathBuf,
}

impl Node {
    /// Starts one on a data folder, with more variables, and waits until it listens. Its log is beside the folder.
    pub(crate) async fn start(program: &Path, data: &Path, variables: &[(&str, String)]) -> Result<Self, Failure> {
        let log = data.with_extension(format!("{}.log", fs::read_dir(data.parent().unwrap_or(data)).map_or(0, Iterator::count)));
        let stderr = File::create(&log).map_err(Failure::file(&log))?;
        let usual = [("HOST", "127.0.0.1"), ("PORT", "0"), ("LOG_FORMAT", "json"), ("API_KEY", KEY), ("RATE_LIMIT_REQUESTS", "0")];
        let mut command = Command::new(program);
        command.env_clear().envs(usual).env("DATA_DIR", data).envs(variables.iter().map(|(name, value)| (name, value)));
        command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr).kill_on_drop(true);
        let child = command.spawn().map_err(Failure::run(program.display().to_string()))?;
        let not_listening = || Failure::NotListening { log: log.clone() };
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).ok_or_else(not_listening)?;
        let address = timeout(START, listening(&log)).await.map_err(|_late| not_listening())?;
        Ok(Self { child, pid, address, log })
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process.
    pub(crate) const fn pid(&self) -> i32 {
        self.pid
    }

    /// Asks it to stop, and waits until it has ended.
    pub(crate) async fn stop(mut self) -> Result<(), Failure> {
        // One that has ended already needs no signal.
        let _ = kill(Pid::from_raw(self.pid), Signal::SIGTERM);
        let ended = timeout(DRAIN, self.child.wait()).await;
        ended.map_err(|_late| in_vain("the server's end", DRAIN))?.map(drop).map_err(Failure::run("selfmx"))
    }

    /// Has it stop at once, whatever it has in hand, and gives what it wrote until it ended.
    pub(crate) async fn last_words(mut self) -> Result<String, Failure> {
        // The second signal takes the place of waiting.
        for signal in [Signal::SIGTERM, Signal::SIGINT] {
            let _ = kill(Pid::from_raw(self.pid), signal);
        }
        let ended = timeout(DRAIN, self.child.wait()).await;
        ended.map_err(|_late| in_vain("the server's end", DRAIN))?.map_err(Failure::run("selfmx"))?;
        fs::read_to_string(&self.log).map_err(Failure::file(&self.log))
    }

    /// Kills it and waits until it is gone: what it would wait for does not matter here.
    pub(crate) async fn kill(mut self) -> Result<(), Failure> {
        self.child.kill().await.map_err(Failure::run("selfmx"))
    }
}

async fn listening(log: &PathBuf) -> SocketAddr {
    loop {
        let text = fs::read_to_string(log).unwrap_or_default();
        if let Some(address) = text.lines().find_map(address) {
            return address;
        }
        sleep(BETWEEN_LOOKS).await;
    }
}

fn address(line: &str) -> Option<SocketAddr> {
    let event: Value = serde_json::from_str(line).ok()?;
    let told = event.get("message")?.as_str()? == "listening";
    event.get("address").filter(|_| told)?.as_str()?.parse().ok()
}

/// Waits until something is so, and tells how long that took from `since`.
pub(crate) async fn until<F: Future<Output = Result<bool, Failure>>>(
    what: &str,
    since: Instant,
    patience: Duration,
    is_so: impl Fn() -> F,
) -> Result<Duration, Failure> {
    while !is_so().await? {
        if since.elapsed() > patience {
            return Err(in_vain(what, patience));
        }
        sleep(Duration::from_millis(20)).await;
    }
    Ok(since.elapsed())
}

pub(crate) fn in_vain(what: &str, waited: Duration) -> Failure {
    Failure::InVain { what: what.to_owned(), waited }
}
