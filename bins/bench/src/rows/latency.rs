//! B6: how long accepting takes at half of what could be accepted, against one commit; B12: how long a lone mail takes.

use tokio::time::Instant;

use crate::bed::{Bed, Stage};
use crate::client::Client;
use crate::failure::Failure;
use crate::letter::Letters;
use crate::load::{Load, accepted};
use crate::measure::{Figures, Goal, percentile};
use crate::node::in_vain;
use crate::references::commit;
use crate::relay::Relay;
use crate::rows::accept::CONNECTIONS;
use crate::rows::{Outcome, in_turn};

/// B6.
pub(crate) async fn loaded(stage: &Stage) -> Result<Outcome, Failure> {
    let bed = Bed::make(stage, "b6", "").await?;
    let node = bed.accepting().await?;
    let (load, time) = (Load::to(node.address(), CONNECTIONS), stage.size.time());
    let mut figures = Figures::new(
        "p99 of accepting at half of B2's rate, from when each mail was due",
        "the median of one commit of one row, one connection",
        "ms",
        Goal::AtMost(5.0),
    );
    let mut halves = Vec::new();
    for run in 0..stage.runs {
        bed.cluster.clear().await?;
        let half = load.rate(time / 2).await? / 2.0;
        bed.cluster.clear().await?;
        let ours = async {
            let mut taken = load.latencies(half, time).await?;
            percentile(&mut taken, 0.99).ok_or_else(|| in_vain("a mail", time))
        };
        let (ours, reference) = in_turn(run, ours, commit(&bed.cluster, time / 3)).await?;
        figures.push(ours, reference);
        halves.push(format!("{half:.0}"));
    }
    node.kill().await?;
    let notes = vec![format!("the rates were {} mails/s, each measured just before.", halves.join(", "))];
    Ok(Outcome { figures: vec![figures], notes, account: None })
}

/// B12.
pub(crate) async fn idle(stage: &Stage) -> Result<Outcome, Failure> {
    let relay = Relay::start().await?;
    let bed = Bed::make(stage, "b12", "").await?;
    let node = bed.delivering(relay.address()).await?;
    let (mut client, letters) = (Client::connect(node.address()).await?, Letters::new());
    let time = stage.size.time() / 3;
    let reference = "the median of one commit of one row, one connection";
    let mut answered = Figures::new("idle: one `POST /v1/send`", reference, "ms", Goal::OursAtMost(3.0));
    let mut taken = Figures::new("idle: from the request to the relay's 250", reference, "ms", Goal::OursAtMost(5.0));
    for _ in 0..stage.runs {
        let (mut answers, mut takings) = (Vec::new(), Vec::new());
        for number in 0..stage.size.either(20, 200) {
            let (before, begun) = (relay.taken(), Instant::now());
            accepted(&mut client, &letters.request(number)).await?;
            answers.push(begun.elapsed().as_secs_f64() * 1_000.0);
            relay.has_taken(before + 1).await?;
            takings.push(begun.elapsed().as_secs_f64() * 1_000.0);
        }
        let commit = commit(&bed.cluster, time).await?;
        for (figures, mut all) in [(&mut answered, answers), (&mut taken, takings)] {
            figures.push(percentile(&mut all, 0.5).unwrap_or_default(), commit);
        }
    }
    node.kill().await?;
    Ok(Outcome { figures: vec![answered, taken], ..Outcome::default() })
}
