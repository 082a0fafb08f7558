//! Everything that a scenario has: a database, a relay, servers, and the ledgers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use selfmx_testing::{HttpClient, NoAnswer, SeededEntropy};
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::failure::Failure;
use crate::inspection;
use crate::ledger::{Books, Delivery, Disturbance, LedgerFile, Moment, Watch, read};
use crate::load::{self, Clients, Load, Plan};
use crate::node::{KEY, Node, NodeSettings};
use crate::postgres::Postgres;
use crate::relay::Relay;
use crate::report::Report;
use crate::stage::{Build, Defence, Stage};

/// How often it is looked whether something has changed of which nobody tells.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// How long the database needs for what it was asked last.
pub(crate) const FINISHED: Duration = Duration::from_millis(300);
/// How long octets that have left one process may take to be read by another.
pub(crate) const ON_THE_WAY: Duration = Duration::from_millis(1000);

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
    /// The tokens of leases that each server has left behind when it died.
    dead: BTreeMap<usize, BTreeSet<String>>,
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
        let world = Self {
            stage,
            watch,
            chance,
            postgres,
            relay,
            nodes,
            requests,
            servers: watch::Sender::default(),
            disturbances: vec![],
            dead: BTreeMap::new(),
        };
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

    /// Starts a server again that was killed or has ended, tells the clients where it listens, and gives when it was told to.
    pub(crate) async fn start_again(&mut self, number: usize) -> Result<Moment, Failure> {
        let watch = self.watch;
        let told = self.node(number)?.start_again(watch).await?;
        self.announce();
        Ok(told)
    }

    /// Kills a server, and starts it again.
    pub(crate) async fn kill(&mut self, number: usize) -> Result<(), Failure> {
        let (since, began) = (self.node(number)?.since(), self.watch.now());
        self.node(number)?.kill().await?;
        let mut open = inspection::open_by_token(&self.postgres).await?;
        // What was in the hands of one that died before is not in the hands of this one.
        let dead = self.dead.entry(number).or_default();
        let known = dead.clone();
        dead.extend(open.keys().cloned());
        open.retain(|token, _| !known.contains(token));
        self.node(number)?.database.drop_held();
        let ended = self.start_again(number).await?;
        let open = open.into_values().collect();
        self.disturbed(Disturbance { what: "kill -9".to_owned(), since, began, ended, arrived: ended.and(ON_THE_WAY), open });
        Ok(())
    }

    /// Writes down what was done.
    pub(crate) fn disturbed(&mut self, disturbance: Disturbance) {
        self.disturbances.push(disturbance);
    }

    /// The same for what explains no duplicate.
    pub(crate) fn disturbed_since(&mut self, what: &str, began: Moment) {
        let ended = self.watch.now();
        self.disturbed(Disturbance { what: what.to_owned(), since: began, began, ended, arrived: ended, open: Default::default() });
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

    /// Asks the first server with the operator's key; an answer that is not 2xx is a failure.
    pub(crate) async fn ask(&mut self, method: &str, path: &str, body: &Value) -> Result<Value, Failure> {
        let answer = self.connect().await?.send(method, path, Some(KEY), Some(body)).await;
        let answer = answer.map_err(|NoAnswer(why)| Failure::Answer(format!("{method} {path}: {why}")))?;
        if (200..300).contains(&answer.status) {
            return Ok(answer.json());
        }
        Err(Failure::Answer(format!("{method} {path}: {} {}", answer.status, answer.json())))
    }

    /// Sends one mail to `path` of the first server, and writes down what came of it.
    pub(crate) async fn send(&mut self, path: &str, address: String) -> Result<(), Failure> {
        let mut http = self.connect().await?;
        let request = load::ask(&mut http, path, self.watch, address).await;
        self.requests.note(&request).await
    }

    async fn connect(&mut self) -> Result<HttpClient, Failure> {
        let address = self.node(0)?.address().ok_or_else(|| Failure::Answer("the server does not run".to_owned()))?;
        HttpClient::connect(address).await.map_err(|NoAnswer(why)| Failure::Answer(why))
    }

    /// Waits until the queue is empty, or has not changed for `patience`, and accounts for everything.
    pub(crate) async fn report(self, patience: Duration) -> Result<Report, Failure> {
        self.drain(patience).await?;
        Ok(Report::of(&self.close().await?))
    }

    /// Stops all servers, and closes the books.
    pub(crate) async fn close(self) -> Result<Books, Failure> {
        self.close_with(Vec::new()).await
    }

    /// The same, with what other relays have taken.
    pub(crate) async fn close_with(mut self, elsewhere: Vec<Delivery>) -> Result<Books, Failure> {
        for node in &mut self.nodes {
            node.stop().await?;
        }
        let books = Books {
            requests: read(&self.stage.folder.join("requests.jsonl"))?,
            deliveries: [self.relay.deliveries(self.watch), elsewhere].concat(),
            disturbances: self.disturbances,
            states: inspection::states(&self.postgres).await?,
            misfits: inspection::misfits(&self.postgres).await?,
        };
        inspection::keep(&self.stage.folder, &books)?;
        Ok(books)
    }
}
