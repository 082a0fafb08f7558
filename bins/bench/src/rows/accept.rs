//! B2 and B3: how fast mails are accepted, against the same rows from `pgbench` and against the disk.

use crate::bed::{Bed, Stage};
use crate::failure::Failure;
use crate::load::Load;
use crate::measure::{Figures, Goal};
use crate::references::{flushes, same_rows};
use crate::rows::{Outcome, in_turn};

/// Over how many connections mails come in.
pub(crate) const CONNECTIONS: usize = 64;
/// Over how many `pgbench` writes.
const CLIENTS: usize = 32;

/// B2.
pub(crate) async fn many(stage: &Stage) -> Result<Outcome, Failure> {
    let bed = Bed::make(stage, "b2", "").await?;
    let node = bed.accepting().await?;
    let (load, time) = (Load::to(node.address(), CONNECTIONS), stage.size.time());
    let mut figures = Figures::new(
        "`POST /v1/send` accepted and durable, 64 connections, 2 KB",
        "`pgbench -M prepared -c 32`: the same rows, one transaction each",
        "/s",
        Goal::AtLeast(1.0),
    );
    for run in 0..stage.runs {
        let ours = async {
            bed.cluster.clear().await?;
            load.rate(time).await
        };
        let reference = async {
            bed.cluster.clear().await?;
            same_rows(&bed.cluster, &stage.programs, CLIENTS, time).await
        };
        let (ours, reference) = in_turn(run, ours, reference).await?;
        figures.push(ours, reference);
    }
    node.kill().await?;
    Ok(Outcome { figures: vec![figures], ..Outcome::default() })
}

/// B3.
pub(crate) async fn alone(stage: &Stage) -> Result<Outcome, Failure> {
    let bed = Bed::make(stage, "b3", "").await?;
    let node = bed.accepting().await?;
    let load = Load::to(node.address(), 1);
    let mut figures = Figures::new(
        "the same, one connection",
        "`pg_test_fsync`: 8 KB and `fdatasync`",
        "/s",
        // More would mean that an answer does not wait for the disk.
        Goal::Within(0.5, 1.5),
    );
    for run in 0..stage.runs {
        let ours = async {
            bed.cluster.clear().await?;
            load.rate(stage.size.time()).await
        };
        let (ours, reference) = in_turn(run, ours, flushes(&bed.cluster, &stage.programs)).await?;
        figures.push(ours, reference);
    }
    node.kill().await?;
    Ok(Outcome { figures: vec![figures], ..Outcome::default() })
}
