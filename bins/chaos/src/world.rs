//! Everything that a scenario has: a database, a relay, servers, and the ledgers.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use selfmx_testing::SeededEntropy;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::failure::Failure;
use crate::inspection;
use crate::ledger::{Books, Disturbance, LedgerFile, Moment, Watch, read};
use crate::load::{Clients, Load, Plan};
use crate::node::{Node, NodeSettings};
use crate::postgres::Postgres;
use crate::relay::Relay;
use crate::weakness::Weakness;

/// How often it is looked whether something has changed of which nobody tells.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// What a scenario is run with.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    /// The program `selfmx`.
    pub(crate) program: Arc<PathBuf>,
    /// A folder of its own.
    pub(crate) folder: PathBuf,
    /// What its chance follows from.
    pub(crate) seed: u64,
    /// How much of it.
    pub(crate) size: Size,
    /// Whether the defence is there.
    pub(crate) defence: Defence,
}

/// How much of a scenario is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    /// Enough to see whether it holds, in a minute.
    Short,
    /// All of it.
    Full,
}

/// Whether the defence that a scenario tests is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defence {
    /// As the product has it.
    Up,
    /// Taken away: the run has to find something.
    Down,
}

/// What differs between the worlds of scenarios.
#[derive(Clone, Debug)]
pub(crate) struct Build {
    /// How many servers.
    pub(crate) nodes: usize,
    /// How late the relay answers `late.`.
    pub(crate) late: Duration,
    /// Variables of the servers.
    pub(crate) variables: Vec<(&'static str, String)>,
    /// Lines of PostgreSQL's configuration.
    pub(crate) postgres: &'static str,
    /// What is taken away where the defence is down.
    pub(crate) weakness: Option<Weakness>,
}

/// A running system with its ledgers.
pub(crate) struct World {
    pub(crate) stage: Stage,
    pub(crate) watch: Watch,
    pub(crate) chance: SeededEntropy,
    pub(crate) postgres: Postgres,
    pub(crate) relay: Relay,
    pub(crate) nodes: Vec<Node>,
    requests: LedgerFile,
    servers: watch::Sender<Vec<SocketAddr>>,
    disturbances: Vec<Disturbance>,
}

impl Stage {
    /// One of two values, by the size.
    pub(crate) fn of<T>(&self, short: T, full: T) -> T {
        if self.size == Size::Short { short } else { full }
    }
}

impl Build {
    /// One server whose leases last for `lease` seconds, as it is.
    pub(crate) fn with_lease(lease: u64) -> Self {
        let variables = vec![("QUEUE_LEASE", lease.to_string()), ("SMTP_TIMEOUT", "5".to_owned())];
        Self { nodes: 1, late: Duration::from_secs(8), variables, postgres: "", weakness: None }
    }
}

impl World {
    /// Starts everything.
    pub(crate) async fn build(stage: Stage, build: Build) -> Result<Self, Failure> {
        let watch = Watch::begin();
        let postgres = Postgres::start(stage.folder.join("postgres"), build.postgres).await?;
        let relay = Relay::start(build.late).await;
        let mut nodes = Vec::new();
        for number in 0..build.nodes {
            let settings = NodeSettings {
                program: &stage.program,
                log: stage.folder.join(format!("server-{number}.log")),
                database: postgres.target(),
                relay: relay.address(),
                variables: build.variables.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
            };
            nodes.push(Node::start(settings, watch).await?);
        }
        if let Some(weakness) = build.weakness.filter(|_| stage.defence == Defence::Down) {
            postgres.execute(&weakness.statements()).await?;
        }
        let requests = LedgerFile::create(stage.folder.join("requests.jsonl"))?;
        let chance = SeededEntropy::new(stage.seed);
        let world =
            Self { stage, watch, chance, postgres, relay, nodes, requests, servers: watch::Sender::default(), disturbances: vec![] };
        world.announce();
        Ok(world)
    }

    /// Begins to send.
    pub(crate) fn load(&self, plan: Plan) -> Load {
        Load::begin(Clients { plan, watch: self.watch, ledger: self.requests.clone(), servers: self.servers.subscribe() })
    }

    /// Tells the clients where servers listen.
    pub(crate) fn announce(&self) {
        self.servers.send_replace(self.nodes.iter().filter_map(Node::address).collect());
    }

    /// The server of this number.
    pub(crate) fn node(&mut self, number: usize) -> Result<&mut Node, Failure> {
        self.nodes.get_mut(number).ok_or_else(|| Failure::Answer(format!("there is no server {number}")))
    }

    /// Kills a server, and starts it again.
    pub(crate) async fn kill(&mut self, number: usize) -> Result<(), Failure> {
        let (watch, since, began) = (self.watch, self.node(number)?.since(), self.watch.now());
        self.node(number)?.kill().await?;
        let open = inspection::open(&self.postgres).await?;
        let node = self.node(number)?;
        node.database.drop_held();
        let ended = node.start_again(watch).await?;
        self.announce();
        self.disturbed(Disturbance { what: "kill -9".to_owned(), since, began, ended, open });
        Ok(())
    }

    /// Writes down what was done.
    pub(crate) fn disturbed(&mut self, disturbance: Disturbance) {
        self.disturbances.push(disturbance);
    }

    /// The same for what explains no duplicate.
    pub(crate) fn disturbed_since(&mut self, what: &str, began: Moment) {
        let ended = self.watch.now();
        self.disturbed(Disturbance { what: what.to_owned(), since: began, began, ended, open: Default::default() });
    }

    /// Waits until nothing is due or leased, or for `patience`.
    pub(crate) async fn settle(&self, patience: Duration) -> Result<(), Failure> {
        let began = Instant::now();
        while began.elapsed() < patience
            && self.postgres.count("SELECT count(*) FROM queue WHERE due_at <= now() OR lease_token IS NOT NULL").await? > 0
        {
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
        Ok(())
    }

    /// Waits until the queue is empty, or has not changed for `patience`.
    pub(crate) async fn drain(&self, patience: Duration) -> Result<(), Failure> {
        let (mut left, mut changed) = (usize::MAX, Instant::now());
        while changed.elapsed() < patience {
            let now = self.postgres.count("SELECT count(*) FROM queue").await?;
            if now == 0 {
                return Ok(());
            }
            if now < left {
                (left, changed) = (now, Instant::now());
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
        Ok(())
    }

    /// Stops all servers, and closes the books.
    pub(crate) async fn close(mut self) -> Result<Books, Failure> {
        for node in &mut self.nodes {
            node.stop().await?;
        }
        let books = Books {
            requests: read(&self.stage.folder.join("requests.jsonl"))?,
            deliveries: self.relay.deliveries(self.watch),
            disturbances: self.disturbances,
            states: inspection::states(&self.postgres).await?,
            misfits: inspection::misfits(&self.postgres).await?,
        };
        inspection::keep(&self.stage.folder, &books)?;
        Ok(books)
    }
}
