//! The client: sends mails to servers that may die meanwhile, and writes down what it was told before that counts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use selfmx_testing::{HttpClient, NoAnswer};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::failure::Failure;
use crate::ledger::{LedgerFile, Outcome, Request, Watch};
use crate::mail;
use crate::node::KEY;

/// How long one answer is waited for.
const PATIENCE: Duration = Duration::from_secs(45);
/// How long a client rests that was refused, or found nobody.
const REST: Duration = Duration::from_millis(20);
/// Where the platform's own mail is sent to.
const SEND: &str = "/v1/send";
/// How long the whole load may take.
const WHOLE: Duration = Duration::from_secs(900);

/// What is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// It ends when so many mails are accepted.
    pub(crate) accepted: usize,
    /// Over how many connections.
    pub(crate) connections: usize,
    /// The local part of the mail of this number; each is another.
    pub(crate) local: fn(usize) -> String,
}

impl Plan {
    /// So many mails to well-behaved recipients, over sixteen connections.
    pub(crate) fn of(accepted: usize) -> Self {
        Self { accepted, connections: 16, local: |number| number.to_string() }
    }

    /// The same, and every tenth has to wait for the relay's answer, so that some are on their way at any moment.
    pub(crate) fn with_slow_ones(accepted: usize) -> Self {
        let local: fn(usize) -> String = |number| if number.is_multiple_of(10) { format!("slow.{number}") } else { number.to_string() };
        Self { local, ..Self::of(accepted) }
    }
}

/// What all clients share.
pub(crate) struct Clients {
    pub(crate) plan: Plan,
    pub(crate) watch: Watch,
    pub(crate) ledger: LedgerFile,
    pub(crate) servers: watch::Receiver<Vec<SocketAddr>>,
}

/// A load under way.
pub(crate) struct Load {
    accepted: watch::Receiver<usize>,
    clients: JoinSet<Result<(), Failure>>,
}

impl Load {
    /// Begins.
    pub(crate) fn begin(clients: Clients) -> Self {
        let (progress, accepted) = watch::channel(0);
        let shared = Arc::new(Shared { clients, progress, next: AtomicUsize::new(0) });
        let mut running = JoinSet::new();
        for place in 0..shared.clients.plan.connections {
            running.spawn(Arc::clone(&shared).client(place));
        }
        let mut clients = JoinSet::new();
        clients.spawn(async move {
            while let Some(ended) = running.join_next().await {
                ended??;
            }
            Ok(())
        });
        Self { accepted, clients }
    }

    /// Waits until so many are accepted.
    pub(crate) async fn reaches(&self, accepted: usize) -> Result<(), Failure> {
        let mut so_far = self.accepted.clone();
        let waited = timeout(WHOLE, so_far.wait_for(|so_far| *so_far >= accepted)).await;
        // An error: the clients have ended, which whoever joins them hears of.
        waited.map(|_seen| ()).map_err(|_late| Failure::InVain { what: format!("{accepted} accepted mails"), waited: WHOLE })
    }

    /// Waits for the end of the plan.
    pub(crate) async fn ended(mut self) -> Result<(), Failure> {
        let joined = timeout(WHOLE, self.clients.join_next()).await;
        joined.map_err(|_late| Failure::InVain { what: "the end of the load".to_owned(), waited: WHOLE })?.unwrap_or(Ok(Ok(())))?
    }
}

struct Shared {
    clients: Clients,
    progress: watch::Sender<usize>,
    next: AtomicUsize,
}

impl Shared {
    async fn client(self: Arc<Self>, place: usize) -> Result<(), Failure> {
        let Clients { plan, watch, ledger, .. } = &self.clients;
        let mut connection = None;
        while *self.progress.borrow() < plan.accepted {
            let known = match connection.take() {
                Some(http) => Some(http),
                None => connect(&self.clients, place).await,
            };
            let Some(mut http) = known else {
                tokio::time::sleep(REST).await;
                continue;
            };
            let address = format!("{}@chaos.example", (plan.local)(self.next.fetch_add(1, Ordering::Relaxed)));
            let request = ask(&mut http, SEND, *watch, address).await;
            ledger.note(&request).await?;
            match request.outcome {
                Outcome::Accepted(_) => {
                    self.progress.send_modify(|accepted| *accepted += 1);
                    connection = Some(http);
                }
                Outcome::Refused(_) => tokio::time::sleep(REST).await,
                Outcome::Unanswered => {}
            }
        }
        Ok(())
    }
}

async fn connect(clients: &Clients, place: usize) -> Option<HttpClient> {
    let servers = clients.servers.borrow().clone();
    let server = servers.get(place.checked_rem(servers.len())?)?;
    timeout(PATIENCE, HttpClient::connect(*server)).await.ok()?.ok()
}

/// Sends one mail to `path` and waits for the whole answer.
pub(crate) async fn ask(http: &mut HttpClient, path: &str, watch: Watch, address: String) -> Request {
    let sent = watch.now();
    let body = mail::request(&address);
    let answer = timeout(PATIENCE, http.send("POST", path, Some(KEY), Some(&body))).await;
    let outcome = match answer {
        Ok(Ok(answer)) if answer.status == 202 => {
            let answer = answer.json();
            Outcome::Accepted(answer.get("id").and_then(|id| id.as_str()).unwrap_or_default().to_owned())
        }
        Ok(Ok(answer)) => Outcome::Refused(answer.status),
        Ok(Err(NoAnswer(_))) | Err(_) => Outcome::Unanswered,
    };
    Request { address, sent, ended: watch.now(), outcome }
}
