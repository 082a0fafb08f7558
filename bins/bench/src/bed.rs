//! What a row is measured on: a PostgreSQL, servers, and a relay that never says a word.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;

use selfmx_pgbox::Programs;
use selfmx_testing::make_passable;

use crate::arguments::Size;
use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::node::Node;

/// What all rows have in common.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    /// The program `selfmx`.
    pub(crate) program: PathBuf,
    /// PostgreSQL's.
    pub(crate) programs: Programs,
    /// Where everything is kept meanwhile.
    pub(crate) folder: PathBuf,
    pub(crate) size: Size,
    pub(crate) runs: usize,
}

/// A PostgreSQL and the folder of those who use it.
pub(crate) struct Bed {
    data: PathBuf,
    program: PathBuf,
    pub(crate) cluster: Cluster,
    /// Takes connections and says nothing: a server that sends there is busy with a few mails for ever, and accepts the others.
    silent: TcpListener,
}

impl Bed {
    /// Makes one, with these lines of PostgreSQL's configuration beside the usual.
    pub(crate) async fn make(stage: &Stage, name: &str, lines: &str) -> Result<Self, Failure> {
        let data = stage.folder.join(name);
        make_passable(&data).map_err(Failure::file(&data))?;
        let cluster = Cluster::start(&data, lines).await?;
        Ok(Self { data, program: stage.program.clone(), cluster, silent: TcpListener::bind("127.0.0.1:0")? })
    }

    /// A server that accepts, and delivers next to nothing.
    pub(crate) async fn accepting(&self) -> Result<Node, Failure> {
        self.accepting_with(Vec::new()).await
    }

    /// The same, with more variables.
    pub(crate) async fn accepting_with(&self, more: Vec<(&str, String)>) -> Result<Node, Failure> {
        let silent = self.silent.local_addr()?;
        let few = [("SMTP_POOL_SIZE", "1"), ("QUEUE_WORKERS", "1"), ("SMTP_TIMEOUT", "3600")];
        let few = few.map(|(name, value)| (name, value.to_owned())).to_vec();
        Node::start(&self.program, &self.data, &[to_relay(silent), few, more].concat()).await
    }

    /// A server that delivers to a relay, over the ten connections that are usual.
    pub(crate) async fn delivering(&self, relay: SocketAddr) -> Result<Node, Failure> {
        self.delivering_with(relay, Vec::new()).await
    }

    /// The same, with more variables.
    pub(crate) async fn delivering_with(&self, relay: SocketAddr, more: Vec<(&str, String)>) -> Result<Node, Failure> {
        Node::start(&self.program, &self.data, &[to_relay(relay), more].concat()).await
    }
}

fn to_relay(relay: SocketAddr) -> Vec<(&'static str, String)> {
    vec![("SMTP_HOST", relay.ip().to_string()), ("SMTP_PORT", relay.port().to_string()), ("SMTP_TLS", "false".to_owned())]
}
