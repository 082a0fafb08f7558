//! Everything that is measured, by the names that the table has.

mod accept;
mod cost;
mod deliver;
mod hooks;
mod latency;
mod million;
mod start;

use crate::bed::Stage;
use crate::failure::Failure;
use crate::measure::Figures;

/// A row of the table, or several that are measured together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Row {
    /// Mails accepted in a second, over many connections.
    Accept,
    /// The same, over one.
    Alone,
    /// From the request to the relay, sustained.
    Relay,
    /// From the queue to the relay.
    Deliver,
    /// How long accepting takes under load.
    Latency,
    /// The same as elsewhere, with a million mails queued.
    Million,
    /// From the start to the first mail, and the size of the binary.
    Start,
    /// Two nodes on one database.
    TwoNodes,
    /// How long a lone mail takes.
    Idle,
    /// Events posted to webhooks.
    Webhooks,
    /// Where the time goes.
    Account,
}

/// What a row found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) figures: Vec<Figures>,
    /// What is to be said beside them.
    pub(crate) notes: Vec<String>,
    /// A table of its own, with its heading.
    pub(crate) account: Option<String>,
}

impl Row {
    /// All, in the order of the table.
    pub(crate) const ALL: &[Self] = &[
        Self::Accept,
        Self::Alone,
        Self::Relay,
        Self::Deliver,
        Self::Latency,
        Self::Million,
        Self::Start,
        Self::TwoNodes,
        Self::Idle,
        Self::Webhooks,
        Self::Account,
    ];

    /// Its name in the table.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Accept => "B2",
            Self::Alone => "B3",
            Self::Relay => "B4",
            Self::Deliver => "B5",
            Self::Latency => "B6",
            Self::Million => "B7",
            Self::Start => "B9",
            Self::TwoNodes => "B11",
            Self::Idle => "B12",
            Self::Webhooks => "B13",
            Self::Account => "account",
        }
    }

    /// What it measures.
    pub(crate) const fn about(self) -> &'static str {
        match self {
            Self::Accept => "mails accepted, 64 connections",
            Self::Alone => "mails accepted, one connection",
            Self::Relay => "mails accepted over HTTP and taken by the relay, sustained",
            Self::Deliver => "queued mails taken by the relay",
            Self::Latency => "p99 of accepting at half the rate",
            Self::Million => "accepting, claiming and listing with a million mails",
            Self::TwoNodes => "two nodes on one PostgreSQL",
            Self::Idle => "a lone mail",
            Self::Webhooks => "events posted to webhooks, with and without dead endpoints",
            Self::Account => "what a mail costs: statements, rows, log, processor time, allocations",
            Self::Start => "from the start to the first accepted mail; the binary's size",
        }
    }

    /// Measures it.
    ///
    /// # Errors
    ///
    /// Where it cannot be measured; [`Failure::Missing`] where a program is missing.
    pub(crate) async fn measure(self, stage: &Stage) -> Result<Outcome, Failure> {
        match self {
            Self::Accept => accept::many(stage).await,
            Self::Alone => accept::alone(stage).await,
            Self::Relay => deliver::through(stage).await,
            Self::Deliver => deliver::straight(stage).await,
            Self::Latency => latency::loaded(stage).await,
            Self::Million => million::million(stage).await,
            Self::Start => start::start(stage).await,
            Self::TwoNodes => deliver::two_nodes(stage).await,
            Self::Idle => latency::idle(stage).await,
            Self::Webhooks => hooks::webhooks(stage).await,
            Self::Account => cost::account(stage).await,
        }
    }
}

/// Measures ours and the reference one after the other, each first in every other run: what comes second may find the machine otherwise.
async fn in_turn(
    run: usize,
    ours: impl Future<Output = Result<f64, Failure>>,
    reference: impl Future<Output = Result<f64, Failure>>,
) -> Result<(f64, f64), Failure> {
    if run.is_multiple_of(2) {
        let ours = ours.await?;
        return Ok((ours, reference.await?));
    }
    let reference = reference.await?;
    Ok((ours.await?, reference))
}
