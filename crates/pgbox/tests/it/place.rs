//! What the tests stand on: a folder each, SQL, and a second process.
#![expect(clippy::unwrap_used, reason = "a test stops at the first thing that goes wrong")]

use std::env;
use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use selfmx_pgbox::{DATABASE, Lifetime, PgBox, Settings, programs};
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

/// Names the folder to a second process.
const PLACE: &str = "PGBOX_TEST_PLACE";
const LONG: Duration = Duration::from_secs(120);

/// A temporary folder for one server, which ends with it.
pub(crate) struct Place {
    dir: TempDir,
    data_dir: PathBuf,
}

impl Place {
    /// As root another user runs the server, so the folder lets others through.
    pub(crate) fn new() -> Self {
        Self::below("data/postgres")
    }

    pub(crate) fn below(path: impl AsRef<Path>) -> Self {
        let dir = tempfile::Builder::new().prefix("pgbox").permissions(Permissions::from_mode(0o755)).tempdir().unwrap();
        let data_dir = fs::canonicalize(dir.path()).unwrap().join(path);
        Self { dir, data_dir }
    }

    pub(crate) fn outer(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.data_dir.join(name)
    }

    pub(crate) fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// A server that cannot outlive the test.
    pub(crate) fn tethered(&self) -> Settings {
        Settings::new(&self.data_dir).lifetime(Lifetime::Tethered)
    }

    pub(crate) fn detached(&self) -> Settings {
        Settings::new(&self.data_dir)
    }

    /// Where the socket is when it cannot be in the folder, which must exist.
    pub(crate) fn short_socket_dir(&self) -> PathBuf {
        let data = fs::metadata(&self.data_dir).unwrap();
        PathBuf::from(format!("/tmp/selfmx-{:x}-{:x}", data.dev(), data.ino()))
    }

    pub(crate) fn postmaster(&self) -> Option<i32> {
        self.record().lines().next()?.parse().ok()
    }

    /// PostgreSQL's record of a running server, empty if there is none.
    pub(crate) fn record(&self) -> String {
        fs::read_to_string(self.path("cluster/postmaster.pid")).unwrap_or_default()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("postgres.log")).unwrap()
    }

    pub(crate) fn kill(&self, signal: Signal) {
        kill(Pid::from_raw(self.postmaster().unwrap()), signal).unwrap();
    }

    /// Waits until the server's last process is gone.
    pub(crate) fn wait_until_down(&self) {
        let alive = fs::File::open(self.path("alive.lock")).unwrap();
        wait_until("the server's last process to end", || alive.try_lock_shared().is_ok());
    }

    /// A command run as the user that the server runs as.
    pub(crate) fn as_server(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        let owner = fs::metadata(&self.data_dir).unwrap();
        if geteuid().is_root() {
            command.uid(owner.uid()).gid(owner.gid());
        }
        command.current_dir("/").stdin(Stdio::null());
        command
    }

    /// What a line of shell prints about a process of the server, run as its user: root in a container may not look itself.
    pub(crate) fn of_process(&self, pid: i32, line: &str) -> String {
        let output = self.as_server("/bin/sh").args(["-c", line, "sh", &format!("/proc/{pid}")]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// Starts PostgreSQL on the cluster as an operator would, without this crate, and waits until it is ready.
    pub(crate) fn by_hand(&self) -> Child {
        let mut command = self.as_server(programs(None).unwrap().program("postgres"));
        let child = command.arg("-D").arg(self.path("cluster")).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        wait_until("the server to be ready", || self.record().contains("ready"));
        child
    }

    /// Runs one of this binary's ignored tests as a process of its own, and waits for the line with which it says that
    /// its server is open. It ends when its standard input does.
    pub(crate) fn second_process(&self, test: &str) -> Child {
        let mut child = self.start_second_process(test);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().ends_with("server open")), "the second process opened no server");
        child
    }

    /// The same without waiting.
    pub(crate) fn start_second_process(&self, test: &str) -> Child {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--ignored", "--exact", "--nocapture", test]).env(PLACE, &self.data_dir);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
    }
}

impl Drop for Place {
    /// A test that failed may have left its server.
    fn drop(&mut self) {
        let cluster = self.path("cluster");
        let runs = |pid| Path::new(self.of_process(pid, r#"cd -P "$1/cwd" 2>/dev/null && pwd -P"#).trim_end()) == cluster;
        if let Some(pid) = self.postmaster().filter(|pid| runs(*pid)) {
            kill(Pid::from_raw(pid), Signal::SIGQUIT).unwrap();
            wait_until("a left server to end", || !runs(pid));
        }
    }
}

/// In a second process: opens the server, says so, and holds it until standard input ends.
#[expect(clippy::disallowed_methods, reason = "how one process of these tests names its folder to another")]
pub(crate) fn hold(lifetime: Lifetime) {
    let settings = Settings::new(env::var_os(PLACE).unwrap()).lifetime(lifetime);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(PgBox::open(settings)).unwrap();
    println!("server open");
    std::io::stdin().lines().count();
    drop(server);
}

pub(crate) async fn connect(server: &PgBox, database: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(&server.connection_string(database), NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// The first column of the first row, or nothing.
pub(crate) async fn sql(server: &PgBox, query: &str) -> String {
    let client = connect(server, DATABASE).await;
    let answers = client.simple_query(query).await.unwrap();
    let rows = answers.iter().filter_map(|answer| match answer {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    rows.take(1).collect()
}

pub(crate) fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

pub(crate) fn owner(path: impl AsRef<Path>) -> u32 {
    fs::metadata(path).unwrap().uid()
}

pub(crate) fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < LONG, "waited too long for {what}");
        sleep(Duration::from_millis(5));
    }
}
