//! Two servers on one database: what is changed on one counts on the other.

use std::time::{Duration, Instant};

use selfmx_testing::Database;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::process::{KEY, Server, database, eventually};
use crate::world::{Made, text};

/// From the answer to a change until nobody is recognised any more by what was before it.
const BOUND: Duration = Duration::from_secs(1);

/// Requests that were answered before a change is made: after so many the key is known.
const WARM: usize = 20;

/// How many connections ask at once.
const CLIENTS: usize = 2;

const LISTENERS: &str = "FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'selfmx listening'";

struct Nodes {
    database: Database,
    servers: [Server; 2],
}

/// A request with the key, as its client saw it.
struct Seen {
    began: Instant,
    ended: Instant,
    status: u16,
}

impl Nodes {
    async fn start() -> Self {
        let database = database().await;
        let unlimited = [("RATE_LIMIT_REQUESTS", "0")];
        let servers = [Server::start(&database, &unlimited).await, Server::start(&database, &unlimited).await];
        Self { database, servers }
    }

    async fn key(&self) -> Made {
        let answer = self.servers[0].ask("POST", "/v1/api-keys", Some(KEY), Some(&json!({"name": "Shop", "permissions": ["send"]}))).await;
        assert_eq!(answer.status, 201, "{}", answer.json());
        Made { id: text(&answer.json()["id"]), secret: text(&answer.json()["key"]) }
    }

    /// Changes a key on one node while it is used on the other without a pause; says how long after the change's answer that one first refused it.
    async fn refused_after(&self, (one, other): (usize, usize), change: &Change) -> Duration {
        let key = self.key().await;
        let (progress, stop) = (watch::Sender::new(0), watch::Sender::new(false));
        let mut asking = JoinSet::new();
        for _ in 0..CLIENTS {
            let (http, secret) = (self.servers[other].connect().await, key.secret.clone());
            asking.spawn(ask_on(http, secret, progress.clone(), stop.subscribe()));
        }
        let mut warm = progress.subscribe();
        timeout(10 * BOUND, warm.wait_for(|answered| *answered >= WARM)).await.unwrap().unwrap();
        let path = format!("/v1/api-keys/{}{}", key.id, change.path);
        let answer = self.servers[one].ask(change.method, &path, Some(KEY), change.body.as_ref()).await;
        let answered = Instant::now();
        assert!([200, 201].contains(&answer.status), "{}", answer.json());
        tokio::time::sleep(BOUND + BOUND / 4).await;
        stop.send_replace(true);
        let seen: Vec<Seen> = asking.join_all().await.into_iter().flatten().collect();
        assert!(seen.iter().all(|seen| [200, 401].contains(&seen.status)));
        let first = seen.iter().filter(|seen| seen.status == 401).map(|seen| seen.ended).min().expect("it is refused");
        let late = seen.iter().filter(|seen| seen.status == 200 && seen.began > first).count();
        assert_eq!(late, 0, "accepted after it was refused");
        first.saturating_duration_since(answered)
    }
}

/// A change after which a key's secret counts no more.
struct Change {
    method: &'static str,
    path: &'static str,
    body: Option<Value>,
}

fn revoke() -> Change {
    Change { method: "DELETE", path: "", body: None }
}

async fn ask_on(
    mut http: selfmx_testing::HttpClient,
    secret: String,
    progress: watch::Sender<usize>,
    stop: watch::Receiver<bool>,
) -> Vec<Seen> {
    let mut all = Vec::new();
    while !*stop.borrow() {
        let began = Instant::now();
        let status = http.send("GET", "/v1/api-keys/me", Some(&secret), None).await.unwrap().status;
        all.push(Seen { began, ended: Instant::now(), status });
        progress.send_modify(|answered| *answered += 1);
    }
    all
}

