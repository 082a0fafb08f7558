//! B4, B5 and B11: how fast mails reach the relay, against Postfix, against `smtp-source`, and with a second node.

use std::net::SocketAddr;
use std::time::Duration;

use selfmx_testing::Postfix;
use tokio::time::Instant;

use crate::bed::{Bed, Stage};
use crate::failure::Failure;
use crate::fill;
use crate::load::Load;
use crate::measure::{Figures, Goal, count};
use crate::node::{Node, until};
use crate::relay::{Relay, postfix_is_there, smtp_source};
use crate::rows::accept::CONNECTIONS;
use crate::rows::{Outcome, in_turn};

/// Over how many connections `smtp-source` sends straight to the relay, as many as the server uses.
const STRAIGHT: usize = 10;
/// How long the last results may take to be recorded after the relay has taken the last mail.
const RECORDED: Duration = Duration::from_secs(20);

/// B4.
pub(crate) async fn through(stage: &Stage) -> Result<Outcome, Failure> {
    postfix_is_there()?;
    let relay = Relay::start().await?;
    let bed = Bed::make(stage, "b4", "").await?;
    let node = bed.delivering(relay.address()).await?;
    let postfix = Postfix::forwarding(relay.address());
    let mails = stage.size.either(300, 3_500);
    // Its processes are started by the first mails.
    through_postfix(&relay, postfix.address(), 200).await?;
    let mut figures = Figures::new(
        "accepted over HTTP and taken by the relay, sustained, 64 connections in, 10 out",
        "Postfix: `smtp-source -s 64 -d`, Postfix, `smtp-sink`",
        "/s",
        Goal::AtLeast(8.0),
    );
    for run in 0..stage.runs {
        let ours = accepted_and_taken(&bed, &relay, vec![node.address()], mails);
        let (ours, reference) = in_turn(run, ours, through_postfix(&relay, postfix.address(), mails)).await?;
        figures.push(ours, reference);
    }
    node.kill().await?;
    Ok(Outcome { figures: vec![figures], ..Outcome::default() })
}

/// B5.
pub(crate) async fn straight(stage: &Stage) -> Result<Outcome, Failure> {
    let relay = Relay::start().await?;
    let bed = Bed::make(stage, "b5", "").await?;
    let node = bed.delivering(relay.address()).await?;
    let mails = stage.size.either(500, 10_000);
    let what = format!("delivery alone: {mails} queued mails taken by the relay, 10 connections");
    let mut figures = Figures::new(what, "`smtp-source -s 10 -d` into the same `smtp-sink`", "/s", Goal::AtLeast(0.5));
    for run in 0..stage.runs {
        let ours = queued_and_taken(&bed, &relay, mails);
        let reference = async { Ok(count(mails) / smtp_source(relay.address(), STRAIGHT, mails).await?.as_secs_f64()) };
        let (ours, reference) = in_turn(run, ours, reference).await?;
        figures.push(ours, reference);
    }
    node.kill().await?;
    Ok(Outcome { figures: vec![figures], ..Outcome::default() })
}

/// B11.
pub(crate) async fn two_nodes(stage: &Stage) -> Result<Outcome, Failure> {
    let relay = Relay::start().await?;
    let (one, two) = (Bed::make(stage, "b11-one", "").await?, Bed::make(stage, "b11-two", "").await?);
    let alone = one.delivering(relay.address()).await?;
    let pair = [two.delivering(relay.address()).await?, two.delivering(relay.address()).await?];
    let mails = stage.size.either(300, 5_000);
    let (before, mut expected) = (relay.taken(), 0);
    let mut figures = Figures::new(
        "two nodes on one PostgreSQL: accepted over HTTP and taken by the relay",
        "one node, as many connections in",
        "/s",
        Goal::AtLeast(1.0),
    );
    for run in 0..stage.runs {
        let ours = accepted_and_taken(&two, &relay, pair.iter().map(Node::address).collect(), mails);
        let reference = accepted_and_taken(&one, &relay, vec![alone.address()], mails);
        let (ours, reference) = in_turn(run, ours, reference).await?;
        figures.push(ours, reference);
        expected += 2 * mails;
    }
    let duplicates = relay.taken() - before - expected;
    let [first, second] = pair;
    first.kill().await?;
    second.kill().await?;
    alone.kill().await?;
    let notes = vec![format!("of {expected} accepted mails the relay took {} in all: {duplicates} twice.", expected + duplicates)];
    Ok(Outcome { figures: vec![figures], notes, account: None })
}

/// Mails in a second, from the first request to the relay's last reply.
async fn accepted_and_taken(bed: &Bed, relay: &Relay, servers: Vec<SocketAddr>, mails: u64) -> Result<f64, Failure> {
    bed.cluster.clear().await?;
    let (before, begun) = (relay.taken(), Instant::now());
    Load { servers, connections: CONNECTIONS }.mails(mails).await?;
    relay.has_taken(before + mails).await?;
    let taken = begun.elapsed();
    recorded(bed).await?;
    Ok(count(mails) / taken.as_secs_f64())
}

/// Mails in a second, from when they are queued to the relay's last reply.
pub(crate) async fn queued_and_taken(bed: &Bed, relay: &Relay, mails: u64) -> Result<f64, Failure> {
    bed.cluster.clear().await?;
    fill::emails(&bed.cluster, mails, mails).await?;
    bed.cluster.execute("ANALYZE").await?;
    bed.cluster.settle().await?;
    let before = relay.taken();
    fill::queue(&bed.cluster, mails).await?;
    let begun = Instant::now();
    relay.has_taken(before + mails).await?;
    let taken = begun.elapsed();
    recorded(bed).await?;
    Ok(count(mails) / taken.as_secs_f64())
}

/// Waits until every result is in the database.
pub(crate) async fn recorded(bed: &Bed) -> Result<(), Failure> {
    let empty = async || Ok(bed.cluster.number("SELECT count(*) FROM queue").await? == 0.0);
    until("the last result", Instant::now(), RECORDED, empty).await.map(drop)
}

/// Mails in a second, from the first connection to the relay's last reply.
async fn through_postfix(relay: &Relay, postfix: SocketAddr, mails: u64) -> Result<f64, Failure> {
    let (before, begun) = (relay.taken(), Instant::now());
    smtp_source(postfix, CONNECTIONS, mails).await?;
    relay.has_taken(before + mails).await?;
    Ok(count(mails) / begun.elapsed().as_secs_f64())
}
