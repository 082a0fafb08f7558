//! B9: how long it takes from the start of the server, its own PostgreSQL included, to the first accepted mail.

use std::fs;
use std::path::Path;
use std::time::Duration;

use selfmx_pgbox::{Lifetime, PgBox, Settings};
use selfmx_testing::make_passable;
use tokio::time::Instant;

use crate::bed::Stage;
use crate::client::Client;
use crate::failure::Failure;
use crate::letter::Letters;
use crate::load::accepted;
use crate::measure::{Figures, Goal, count};
use crate::node::Node;
use crate::rows::{Outcome, in_turn};

/// How much is served of a longer time, in milliseconds, and how large the binary may be, in megabytes.
const MILLISECONDS: f64 = 500.0;
const MEGABYTES: f64 = 15.0;

/// B9.
pub(crate) async fn start(stage: &Stage) -> Result<Outcome, Failure> {
    let data = stage.folder.join("b9");
    make_passable(&data).map_err(Failure::file(&data))?;
    let measured = measure(stage, &data).await;
    // A server that was killed has left its PostgreSQL running: this one finds it, and stops it.
    database(&data).await?;
    measured
}

async fn measure(stage: &Stage, data: &Path) -> Result<Outcome, Failure> {
    // The first start makes the folder.
    first_mail(stage, data).await?;
    let what = "from the start to the first accepted mail, on an existing data folder";
    let mut time = Figures::new(what, "PostgreSQL alone, on the same folder", "ms", Goal::OursAtMost(MILLISECONDS));
    for run in 0..stage.runs {
        let (ours, reference) = in_turn(run, first_mail(stage, data), database(data)).await?;
        time.push(ours, reference);
    }
    let octets = fs::metadata(&stage.program).map_err(Failure::file(&stage.program))?.len();
    let mut size = Figures::new("size of the binary", "15 MB", "MB", Goal::OursAtMost(MEGABYTES));
    size.push(count(octets) / 1_000_000.0, MEGABYTES);
    Ok(Outcome { figures: vec![time, size], ..Outcome::default() })
}

/// Starts a server, has it accept a mail, and stops it and its PostgreSQL.
async fn first_mail(stage: &Stage, data: &Path) -> Result<f64, Failure> {
    let request = Letters::new().request(1);
    let begun = Instant::now();
    let node = Node::start(&stage.program, data, &[]).await?;
    accepted(&mut Client::connect(node.address()).await?, &request).await?;
    let taken = milliseconds(begun.elapsed());
    node.stop().await?;
    Ok(taken)
}

/// Starts PostgreSQL alone, and stops it.
async fn database(data: &Path) -> Result<f64, Failure> {
    let begun = Instant::now();
    let server = PgBox::open(Settings::new(data.join("postgres")).lifetime(Lifetime::Detached)).await?;
    let taken = milliseconds(begun.elapsed());
    server.stop().await?;
    Ok(taken)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}
