//! A server that is killed at a point of one mail's way.

use std::time::Duration;

use super::{Run, Scenario};
use crate::failure::Failure;
use crate::load::Plan;
use crate::proxy::Hold;
use crate::relay::REPLY_MARK;
use crate::report::Report;
use crate::stage::{Build, Defence, Stage};
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
    /// On the way to the database or back, before its client is answered.
    Unanswered(fn(usize) -> String, Hold),
    /// The same, after that.
    Answered(fn(usize) -> String, Hold),
    /// At the relay, after the dot.
    Dot(fn(usize) -> String),
}

async fn points(stage: Stage) -> Result<Report, Failure> {
    let build = Build { weakness: Some(Weakness::EndlessLeases), ..Build::with_lease(LEASE) };
    let mut world = World::build(stage, build).await?;
    let points = [
        Point::Unanswered(|number| format!("to-be-accepted.{number}"), Hold::before("to-be-accepted.")),
        Point::Unanswered(|number| format!("just-accepted.{number}"), Hold::after("just-accepted.")),
        Point::Answered(|number| format!("just-claimed.{number}"), Hold::answer("just-claimed.")),
        Point::Dot(|number| format!("gate.{number}")),
        Point::Answered(|number| format!("mark.to-be-recorded.{number}"), Hold::before(REPLY_MARK)),
        Point::Answered(|number| format!("mark.just-recorded.{number}"), Hold::after(REPLY_MARK)),
    ];
    for point in points {
        die_at(&mut world, point).await?;
    }
    world.drain(PATIENCE).await?;
    let report = Report::of(&world.close().await?);
    let report =
        report.expecting(|account| account.delivered == 7, "not the six, and the one whose client was not answered, were delivered");
    Ok(report.expecting(
        |account| account.explained == ["gate.0@chaos.example", "mark.to-be-recorded.0@chaos.example"],
        "other mails than the two that the relay had and nobody had recorded went out twice",
    ))
}

/// Sends a mail, kills the server when it is at the point, waits until the client has one accepted, and until nothing is left of it: what the next kill
/// meets is the next point's mail alone.
async fn die_at(world: &mut World, point: Point) -> Result<(), Failure> {
    let (Point::Unanswered(local, _) | Point::Answered(local, _) | Point::Dot(local)) = point;
    if let Point::Unanswered(_, hold) | Point::Answered(_, hold) = &point {
        world.node(0)?.database.hold(hold.clone());
    }
    let load = world.load(Plan { accepted: 1, connections: 1, local });
    match &point {
        Point::Unanswered(_, hold) | Point::Answered(_, hold) => hold.reached(PATIENCE).await?,
        Point::Dot(_) => world.relay.gate.reached(1, PATIENCE).await?,
    }
    if let Point::Answered(..) | Point::Dot(_) = point {
        // The mail may be at the point before its client has read the answer, and a client without one sends another.
        load.reaches(1).await?;
    }
    world.kill(0).await?;
    if let Point::Dot(_) = point {
        // Not before: who comes to an open gate is not kept at the point.
        world.relay.gate.open();
    }
    load.ended().await?;
    if world.stage.defence == Defence::Down {
        // What a dead server had is nobody's for ever.
        return Ok(());
    }
    world.drain(PATIENCE).await
}
