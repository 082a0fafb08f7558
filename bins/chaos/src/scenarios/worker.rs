//! A server that loses its leases while it works, and one whose relay is slower than its leases last.

use std::time::Duration;

use super::{Run, Scenario};
use crate::failure::Failure;
use crate::inspection;
use crate::ledger::Disturbance;
use crate::load::Plan;
use crate::report::Report;
use crate::stage::{Build, Stage};
use crate::weakness::Weakness;
use crate::world::{ON_THE_WAY, World};

/// A worker that wakes up too late.
pub(crate) const FROZEN: Scenario = Scenario {
    name: "worker-frozen",
    about: "one of two servers frozen (SIGSTOP) in the middle of a mail, which wakes after its lease while the other sends that mail",
    control: "all leases have the same token: what a stale worker has to say counts",
    run: |stage| -> Run { Box::pin(frozen(stage)) },
};

/// A relay that is slower than leases last.
pub(crate) const LATE: Scenario = Scenario {
    name: "late-replies",
    about: "the relay's reply after the dot comes later than a lease lasts",
    control: "leases are not renewed",
    run: |stage| -> Run { Box::pin(late(stage)) },
};

const LEASE: u64 = 3;
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a stale worker has to do its damage.
const DAMAGE: Duration = Duration::from_secs(3);

/// The first server hangs at RCPT and is frozen there; its lease runs out, the second has the mail and waits for the reply to its dot. The first
/// wakes, finds its connection closed and wants to record that the mail is to be sent again, at once. It must not: the mail would be sent twice.
async fn frozen(stage: Stage) -> Result<Report, Failure> {
    let mails = stage.of(2, 8);
    let build = Build { nodes: 2, weakness: Some(Weakness::NoFence), ..Build::with_lease(LEASE) };
    let mut world = World::build(stage, build).await?;
    // Until it is frozen the first server is alone.
    world.node(1)?.kill().await?;
    world.announce();
    let (watch, since) = (world.watch, world.node(0)?.since());
    let local: fn(usize) -> String = |number| format!("bothgates.{number}");
    world.load(Plan { accepted: mails, connections: mails, local }).ended().await?;
    world.relay.rcpt_gate.reached(mails, PATIENCE).await?;
    let began = watch.now();
    let first = world.node(0)?;
    first.freeze().await?;
    first.relay.cut();
    let (open, ended) = (inspection::open(&world.postgres).await?, watch.now());
    world.disturbed(Disturbance { what: "a server frozen".to_owned(), since, began, ended, arrived: ended.and(ON_THE_WAY), open });
    world.relay.rcpt_gate.open();
    world.start_again(1).await?;
    world.relay.gate.reached(mails, PATIENCE).await?;
    world.node(0)?.thaw()?;
    // Nobody tells that a stale worker has changed nothing.
    tokio::time::sleep(DAMAGE).await;
    world.relay.gate.open();
    Ok(world.report(PATIENCE).await?.expecting_delivery())
}

async fn late(stage: Stage) -> Result<Report, Failure> {
    let mails = stage.of(4, 40);
    let build = Build { late: Duration::from_secs(2 * LEASE + 1), weakness: Some(Weakness::NoHeartBeat), ..Build::with_lease(LEASE) };
    let world = World::build(stage, build).await?;
    world.load(Plan { accepted: mails, connections: 4, local: |number| format!("late.{number}") }).ended().await?;
    Ok(world.report(Duration::from_secs(2 * LEASE + 6)).await?.expecting_delivery())
}
