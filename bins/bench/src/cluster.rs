//! A private PostgreSQL as SelfMX runs it, in the folder where a server finds it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use selfmx_pgbox::{DATABASE, Lifetime, PgBox, Programs, ROLE, Settings};
use tokio::process::Command;
use tokio::time::timeout;
use tokio_postgres::config::Host;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

use crate::failure::Failure;
use crate::node::in_vain;

const START: Duration = Duration::from_secs(60);
/// How long a question of ours may take; filling a database is the longest.
const PATIENCE: Duration = Duration::from_secs(300);
const CLEAR: &str = "TRUNCATE emails, messages, recipients, queue, events, idempotency_keys";
/// How often it is tried to forget all mail.
const CLEARINGS: u32 = 10;

/// A PostgreSQL of one row's; it ends with us.
pub(crate) struct Cluster {
    folder: PathBuf,
    _server: PgBox,
    config: Config,
    client: Client,
}

impl Cluster {
    /// Starts one for the servers whose data folder is `data`, with these lines of configuration beside its own.
    pub(crate) async fn start(data: &Path, lines: &str) -> Result<Self, Failure> {
        let folder = data.join("postgres");
        fs::create_dir_all(&folder).map_err(Failure::file(&folder))?;
        let operator = folder.join("operator.conf");
        fs::write(&operator, lines).map_err(Failure::file(&operator))?;
        let server = PgBox::open(Settings::new(&folder).lifetime(Lifetime::Tethered).start_limit(START)).await?;
        let config: Config = server.connection_string(DATABASE).parse()?;
        let (client, connection) = config.connect(NoTls).await?;
        tokio::spawn(connection);
        Ok(Self { folder, _server: server, config, client })
    }

    /// A connection of one's own.
    pub(crate) async fn connect(&self) -> Result<Client, Failure> {
        let (client, connection) = self.config.connect(NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    /// Runs statements.
    pub(crate) async fn execute(&self, sql: &str) -> Result<(), Failure> {
        timeout(PATIENCE, self.client.batch_execute(sql)).await.map_err(|_late| in_vain(sql, PATIENCE))?.map_err(Failure::from)
    }

    /// The rows that a question gives, as texts.
    pub(crate) async fn rows(&self, sql: &str) -> Result<Vec<Vec<String>>, Failure> {
        let messages = timeout(PATIENCE, self.client.simple_query(sql)).await.map_err(|_late| in_vain(sql, PATIENCE))??;
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some((0..row.len()).map(|column| row.get(column).unwrap_or_default().to_owned()).collect()),
            _ => None,
        });
        Ok(rows.collect())
    }

    /// A number that a question gives.
    pub(crate) async fn number(&self, sql: &str) -> Result<f64, Failure> {
        let rows = self.rows(sql).await?;
        let number = rows.first().and_then(|row| row.first()).and_then(|text| text.parse().ok());
        number.ok_or_else(|| Failure::Answer(format!("{sql} gave {rows:?}")))
    }

    /// Forgets all mail, and writes everything out: whoever comes next owes nothing to whoever was before.
    ///
    /// A server that looks at its queue meanwhile may hold what this waits for, and wait for what this holds: PostgreSQL ends one of the two then.
    pub(crate) async fn clear(&self) -> Result<(), Failure> {
        for _ in 1..CLEARINGS {
            let failure = match self.execute(CLEAR).await {
                Ok(()) => return self.settle().await,
                Err(failure) => failure,
            };
            if !failure.is_deadlock() {
                return Err(failure);
            }
        }
        self.execute(CLEAR).await?;
        self.settle().await
    }

    /// Writes everything out.
    pub(crate) async fn settle(&self) -> Result<(), Failure> {
        self.execute("CHECKPOINT").await
    }

    /// One of PostgreSQL's programs, told where this server is.
    pub(crate) fn program(&self, programs: &Programs, name: &'static str) -> Result<Command, Failure> {
        let path = programs.program(name);
        if !path.is_file() {
            return Err(Failure::Missing { program: name, package: "postgresql-contrib" });
        }
        let mut command = Command::new(path);
        let socket = self.config.get_hosts().iter().find_map(|host| match host {
            Host::Unix(path) => Some(path.clone()),
            Host::Tcp(_) => None,
        });
        command.env("PGHOST", socket.unwrap_or_default()).env("PGUSER", ROLE).env("PGDATABASE", DATABASE);
        command.env("PGPORT", self.config.get_ports().first().copied().unwrap_or(5432).to_string());
        command.kill_on_drop(true);
        Ok(command)
    }

    /// A file on the same disk.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The process that is the parent of all its processes.
    pub(crate) fn postmaster(&self) -> Result<i32, Failure> {
        let record = self.folder.join("cluster/postmaster.pid");
        let text = fs::read_to_string(&record).map_err(Failure::file(&record))?;
        let pid = text.lines().next().and_then(|line| line.trim().parse().ok());
        pid.ok_or_else(|| Failure::Answer(format!("{} names no process", record.display())))
    }
}
