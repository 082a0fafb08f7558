//! The client: so many mails, or for so long, or so many a second, over kept connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::client::Client;
use crate::failure::Failure;
use crate::letter::Letters;
use crate::measure::count;

/// What is not counted, since caches and connections are cold.
const WARM_UP: Duration = Duration::from_millis(300);
/// How long one load may take beyond its time, and one of a number of mails in all.
const PATIENCE: Duration = Duration::from_secs(60);

/// Mails over so many connections to these servers, which take turns.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) servers: Vec<SocketAddr>,
    pub(crate) connections: usize,
}

/// What all connections of a load share.
struct Shared {
    letters: Letters,
    next: AtomicU64,
}

impl Load {
    /// So many connections to one server.
    pub(crate) fn to(server: SocketAddr, connections: usize) -> Self {
        Self { servers: vec![server], connections }
    }

    /// Mails accepted in a second, for a while: each connection sends its next when the last is answered.
    pub(crate) async fn rate(&self, time: Duration) -> Result<f64, Failure> {
        let from = Instant::now() + WARM_UP;
        let until = from + time;
        let counted = self.all(time, move |mut client: Client, shared: Arc<Shared>| async move {
            let mut counted = 0;
            while Instant::now() < until {
                send(&mut client, &shared).await?;
                counted += u64::from((from..until).contains(&Instant::now()));
            }
            Ok(counted)
        });
        Ok(count(counted.await?.into_iter().sum()) / time.as_secs_f64())
    }

    /// Has so many mails accepted, as fast as may be.
    pub(crate) async fn mails(&self, mails: u64) -> Result<(), Failure> {
        let sent = self.all(Duration::ZERO, move |mut client: Client, shared: Arc<Shared>| async move {
            while shared.next.load(Ordering::Relaxed) < mails {
                let number = shared.next.fetch_add(1, Ordering::Relaxed);
                if number < mails {
                    accepted(&mut client, &shared.letters.request(number)).await?;
                }
            }
            Ok(())
        });
        sent.await.map(drop)
    }

    /// How long each mail took, in milliseconds, where so many come a second whether or not the last ones were answered: from when it was to be sent.
    pub(crate) async fn latencies(&self, rate: f64, time: Duration) -> Result<Vec<f64>, Failure> {
        let (due, mails) = mpsc::unbounded_channel();
        let mails = Arc::new(Mutex::new(mails));
        let beating = std::thread::spawn(move || beat(&due, rate, WARM_UP + time));
        let from = Instant::now() + WARM_UP;
        let taken = self.all(time, move |mut client: Client, shared: Arc<Shared>| {
            let mails = Arc::clone(&mails);
            async move {
                let mut taken = Vec::new();
                loop {
                    let Some(due) = mails.lock().await.recv().await else { return Ok(taken) };
                    send(&mut client, &shared).await?;
                    if due >= from {
                        taken.push(due.elapsed().as_secs_f64() * 1_000.0);
                    }
                }
            }
        });
        let taken = taken.await?;
        drop(beating.join());
        Ok(taken.concat())
    }

    /// Runs one task for each connection, all connected before the first begins.
    async fn all<T, F, A>(&self, time: Duration, act: A) -> Result<Vec<T>, Failure>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Failure>> + Send + 'static,
        A: Fn(Client, Arc<Shared>) -> F,
    {
        let shared = Arc::new(Shared { letters: Letters::new(), next: AtomicU64::new(0) });
        let mut tasks = JoinSet::new();
        for server in self.servers.iter().cycle().take(self.connections) {
            tasks.spawn(act(Client::connect(*server).await?, Arc::clone(&shared)));
        }
        let joined = async {
            let mut results = Vec::new();
            while let Some(result) = tasks.join_next().await {
                results.push(result??);
            }
            Ok(results)
        };
        let limit = time + PATIENCE;
        timeout(limit, joined).await.map_err(|_late| Failure::InVain { what: "the end of a load".to_owned(), waited: limit })?
    }
}

async fn send(client: &mut Client, shared: &Shared) -> Result<(), Failure> {
    let number = shared.next.fetch_add(1, Ordering::Relaxed);
    accepted(client, &shared.letters.request(number)).await
}

/// Sends a mail and reads that it was accepted.
pub(crate) async fn accepted(client: &mut Client, request: &[u8]) -> Result<(), Failure> {
    let answer = client.exchange(request).await?;
    if answer.status == 202 {
        return Ok(());
    }
    Err(Failure::Answer(format!("a mail was answered {}: {}", answer.status, String::from_utf8_lossy(&answer.body))))
}

/// Tells when each mail is due, from a thread of its own, whose sleep is finer than the runtime's.
fn beat(due: &mpsc::UnboundedSender<Instant>, rate: f64, time: Duration) {
    let begun = Instant::now();
    for number in 0.. {
        let at = begun + Duration::from_secs_f64(count(number) / rate);
        if at > begun + time {
            return;
        }
        std::thread::sleep(at.saturating_duration_since(Instant::now()));
        if due.send(at).is_err() {
            return;
        }
    }
}
