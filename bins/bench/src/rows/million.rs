//! B7: what a million queued mails and a million emails cost, against none.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::bed::{Bed, Stage};
use crate::client::Client;
use crate::failure::Failure;
use crate::fill;
use crate::load::Load;
use crate::measure::{Figures, Goal, count, percentile};
use crate::node::{KEY, Node};
use crate::relay::Relay;
use crate::rows::accept::CONNECTIONS;
use crate::rows::deliver::recorded;
use crate::rows::{Outcome, in_turn};

/// How many emails are listed where there are next to none: a page.
const PAGE: u64 = 20;
/// For all of its figures.
const GOAL: Goal = Goal::AtLeast(0.9);

/// B7.
pub(crate) async fn million(stage: &Stage) -> Result<Outcome, Failure> {
    let emails = stage.size.either(50_000, 1_000_000);
    let (full, empty) = (Bed::make(stage, "b7-full", WIDE).await?, Bed::make(stage, "b7-empty", "").await?);
    // The first servers make the tables.
    let nodes = [full.accepting().await?, empty.accepting().await?];
    fill::emails(&full.cluster, emails, stage.size.either(1_000, 20_000)).await?;
    fill::queue(&full.cluster, emails).await?;
    full.cluster.execute("VACUUM ANALYZE").await?;
    fill::emails(&empty.cluster, PAGE, PAGE).await?;
    let mut outcome = Outcome::default();
    outcome.figures.push(accepting(stage, &full, &empty, &nodes, emails).await?);
    outcome.figures.extend(listing(stage, &nodes, emails).await?);
    for node in nodes {
        node.kill().await?;
    }
    outcome.figures.push(claiming(stage, &full, &empty, emails).await?);
    outcome.notes.push(format!(
        "of the {emails} emails only those that are delivered have messages and events; filling took no part in the figures."
    ));
    Ok(outcome)
}

/// A database that is filled may fill its log further than a small one does; it is written out before anything is measured.
const WIDE: &str = "max_wal_size = '2GB'\n";

async fn accepting(stage: &Stage, full: &Bed, empty: &Bed, nodes: &[Node; 2], emails: u64) -> Result<Figures, Failure> {
    let [at_full, at_empty] = nodes;
    let what = format!("B2 with {emails} mails queued");
    let mut figures = Figures::new(what, "the same, empty", "/s", GOAL);
    let rate = async |bed: &Bed, node: &Node| {
        bed.cluster.settle().await?;
        Load::to(node.address(), CONNECTIONS).rate(stage.size.time() / 2).await
    };
    for run in 0..stage.runs {
        let (ours, reference) = in_turn(run, rate(full, at_full), rate(empty, at_empty)).await?;
        figures.push(ours, reference);
        let forget = "DELETE FROM queue WHERE email_id > '0180ffff-0000-0000-0000-000000000000'";
        full.cluster.execute(forget).await?;
        empty.cluster.execute(forget).await?;
    }
    Ok(figures)
}

async fn listing(stage: &Stage, nodes: &[Node; 2], emails: u64) -> Result<Vec<Figures>, Failure> {
    let [full, empty] = nodes;
    let deep = format!("?after={}", thousandth(full, stage.size.either(20, 1_000)).await?);
    let first = String::new();
    let kinds = [
        ("page 1 of `GET /v1/emails`", &first, &first),
        ("page 1,000, by `after`", &deep, &first),
        ("page 1, by `page`, which counts", &"?page=1".to_owned(), &"?page=1".to_owned()),
        ("page 1,000, by `page`, which counts", &"?page=1000".to_owned(), &"?page=1".to_owned()),
    ];
    let mut listed = Vec::new();
    for (what, page, same) in kinds {
        let mut figures = Figures::new(format!("{what}, {emails} emails"), "page 1, one page of emails", "/s", GOAL);
        for run in 0..stage.runs {
            let time = stage.size.time() / 10;
            let (ours, reference) = in_turn(run, pages(full, page, time), pages(empty, same, time)).await?;
            figures.push(ours, reference);
        }
        listed.push(figures);
    }
    Ok(listed)
}

/// The cursor behind which that page begins, found as any client finds it.
async fn thousandth(node: &Node, page: u64) -> Result<String, Failure> {
    let mut client = Client::connect(node.address()).await?;
    let mut cursor = String::new();
    for _ in 1..page {
        let after = if cursor.is_empty() { String::new() } else { format!("?after={cursor}") };
        let answer = client.exchange(&request(&after)).await?;
        let list: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let next = list.get("next_cursor").and_then(serde_json::Value::as_str);
        cursor = next.ok_or_else(|| Failure::Answer(format!("a page has no next: {}", String::from_utf8_lossy(&answer.body))))?.to_owned();
    }
    Ok(cursor)
}

fn request(query: &str) -> Vec<u8> {
    format!("GET /v1/emails{query} HTTP/1.1\r\nHost: bench.example\r\nAuthorization: Bearer {KEY}\r\n\r\n").into_bytes()
}

/// How often in a second a page is listed, by the median time that one takes.
async fn pages(node: &Node, query: &str, time: Duration) -> Result<f64, Failure> {
    let request = request(query);
    let mut client = Client::connect(node.address()).await?;
    let (begun, mut taken) = (Instant::now(), Vec::new());
    while begun.elapsed() < time {
        let one = Instant::now();
        let answer = client.exchange(&request).await?;
        if answer.status != 200 || answer.body.len() < 1_000 {
            return Err(Failure::Answer(format!("a page was answered {}: {}", answer.status, String::from_utf8_lossy(&answer.body))));
        }
        taken.push(one.elapsed().as_secs_f64());
    }
    percentile(&mut taken, 0.5).map(|median| 1.0 / median).ok_or_else(|| Failure::Answer("no page was listed".to_owned()))
}

async fn claiming(stage: &Stage, full: &Bed, empty: &Bed, emails: u64) -> Result<Figures, Failure> {
    let relay = Relay::start().await?;
    let mails = stage.size.either(150, 2_000);
    let what = format!("{mails} mails claimed, delivered and settled with {emails} queued");
    let mut figures = Figures::new(what, "the same, with no others queued", "/s", GOAL);
    for run in 0..stage.runs {
        let ours = async {
            full.cluster.settle().await?;
            let before = relay.taken();
            let node = full.delivering(relay.address()).await?;
            let begun = Instant::now();
            relay.has_taken(before + mails).await?;
            let taken = begun.elapsed();
            // Gracefully: what is under way is recorded, and the next run begins with the next mails.
            node.stop().await?;
            Ok(count(mails) / taken.as_secs_f64())
        };
        let reference = async {
            empty.cluster.clear().await?;
            fill::emails(&empty.cluster, mails, mails).await?;
            fill::queue(&empty.cluster, mails).await?;
            empty.cluster.execute("ANALYZE").await?;
            empty.cluster.settle().await?;
            let before = relay.taken();
            let node = empty.delivering(relay.address()).await?;
            let begun = Instant::now();
            relay.has_taken(before + mails).await?;
            let taken = begun.elapsed();
            recorded(empty).await?;
            node.stop().await?;
            Ok(count(mails) / taken.as_secs_f64())
        };
        let (ours, reference) = in_turn(run, ours, reference).await?;
        figures.push(ours, reference);
        // A stopped server's connections to the relay are gone before the next one's come.
        sleep(Duration::from_millis(100)).await;
    }
    Ok(figures)
}
