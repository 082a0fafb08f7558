//! Measures a running SelfMX against what it stands on: `cargo xtask bench`.
//!
//! Nouns: a [`Row`] is something that is measured, in turns with a reference; [`Figures`](measure::Figures) are what came of the runs; a
//! [`Bed`](bed::Bed) is what it is measured on, with a PostgreSQL and servers of its own; a [`Load`](load::Load) is the client.
//!
//! ```text
//! cargo xtask bench --only B2 --runs 3
//! ```
//!
//! Invariant: no figure stands alone: each has a reference that was measured in the same run, next to it.
//!
//! Invariant: nothing passes or fails by its speed; the exit status tells whether everything could be measured.
//!
//! Invariant: everything listens on the loopback, on free ports, and ends with this process.

mod allocations;
mod arguments;
mod bed;
mod client;
mod cluster;
mod failure;
mod fill;
mod letter;
mod load;
mod machine;
mod measure;
mod node;
mod references;
mod relay;
mod report;
mod rows;
mod usage;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use selfmx_pgbox::Programs;
use selfmx_testing::{exit_code, make_passable};
use tokio::time::Instant;

use crate::arguments::{Arguments, Task};
use crate::bed::Stage;
use crate::failure::Failure;
use crate::report::Measured;
use crate::rows::Row;

/// Where the table is written, from where `cargo xtask` runs this.
const DOCUMENT: &str = "docs/performance.md";

#[tokio::main]
async fn main() -> ExitCode {
    exit_code(perform(std::env::args().skip(1)).await)
}

/// Does what the command line asks for, and tells whether everything could be measured that has its programs.
async fn perform(words: impl Iterator<Item = String>) -> Result<bool, Failure> {
    let arguments = Arguments::parse(words)?;
    if arguments.task == Task::List {
        Row::ALL.iter().for_each(|row| println!("{:<8} {}", row.name(), row.about()));
        return Ok(true);
    }
    let own = std::env::current_exe().map_err(Failure::file("the program's own place"))?;
    let stage = Stage {
        program: own.with_file_name("selfmx"),
        programs: programs()?,
        folder: folder()?,
        size: arguments.size,
        runs: arguments.runs,
    };
    let machine = machine::line(&stage.programs);
    println!("{machine}");
    let measured = measure(&arguments, &stage).await;
    println!("\n{}\n{}\n{}", report::table(&measured), report::notes(&measured), report::accounts(&measured));
    if arguments.task == Task::Write {
        report::write(Path::new(DOCUMENT), &machine, arguments.runs, &measured)?;
        println!("written to {DOCUMENT}");
    }
    let failed = |(_, outcome): &Measured| matches!(outcome, Err(why) if !matches!(why, Failure::Missing { .. }));
    let good = !measured.iter().any(failed);
    if good {
        std::fs::remove_dir_all(&stage.folder).map_err(Failure::file(&stage.folder))?;
    } else {
        println!("logs are in {}", stage.folder.display());
    }
    Ok(good)
}

/// PostgreSQL's programs in the folder where they really are: what is on `PATH` may lead to only a few of them.
fn programs() -> Result<Programs, Failure> {
    let found = selfmx_pgbox::programs(None)?;
    let postgres = found.program("postgres");
    let real = postgres.canonicalize().map_err(Failure::file(&postgres))?;
    Ok(selfmx_pgbox::programs(real.parent())?)
}

async fn measure(arguments: &Arguments, stage: &Stage) -> Vec<Measured> {
    let mut measured = Vec::new();
    for row in &arguments.rows {
        let begun = Instant::now();
        let outcome = row.measure(stage).await;
        let one = [(*row, outcome)];
        println!("{}: {}, {:.0} s", row.name(), row.about(), begun.elapsed().as_secs_f64());
        report::table(&one).lines().skip(2).for_each(|line| println!("  {line}"));
        measured.extend(one);
    }
    measured
}

fn folder() -> Result<PathBuf, Failure> {
    let folder = std::env::temp_dir().join(format!("selfmx-bench-{}", std::process::id()));
    make_passable(&folder).map_err(Failure::file(&folder))?;
    Ok(folder)
}
