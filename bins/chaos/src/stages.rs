//! Runs scenarios, each in a folder of its own, and each a second time without its defence.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use selfmx_testing::make_passable;
use tokio::time::{Instant, timeout};

use crate::arguments::Arguments;
use crate::failure::{Failure, SKIPPED};
use crate::report::{Control, Report, Row};
use crate::scenarios::Scenario;
use crate::stage::{Defence, Size, Stage};

/// How long one run of a scenario may take.
const SHORT: Duration = Duration::from_secs(150);
const FULL: Duration = Duration::from_secs(1200);

/// A folder for all runs.
pub(crate) fn folder() -> Result<PathBuf, Failure> {
    let folder = std::env::temp_dir().join(format!("selfmx-chaos-{}", std::process::id()));
    make_passable(&folder).map_err(Failure::file(&folder))?;
    Ok(folder)
}

/// Runs what was asked for, several at once, and gives the rows in the order of the scenarios.
pub(crate) async fn run_all(arguments: &Arguments, program: &Path, folder: &Path) -> Vec<Row> {
    let program = Arc::new(program.to_path_buf());
    let runs = arguments.scenarios.iter().map(|scenario| {
        let stage = Stage {
            program: Arc::clone(&program),
            folder: folder.join(scenario.name),
            seed: arguments.seed,
            size: arguments.size,
            defence: Defence::Up,
        };
        run(*scenario, stage)
    });
    stream::iter(runs).buffered(arguments.jobs).collect().await
}

/// Runs a scenario, then its control.
async fn run(scenario: Scenario, stage: Stage) -> Row {
    let began = Instant::now();
    let report = once(scenario, stage.clone()).await;
    let control = Stage { folder: stage.folder.with_extension("control"), defence: Defence::Down, ..stage };
    let control = match &report {
        Err(why) if why.starts_with(SKIPPED) => Control::Broken(why.clone()),
        _ => match once(scenario, control).await {
            Ok(report) if report.is_clean() => Control::Green,
            Ok(report) => Control::Red(report.in_short()),
            Err(why) => Control::Broken(why),
        },
    };
    let row = Row { name: scenario.name, report, control, took: began.elapsed() };
    tell(&row);
    row
}

async fn once(scenario: Scenario, stage: Stage) -> Result<Report, String> {
    let limit = if stage.size == Size::Short { SHORT } else { FULL };
    make_passable(&stage.folder).map_err(|error| Failure::file(&stage.folder)(error).to_string())?;
    match timeout(limit, (scenario.run)(stage)).await {
        Ok(Ok(report)) => Ok(report),
        Ok(Err(failure)) => Err(failure.to_string()),
        Err(_late) => Err(format!("not done within {} s", limit.as_secs())),
    }
}

/// Says at once what came of a scenario.
fn tell(row: &Row) {
    println!("{}: {}, {:.0} s", row.name, if row.is_good() { "holds" } else { "DOES NOT HOLD" }, row.took.as_secs_f64());
    match &row.report {
        Ok(report) => report.lines().iter().for_each(|line| println!("  {line}")),
        Err(why) => println!("  {why}"),
    }
}
