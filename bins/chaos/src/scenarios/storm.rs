//! A relay that answers 421 and hangs up, again and again.

use std::time::Duration;

use super::{Run, Scenario};
use crate::failure::Failure;
use crate::load::Plan;
use crate::report::Report;
use crate::stage::{Build, Defence, Stage};
use crate::world::World;

/// 421 at every step.
pub(crate) const STORM: Scenario = Scenario {
    name: "storm-421",
    about: "421 at RCPT, at DATA and at the dot for every third of 3,000 mails (short: 300): all arrive once, the others at the first attempt",
    control: "nothing is tried again",
    run: |stage| -> Run { Box::pin(storm(stage)) },
};

const PATIENCE: Duration = Duration::from_secs(20);
/// Whom the storm was not for, and who had to wait for it.
const HURT: &str = "SELECT count(*) FROM recipients WHERE address NOT LIKE 'storm421.%' AND (attempts <> 1 OR status <> 'delivered')";

async fn storm(stage: Stage) -> Result<Report, Failure> {
    let mails = stage.of(300, 3000);
    let retries = if stage.defence == Defence::Up { "5" } else { "0" };
    let mut build = Build::with_lease(5);
    build.variables.push(("QUEUE_RETRY_ATTEMPTS", retries.to_owned()));
    let world = World::build(stage, build).await?;
    let local: fn(usize) -> String = |number| if number.is_multiple_of(3) { format!("storm421.{number}") } else { number.to_string() };
    world.load(Plan { accepted: mails, connections: 16, local }).ended().await?;
    world.drain(PATIENCE).await?;
    let hurt = world.postgres.count(HURT).await?;
    let report = Report::of(&world.close().await?).expecting_delivery();
    Ok(report.expecting(|_| hurt == 0, "mail that the storm was not for was not delivered at the first attempt"))
}
