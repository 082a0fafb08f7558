//! A server whose clock jumps.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::{Run, Scenario};
use crate::failure::Failure;
use crate::load::Plan;
use crate::report::Report;
use crate::stage::{Build, Stage};
use crate::weakness::Weakness;
use crate::world::World;

/// A clock that jumps by an hour.
pub(crate) const JUMPS: Scenario = Scenario {
    name: "clock-jumps",
    about: "the server's clock jumps an hour forward, two back and one forward again, while mail comes in (needs libfaketime)",
    control: "leases end by a clock that is an hour behind",
    run: |stage| -> Run { Box::pin(jumps(stage)) },
};

const PATIENCE: Duration = Duration::from_secs(20);
/// Where Debian's package has it, by machine.
const LIBRARIES: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
];

async fn jumps(stage: Stage) -> Result<Report, Failure> {
    let Some(library) = LIBRARIES.iter().find(|library| Path::new(library).exists()) else {
        return Err(Failure::Skipped("libfaketime is not installed (Debian: libfaketime)".to_owned()));
    };
    let mails = stage.of(400, 2000);
    let clock = stage.folder.join("clock");
    fs::write(&clock, "+0\n").map_err(Failure::file(&clock))?;
    let mut build = Build { weakness: Some(Weakness::SlowClock), ..Build::with_lease(5) };
    build.variables.extend([
        ("LD_PRELOAD", (*library).to_owned()),
        ("FAKETIME_TIMESTAMP_FILE", clock.display().to_string()),
        ("FAKETIME_NO_CACHE", "1".to_owned()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
    ]);
    let mut world = World::build(stage, build).await?;
    let load = world.load(Plan::of(mails));
    for (jump, offset) in ["+3600", "-3600", "+0"].iter().enumerate() {
        load.reaches((jump + 1) * mails / 4).await?;
        let began = world.watch.now();
        fs::write(&clock, format!("{offset}\n")).map_err(Failure::file(&clock))?;
        world.disturbed_since("the server's clock jumped", began);
    }
    load.ended().await?;
    Ok(world.report(PATIENCE).await?.expecting_delivery())
}
