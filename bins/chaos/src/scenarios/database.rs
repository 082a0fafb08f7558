//! A database that dies, stands still or cannot be reached while mail comes in.

use std::time::Duration;

use nix::sys::signal::Signal;

use super::{Run, Scenario};
use crate::failure::Failure;
use crate::inspection;
use crate::ledger::Disturbance;
use crate::load::Plan;
use crate::proxy::Weather;
use crate::report::Report;
use crate::stage::{Build, Defence, Stage};
use crate::weakness::Weakness;
use crate::world::{FINISHED, World};

/// PostgreSQL killed again and again.
pub(crate) const KILLED: Scenario = Scenario {
    name: "database-killed",
    about: "PostgreSQL killed at once 10 times in 5,000 sends (short: 2 in 600), by SIGQUIT and SIGKILL in turn",
    control: "commits are answered before they are on the disk",
    run: |stage| -> Run { Box::pin(killed(stage)) },
};

/// PostgreSQL that stands still.
pub(crate) const FROZEN: Scenario = Scenario {
    name: "database-frozen",
    about: "PostgreSQL frozen for 30 s (short: 8 s), for longer than leases last",
    control: "the server is killed meanwhile, and the accountant is not told",
    run: |stage| -> Run { Box::pin(out_of_reach(stage, Outage::Frozen)) },
};

/// PostgreSQL that cannot be reached.
pub(crate) const UNREACHABLE: Scenario = Scenario {
    name: "database-unreachable",
    about: "PostgreSQL unreachable for 60 s (short: 8 s): what is said to it is swallowed, then all connections are cut",
    control: "the server is killed meanwhile, and the accountant is not told",
    run: |stage| -> Run { Box::pin(out_of_reach(stage, Outage::Unreachable)) },
};

const LEASE: u64 = 5;
const PATIENCE: Duration = Duration::from_secs(LEASE + 15);

/// What no commit flushes is flushed late: else it would seldom be seen to be missing.
const LAZY: &str = "wal_writer_delay = '10s'\nwal_writer_flush_after = '1GB'\nwal_buffers = '64MB'\n";
#[derive(Clone, Copy)]
enum Outage {
    Frozen,
    Unreachable,
}

async fn killed(stage: Stage) -> Result<Report, Failure> {
    let (mails, kills) = stage.of((600, 2), (5000, 10));
    let build = Build { weakness: Some(Weakness::AsynchronousCommit), postgres: LAZY, ..Build::with_lease(LEASE) };
    let mut world = World::build(stage, build).await?;
    let load = world.load(Plan::of(mails));
    for kill in 1..=kills {
        let spread = usize::try_from(world.chance.below(40)).unwrap_or_default();
        load.reaches(kill * mails / (kills + 1) + spread).await?;
        let began = world.watch.now();
        world.postgres.kill(if kill % 2 == 0 { Signal::SIGKILL } else { Signal::SIGQUIT })?;
        world.postgres.start_again().await?;
        world.disturbed_since("PostgreSQL killed", began);
    }
    load.ended().await?;
    world.report(PATIENCE).await
}

async fn out_of_reach(stage: Stage, outage: Outage) -> Result<Report, Failure> {
    let full = match outage {
        Outage::Frozen => 30,
        Outage::Unreachable => 60,
    };
    let (mails, seconds) = stage.of((300, 8), (2000, full));
    let mut world = World::build(stage, Build::with_lease(LEASE)).await?;
    let load = world.load(Plan::with_slow_ones(mails));
    load.reaches(mails / 2).await?;
    // The server stands still while it is looked which attempts are open, so that these are the ones that the outage hits.
    world.node(0)?.freeze().await?;
    tokio::time::sleep(FINISHED).await;
    let (began, open) = (world.watch.now(), inspection::open(&world.postgres).await?);
    match outage {
        Outage::Frozen => world.postgres.freeze()?,
        Outage::Unreachable => world.node(0)?.database.set(Weather::Swallows),
    }
    world.node(0)?.thaw()?;
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let forgets = world.stage.defence == Defence::Down;
    if forgets {
        world.node(0)?.kill().await?;
    }
    match outage {
        Outage::Frozen => world.postgres.thaw()?,
        Outage::Unreachable => {
            let way = &world.node(0)?.database;
            way.set(Weather::Clear);
            way.cut();
        }
    }
    let ended = world.watch.now();
    if forgets {
        world.start_again(0).await?;
    } else {
        // Leases run out meanwhile by the database's clock: that is what they are for.
        world.disturbed(Disturbance {
            what: "database out of reach".to_owned(),
            since: Default::default(),
            began,
            ended,
            arrived: ended,
            open,
        });
    }
    load.ended().await?;
    world.report(PATIENCE).await
}
