//! Two servers on one database, and a server that is asked to stop with its hands full.

use std::time::Duration;

use super::kills::{Kills, die_again_and_again};
use super::{Run, Scenario};
use crate::failure::Failure;
use crate::load::Plan;
use crate::report::Report;
use crate::stage::{Build, Defence, Stage};
use crate::world::World;

/// Two servers, killed in turn.
pub(crate) const TWO: Scenario = Scenario {
    name: "two-nodes",
    about: "two servers on one database, killed in turn 10 times in 4,000 sends (short: 2 in 600)",
    control: "leases never run out",
    run: |stage| -> Run { Box::pin(two(stage)) },
};

/// SIGTERM with 200 mails on their way.
pub(crate) const DRAINED: Scenario = Scenario {
    name: "drained",
    about: "SIGTERM with 200 mails at the relay that have no answer yet and 60 in the queue: exit 0 within 30 s, and none twice",
    control: "SIGKILL instead, and the accountant is not told",
    run: |stage| -> Run { Box::pin(drained(stage)) },
};

const LEASE: u64 = 5;
const PATIENCE: Duration = Duration::from_secs(40);
const ON_THEIR_WAY: usize = 200;
const BEHIND_THEM: usize = 60;

async fn two(stage: Stage) -> Result<Report, Failure> {
    let (mails, kills) = stage.of((600, 2), (4000, 10));
    die_again_and_again(stage, Kills { nodes: 2, mails, kills, lease: LEASE }).await
}

async fn drained(stage: Stage) -> Result<Report, Failure> {
    let mut build = Build::with_lease(LEASE);
    build.variables.extend([("SMTP_POOL_SIZE", ON_THEIR_WAY.to_string()), ("SMTP_TIMEOUT", "60".to_owned())]);
    let mut world = World::build(stage, build).await?;
    let load = world.load(Plan { accepted: ON_THEIR_WAY + BEHIND_THEM, connections: 8, local: |number| format!("gate.{number}") });
    load.ended().await?;
    world.relay.gate.reached(ON_THEIR_WAY, PATIENCE).await?;
    let (began, gate) = (world.watch.now(), world.relay.gate.clone());
    if world.stage.defence == Defence::Up {
        // The answers come while it drains.
        let opening = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            gate.open();
        });
        world.node(0)?.stop().await?;
        opening.await?;
    } else {
        world.node(0)?.kill().await?;
        gate.open();
    }
    world.start_again(0).await?;
    world.disturbed_since("SIGTERM", began);
    Ok(world.report(PATIENCE).await?.expecting_delivery())
}
