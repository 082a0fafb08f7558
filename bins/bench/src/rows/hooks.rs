//! B13: how many events a webhook is told of in a second; and how long an event takes to its endpoint where others are dead, against where none is.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use selfmx_testing::Receiver;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::bed::{Bed, Stage};
use crate::client::Client;
use crate::failure::Failure;
use crate::load::Load;
use crate::measure::{Figures, Goal, count, percentile};
use crate::node::{KEY, Node, in_vain};
use crate::references::commit;
use crate::rows::Outcome;

/// Longer than anything takes here.
const PATIENCE: Duration = Duration::from_secs(120);

/// How many mails come in a second while it is measured how long events take.
const RATE: f64 = 50.0;

/// How many dead endpoints there are, and for how many events each has to be told of.
const DEAD: [(u64, u64); 2] = [(1, 10_000), (200, 50)];

/// Everything that has happened once more, to a webhook.
const AGAIN: &str = "INSERT INTO webhook_deliveries (webhook_id, id, tenant_id, event_id, email_id) \
SELECT w.id, gen_random_uuid(), w.tenant_id, e.id, e.email_id FROM webhooks w, events e WHERE w.active";

/// An endpoint that answers at once, and tells what it was told.
struct Endpoint {
    url: String,
    told: watch::Receiver<u64>,
    /// How long each event took since it happened, in milliseconds.
    taken: Arc<Mutex<Vec<f64>>>,
}

impl Endpoint {
    async fn start() -> Self {
        let (count, told) = watch::channel(0);
        let taken = Arc::<Mutex<Vec<f64>>>::default();
        let times = Arc::clone(&taken);
        let receiver = Receiver::start(move |post| {
            times.lock().unwrap_or_else(PoisonError::into_inner).extend(age(post));
            count.send_modify(|count| *count += 1);
            Some(200)
        });
        Self { url: receiver.await.url(), told, taken }
    }

    /// Waits until it was told of so many in all.
    async fn has(&self, wanted: u64) -> Result<(), Failure> {
        let mut told = self.told.clone();
        let enough = async { told.wait_for(|told| *told >= wanted).await.map(drop) };
        timeout(PATIENCE, enough).await.map_err(|_late| in_vain("posts", PATIENCE))?.map_err(|_gone| in_vain("posts", PATIENCE))
    }

