//! A private PostgreSQL that can be killed, frozen and started again.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use selfmx_pgbox::{DATABASE, Lifetime, PgBox, ROLE, Settings};
use tokio::time::timeout;
use tokio_postgres::config::Host;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

use crate::failure::Failure;
use crate::proxy::Target;

/// How long a question of ours may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a start may take, recovery included.
const START: Duration = Duration::from_secs(60);

/// The server of one run, in a folder of its own; it ends with us.
#[derive(Debug)]
pub(crate) struct Postgres {
    folder: PathBuf,
    server: Option<PgBox>,
    config: Config,
}

impl Postgres {
    /// Makes and starts one under `folder`, with these lines of configuration beside its own.
    pub(crate) async fn start(folder: PathBuf, lines: &str) -> Result<Self, Failure> {
        fs::create_dir_all(&folder).map_err(Failure::file(&folder))?;
        let operator = folder.join("operator.conf");
        fs::write(&operator, lines).map_err(Failure::file(&operator))?;
        let server = open(&folder).await?;
        let config = server.connection_string(DATABASE).parse()?;
        Ok(Self { folder, server: Some(server), config })
    }

    /// Where a proxy has to lead.
    pub(crate) fn target(&self) -> Target {
        let folder = self.config.get_hosts().iter().find_map(|host| match host {
            Host::Unix(path) => Some(path.clone()),
            Host::Tcp(_) => None,
        });
        let port = self.config.get_ports().first().copied().unwrap_or(5432);
        Target::Unix(folder.unwrap_or_default().join(format!(".s.PGSQL.{port}")))
    }

    /// What a server is told that reaches it through a proxy at `port` of this machine.
    pub(crate) fn url(port: u16) -> String {
        format!("postgres://{ROLE}@127.0.0.1:{port}/{DATABASE}?sslmode=disable")
    }

    /// Kills it and waits until nothing of it is left: by SIGQUIT as `pg_ctl stop -m immediate` does, or by SIGKILL.
    pub(crate) fn kill(&mut self, signal: Signal) -> Result<(), Failure> {
        let postmaster = self.postmaster()?;
        send(postmaster, signal)?;
        // It is tethered: its end is waited for here.
        drop(self.server.take());
        Ok(())
    }

    /// Starts it again and waits until it has recovered.
    pub(crate) async fn start_again(&mut self) -> Result<(), Failure> {
        self.server = Some(open(&self.folder).await?);
        Ok(())
    }

    /// Stops all of its processes where they are.
    pub(crate) fn freeze(&self) -> Result<(), Failure> {
        let postmaster = self.postmaster()?;
        // The postmaster first: then there are no new ones.
        send(postmaster, Signal::SIGSTOP)?;
        children(postmaster).into_iter().try_for_each(|child| send(child, Signal::SIGSTOP))
    }

    /// Lets them go on.
    pub(crate) fn thaw(&self) -> Result<(), Failure> {
        let postmaster = self.postmaster()?;
        children(postmaster).into_iter().try_for_each(|child| send(child, Signal::SIGCONT))?;
        send(postmaster, Signal::SIGCONT)
    }

    /// Runs statements, past every proxy.
    pub(crate) async fn execute(&self, sql: &str) -> Result<(), Failure> {
        let asked = async { self.connect().await?.batch_execute(sql).await };
        timeout(PATIENCE, asked).await.map_err(|_late| in_vain(sql))?.map_err(Failure::from)
    }

    /// The rows that a question gives, as texts, past every proxy.
    pub(crate) async fn rows(&self, sql: &str) -> Result<Vec<Vec<String>>, Failure> {
        let asked = async { self.connect().await?.simple_query(sql).await };
        let messages = timeout(PATIENCE, asked).await.map_err(|_late| in_vain(sql))??;
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some((0..row.len()).map(|column| row.get(column).unwrap_or_default().to_owned()).collect()),
            _ => None,
        });
        Ok(rows.collect())
    }

    /// The first column of the rows.
    pub(crate) async fn texts(&self, sql: &str) -> Result<Vec<String>, Failure> {
        Ok(self.rows(sql).await?.into_iter().filter_map(|row| row.into_iter().next()).collect())
    }

    /// A number that a question gives.
    pub(crate) async fn count(&self, sql: &str) -> Result<usize, Failure> {
        let texts = self.texts(sql).await?;
        texts.first().and_then(|text| text.parse().ok()).ok_or_else(|| Failure::Answer(format!("{sql} gave {texts:?}")))
    }

    async fn connect(&self) -> Result<Client, tokio_postgres::Error> {
        let (client, connection) = self.config.connect(NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    fn postmaster(&self) -> Result<i32, Failure> {
        let record = self.folder.join("cluster/postmaster.pid");
        let text = fs::read_to_string(&record).map_err(Failure::file(&record))?;
        let pid = text.lines().next().and_then(|line| line.trim().parse().ok());
        pid.ok_or_else(|| Failure::Answer(format!("{} names no process", record.display())))
    }
}

async fn open(folder: &Path) -> Result<PgBox, Failure> {
    Ok(PgBox::open(Settings::new(folder).lifetime(Lifetime::Tethered).start_limit(START)).await?)
}

/// Sends a signal. A process that has ended meanwhile needs none.
pub(crate) fn send(pid: i32, signal: Signal) -> Result<(), Failure> {
    match kill(Pid::from_raw(pid), signal) {
        Ok(()) | Err(nix::errno::Errno::ESRCH) => Ok(()),
        Err(source) => Err(Failure::Signal { pid, source }),
    }
}

fn children(parent: i32) -> Vec<i32> {
    let listed = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
    listed.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

fn in_vain(sql: &str) -> Failure {
    Failure::InVain { what: format!("the database's answer to {sql}"), waited: PATIENCE }
}
