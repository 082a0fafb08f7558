//! A server that is killed at a point of one mail's way.

use std::time::Duration;

use super::{Run, Scenario};
use crate::failure::Failure;
use crate::load::Plan;
use crate::proxy::Hold;
use crate::relay::REPLY_MARK;
use crate::report::Report;
use crate::stage::{Build, Stage};
use crate::weakness::Weakness;
use crate::world::World;

/// `kill -9` at named points.
pub(crate) const POINTS: Scenario = Scenario {
    name: "points",
    about: "kill -9 before and after the commit of an accepted mail, after the claim, after the dot before the reply, before and after the commit of its result",
    control: "leases never run out",
    run: |stage| -> Run { Box::pin(points(stage)) },
};

/// How long a point may take to be reached.
const PATIENCE: Duration = Duration::from_secs(20);
const LEASE: u64 = 5;

/// A point, and how the mail is held there.
enum Point {
    /// On the way to the database or back.
    Database(fn(usize) -> String, Hold),
    /// At the relay, after the dot.
    Dot(fn(usize) -> String),
}

async fn points(stage: Stage) -> Result<Report, Failure> {
    let build = Build { weakness: Some(Weakness::EndlessLeases), ..Build::with_lease(LEASE) };
    let mut world = World::build(stage, build).await?;
    let points = [
        Point::Database(|number| format!("to-be-accepted.{number}"), Hold::before("to-be-accepted.")),
        Point::Database(|number| format!("just-accepted.{number}"), Hold::after("just-accepted.")),
        Point::Database(|number| format!("just-claimed.{number}"), Hold::answer("just-claimed.")),
        Point::Dot(|number| format!("gate.{number}")),
        Point::Database(|number| format!("mark.to-be-recorded.{number}"), Hold::before(REPLY_MARK)),
        Point::Database(|number| format!("mark.just-recorded.{number}"), Hold::after(REPLY_MARK)),
    ];
    for point in points {
        die_at(&mut world, point).await?;
    }
    world.drain(Duration::from_secs(LEASE + 10)).await?;
    let report = Report::of(&world.close().await?);
    let report =
        report.expecting(|account| account.delivered == 7, "not the six, and the one whose client was not answered, were delivered");
    Ok(report.expecting(
        |account| account.explained.len() == 2,
        "other mails than the two that the relay had and nobody had recorded went out twice",
    ))
}

/// Sends a mail, kills the server when it is at the point, and waits until the client has one accepted.
async fn die_at(world: &mut World, point: Point) -> Result<(), Failure> {
    let (Point::Database(local, _) | Point::Dot(local)) = point;
    if let Point::Database(_, hold) = &point {
        world.node(0)?.database.hold(hold.clone());
    }
    let load = world.load(Plan { accepted: 1, connections: 1, local });
    match &point {
        Point::Database(_, hold) => hold.reached(PATIENCE).await?,
        Point::Dot(_) => world.relay.gate.reached(1, PATIENCE).await?,
    }
    world.kill(0).await?;
    world.relay.gate.open();
    load.ended().await
}