    /// How long events took since this was asked last.
    fn taken(&self) -> Vec<f64> {
        std::mem::take(&mut *self.taken.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// How long ago an event happened, by its own time; this machine's clock is the database's.
fn age(post: &Value) -> Option<f64> {
    let at = post.get("created_at")?.as_str()?;
    let (hours, rest) = at.get(11..)?.strip_suffix('Z')?.split_once(':')?;
    let (minutes, seconds) = rest.split_once(':')?;
    let at = hours.parse::<f64>().ok()? * 3_600.0 + minutes.parse::<f64>().ok()? * 60.0 + seconds.parse::<f64>().ok()?;
    // Over midnight it is of the day before.
    Some((time_of_day() - at).rem_euclid(86_400.0) * 1_000.0)
}

/// In seconds.
#[expect(clippy::disallowed_methods, reason = "what an event's own time is compared with")]
fn time_of_day() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64() % 86_400.0
}

/// B13.
pub(crate) async fn webhooks(stage: &Stage) -> Result<Outcome, Failure> {
    let bed = Bed::make(stage, "b13", "").await?;
    let node = bed.accepting_with(vec![("WEBHOOK_ALLOW_PRIVATE", "true".to_owned())]).await?;
    let mut posted = Figures::new(
        "events posted to one endpoint that answers at once",
        "commits of one row, one connection, one after the other",
        "/s",
        Goal::AtLeast(0.5),
    );
    let mut delayed = DEAD.map(|(dead, events)| {
        let what =
            format!("p99 from an event's commit to its post, {dead} endpoints that never answer with {events} events each beside it");
        Figures::new(what, "the same, without them", "ms", Goal::AtMost(2.0))
    });
    for _ in 0..stage.runs {
        bed.cluster.clear().await?;
        let rate = throughput(stage, &bed, &node).await?;
        posted.push(rate, 1_000.0 / commit(&bed.cluster, stage.size.time() / 3).await?);
        for ((dead, events), figures) in DEAD.into_iter().zip(&mut delayed) {
            let (with, without) = delays(stage, &bed, &node, dead, events).await?;
            figures.push(with, without);
        }
    }
    node.kill().await?;
    let figures = std::iter::once(posted).chain(delayed).collect();
    Ok(Outcome { figures, ..Outcome::default() })
}

/// Events in a second, of many that wait already.
async fn throughput(stage: &Stage, bed: &Bed, node: &Node) -> Result<f64, Failure> {
    let (endpoint, events) = (Endpoint::start().await, stage.size.either(2_000, 20_000));
    forget(bed).await?;
    Load::to(node.address(), 16).mails(events).await?;
    make(node, &endpoint.url).await?;
    let begun = Instant::now();
    bed.cluster.execute(AGAIN).await?;
    endpoint.has(events).await?;
    Ok(count(events) / begun.elapsed().as_secs_f64())
}

/// The slowest hundredth of events with the dead ones there, and before.
async fn delays(stage: &Stage, bed: &Bed, node: &Node, dead: u64, events: u64) -> Result<(f64, f64), Failure> {
    forget(bed).await?;
    let endpoint = Endpoint::start().await;
    make(node, &endpoint.url).await?;
    let load = Load::to(node.address(), 4);
    let slowest = async || {
        let before = *endpoint.told.borrow();
        let mails = load.latencies(RATE, stage.size.time() * 3).await?.len();
        endpoint.has(before + u64::try_from(mails).unwrap_or_default()).await?;
        percentile(&mut endpoint.taken(), 0.99).ok_or_else(|| in_vain("a post", PATIENCE))
    };
    // Caches and connections are cold.
    slowest().await?;
    let without = slowest().await?;
    let silent = Receiver::start(|_| None).await;
    let many = format!(
        "INSERT INTO webhook_deliveries (webhook_id, id, tenant_id, event_id) SELECT w.id, gen_random_uuid(), w.tenant_id, gen_random_uuid() \
         FROM webhooks w, generate_series(1, {events}) WHERE w.url = '{}'",
        silent.url()
    );
    for _ in 0..dead {
        make_for(node, &silent.url(), "canceled").await?;
    }
    bed.cluster.execute(&many).await?;
    let with = slowest().await?;
    Ok((with, without))
}

/// Nobody is told of anything any more.
async fn forget(bed: &Bed) -> Result<(), Failure> {
    bed.cluster.execute("DELETE FROM webhooks; DELETE FROM webhook_deliveries; DELETE FROM webhook_attempts").await
}

async fn make(node: &Node, url: &str) -> Result<(), Failure> {
    make_for(node, url, "queued").await
}

async fn make_for(node: &Node, url: &str, event: &str) -> Result<(), Failure> {
    let body = json!({"url": url, "events": [event]}).to_string();
    let head = format!("POST /v1/webhooks HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {KEY}\r\nContent-Type: application/json\r\n");
    let request = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
    let answer = Client::connect(node.address()).await?.exchange(request.as_bytes()).await?;
    if answer.status == 201 {
        return Ok(());
    }
    Err(Failure::Answer(format!("a webhook was answered {}: {}", answer.status, String::from_utf8_lossy(&answer.body))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_s_age_is_told_by_its_time_of_day() {
        let at = (time_of_day() - 2.0).rem_euclid(86_400.0);
        let text = format!("2026-11-23T{:02}:{:02}:{:06.3}Z", (at / 3_600.0).floor(), (at % 3_600.0 / 60.0).floor(), at % 60.0);
        let age = age(&json!({ "created_at": text })).unwrap();
        assert!((1_990.0..2_500.0).contains(&age), "{age}");
        assert_eq!(super::age(&json!({})), None);
    }
}
