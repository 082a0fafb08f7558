//! A server that is killed again and again while mail comes in.

use std::time::Duration;

use super::{Run, Scenario};
use crate::failure::Failure;
use crate::load::Plan;
use crate::report::Report;
use crate::stage::{Build, Stage};
use crate::weakness::Weakness;
use crate::world::World;

/// `kill -9` again and again.
pub(crate) const KILLS: Scenario = Scenario {
    name: "kills",
    about: "kill -9 of the server 20 times in 10,000 sends (short: 3 in 1,000)",
    control: "leases never run out",
    run: |stage| -> Run { Box::pin(one(stage)) },
};

/// How many of what.
pub(super) struct Kills {
    pub(super) nodes: usize,
    pub(super) mails: usize,
    pub(super) kills: usize,
    /// In seconds.
    pub(super) lease: u64,
}

async fn one(stage: Stage) -> Result<Report, Failure> {
    let (mails, kills, lease) = stage.of((1000, 3, 5), (10_000, 20, 60));
    die_again_and_again(stage, Kills { nodes: 1, mails, kills, lease }).await
}

/// Kills the servers in turn, evenly over the mails but for a little chance.
pub(super) async fn die_again_and_again(stage: Stage, of: Kills) -> Result<Report, Failure> {
    let Kills { nodes, mails, kills, lease } = of;
    let build = Build { nodes, weakness: Some(Weakness::EndlessLeases), ..Build::with_lease(lease) };
    let mut world = World::build(stage, build).await?;
    let load = world.load(Plan::of(mails));
    for kill in 1..=kills {
        let spread = usize::try_from(world.chance.below(50)).unwrap_or_default();
        load.reaches(kill * mails / (kills + 1) + spread).await?;
        world.kill(kill % nodes).await?;
    }
    load.ended().await?;
    world.report(Duration::from_secs(lease + 10)).await
}