/// Revokes `rounds` keys, on either node in turn, and says how long it took until the other refused them.
async fn revoke_and_measure(rounds: usize) {
    let nodes = Nodes::start().await;
    let mut took = Vec::new();
    for round in 0..rounds {
        took.push(nodes.refused_after((round % 2, 1 - round % 2), &revoke()).await);
    }
    took.sort_unstable();
    let (median, worst) = (took[rounds / 2], took[rounds - 1]);
    println!("{rounds} times: min {:?}, median {median:?}, 99 % {:?}, max {worst:?}", took[0], took[(rounds * 99).div_ceil(100) - 1]);
    assert!(worst < BOUND, "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_revoked_on_one_node_is_refused_by_the_other_within_a_second() {
    revoke_and_measure(10).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it takes two minutes; run it by its name, with --nocapture, for the numbers"]
async fn a_key_that_is_revoked_on_one_node_is_refused_by_the_other_100_times() {
    revoke_and_measure(100).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_change_that_ends_a_secret_counts_on_the_other_node() {
    let nodes = Nodes::start().await;
    let changes = [
        Change { method: "PATCH", path: "", body: Some(json!({"enabled": false})) },
        Change { method: "POST", path: "/rotate", body: Some(json!({"grace_period_seconds": 0})) },
    ];
    for change in changes {
        let took = nodes.refused_after((0, 1), &change).await;
        assert!(took < BOUND, "{} {:?}: {took:?}", change.path, change.body);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_key_may_do_changes_on_the_other_node_too() {
    let nodes = Nodes::start().await;
    let key = nodes.key().await;
    let status = async || nodes.servers[1].ask("GET", "/v1/emails", Some(&key.secret), None).await.status;
    assert_eq!(status().await, 403);
    for (permissions, expected) in [(json!(["send", "logs:read"]), 200), (json!(["send"]), 403)] {
        let path = format!("/v1/api-keys/{}", key.id);
        let answer = nodes.servers[0].ask("PATCH", &path, Some(KEY), Some(&json!({"permissions": permissions}))).await;
        assert_eq!(answer.status, 200, "{}", answer.json());
        let seen = timeout(BOUND, async { while status().await != expected {} });
        seen.await.expect("the other node knows");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_listening_connection_a_node_asks_for_each_key() {
    let nodes = Nodes::start().await;
    let key = nodes.key().await;
    let me = async |node: usize, secret: &str| nodes.servers[node].ask("GET", "/v1/api-keys/me", Some(secret), None).await.status;
    assert_eq!((me(0, &key.secret).await, me(1, &key.secret).await), (200, 200));
    nodes.database.execute("ALTER TABLE api_keys RENAME TO away").await;
    let both = async |expected: bool| {
        let known = |status| status == 200;
        eventually("both nodes", async || known(me(0, &key.secret).await) == expected && known(me(1, &key.secret).await) == expected).await;
    };
    both(true).await;
    // Both go on without the database: for as long as they can hear of changes.
    assert_eq!(nodes.database.query_one_text(&format!("SELECT count(pg_terminate_backend(pid)) {LISTENERS}")).await, "2");
    timeout(BOUND, both(false)).await.expect("both ask again");
    nodes.database.execute("ALTER TABLE away RENAME TO api_keys").await;
    assert_eq!((me(0, &key.secret).await, me(1, &key.secret).await), (200, 200));
    for server in &nodes.servers {
        server.logged("the connection that hears of other nodes is lost").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_refused_in_time_however_often_the_listening_connections_are_cut() {
    let nodes = Nodes::start().await;
    let cutting = async {
        loop {
            nodes.database.execute(&format!("SELECT pg_terminate_backend(pid) {LISTENERS}")).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let revoking = async {
        for round in 0..4 {
            let took = nodes.refused_after((round % 2, 1 - round % 2), &revoke()).await;
            assert!(took < BOUND, "{took:?}");
        }
    };
    tokio::select! {
        () = revoking => {}
        () = cutting => {}
    }
}
