//! A way to the relay that is slow, breaks off in the middle of mails, and breaks off after them.

use std::time::Duration;

use super::{Run, Scenario};
use crate::failure::Failure;
use crate::inspection;
use crate::ledger::Disturbance;
use crate::load::Plan;
use crate::proxy::Weather;
use crate::report::Report;
use crate::stage::{Build, Defence, Stage};
use crate::world::{FINISHED, ON_THE_WAY, World};

/// Connections to the relay that break off.
pub(crate) const CUT: Scenario = Scenario {
    name: "relay-cut",
    about: "connections to the relay slow, cut in the middle of every mail for a while, then all cut 20 times (short: 5)",
    control: "nothing is tried again",
    run: |stage| -> Run { Box::pin(cut(stage)) },
};

const LEASE: u64 = 5;
const PATIENCE: Duration = Duration::from_secs(LEASE + 15);
/// Within the first mail of a connection.
const OCTETS: usize = 1500;
/// Puts forward what waits because it may have arrived; whoever waits less than four minutes for that does not count.
const HASTEN: &str = "UPDATE queue SET due_at = now() WHERE lease_token IS NULL AND due_at > now() + interval '4 minutes'";
/// What waits for less, and is neither leased nor due.
const HASTY: &str = "SELECT count(*) FROM queue WHERE lease_token IS NULL AND due_at > now() AND due_at <= now() + interval '4 minutes'";

async fn cut(stage: Stage) -> Result<Report, Failure> {
    let (mails, cuts) = stage.of((400, 5), (3000, 20));
    let retries = if stage.defence == Defence::Up { "100" } else { "0" };
    let mut build = Build::with_lease(LEASE);
    build.variables.push(("QUEUE_RETRY_ATTEMPTS", retries.to_owned()));
    let mut world = World::build(stage, build).await?;
    let load = world.load(Plan::of(mails));
    load.reaches(mails / 10).await?;
    for weather in [Weather::Slow(Duration::from_millis(5)), Weather::CutsAfter(OCTETS)] {
        world.node(0)?.relay.set(weather);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    world.node(0)?.relay.set(Weather::Clear);
    for cut in 1..=cuts {
        load.reaches(mails / 10 + cut * mails / (cuts + 2)).await?;
        // The server stands still while it is looked which attempts are open, so that these are the ones that are cut.
        world.node(0)?.freeze().await?;
        tokio::time::sleep(FINISHED).await;
        let (began, open) = (world.watch.now(), inspection::open(&world.postgres).await?);
        world.node(0)?.relay.cut();
        world.node(0)?.thaw()?;
        let ended = world.watch.now();
        world.disturbed(Disturbance {
            what: "connections to the relay cut".to_owned(),
            since: Default::default(),
            began,
            ended,
            arrived: ended.and(ON_THE_WAY),
            open,
        });
    }
    load.ended().await?;
    world.settle(PATIENCE).await?;
    let hasty = world.postgres.count(HASTY).await?;
    world.postgres.execute(HASTEN).await?;
    let report = world.report(PATIENCE).await?;
    let report = report.expecting(|account| account.delivered >= account.accepted, "not every mail was delivered");
    Ok(report.expecting(|_| hasty == 0, "what may have arrived was to be tried again within four minutes"))
}
