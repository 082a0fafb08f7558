//! Where the time goes: what one accepted mail and one delivered mail cost, counted by PostgreSQL, by the kernel and by the C library.

use std::fmt::Write;

use crate::allocations::{self, Allocations};
use crate::bed::{Bed, Stage};
use crate::failure::Failure;
use crate::fill;
use crate::load::Load;
use crate::measure::count;
use crate::relay::Relay;
use crate::report::short;
use crate::rows::Outcome;
use crate::rows::accept::CONNECTIONS;
use crate::rows::deliver::{queued_and_taken, recorded};
use crate::usage;

/// How many statements are named.
const NAMED: usize = 8;
/// What this program asks and writes itself.
const NOT_THEIRS: &str = r"pg_stat|pg_current|CHECKPOINT|generate_series|count\(\*\) FROM queue|TRUNCATE|ANALYZE";

const EXPLAINED: &str = "\
## Where the time goes

What one mail costs, counted by PostgreSQL (`pg_stat_statements`, the distance in its log), by the kernel (processor time) and, in runs of their own, by the C library (what the server allocates:
`libmemusage.so`). A statement is one round trip; statements of several mails together count in parts. Accepting is B2's load; delivering is B5's, and its octets have those of queueing in them.

";

/// What has been counted so far.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    statements: f64,
    rows: f64,
    octets: f64,
    records: f64,
    images: f64,
    server: f64,
    postgres: f64,
}

/// The account of a mail.
pub(crate) async fn account(stage: &Stage) -> Result<Outcome, Failure> {
    let library = stage.programs.bin_dir().join("../lib/pg_stat_statements.so");
    if !library.is_file() {
        return Err(Failure::Missing { program: "pg_stat_statements", package: "postgresql-contrib" });
    }
    let (relay, lines) = (Relay::start().await?, "shared_preload_libraries = 'pg_stat_statements'\n");
    let mails = stage.size.either(500, 10_000);
    let bed = Bed::make(stage, "account", lines).await?;
    bed.cluster.execute("CREATE EXTENSION pg_stat_statements").await?;
    let mut text = EXPLAINED.to_owned();
    let mut rows = Vec::new();

    let node = bed.accepting().await?;
    let load = Load::to(node.address(), CONNECTIONS);
    load.mails(mails / 10).await?;
    bed.cluster.clear().await?;
    bed.cluster.execute("SELECT pg_stat_statements_reset()").await?;
    let before = counts(&bed, node.pid()).await?;
    load.mails(mails).await?;
    rows.push(("accepted", counts(&bed, node.pid()).await?.since(before, mails)));
    let accepting = statements(&bed, mails).await?;
    node.kill().await?;

    let node = bed.delivering(relay.address()).await?;
    queued_and_taken(&bed, &relay, mails / 10).await?;
    let counted = delivering(&bed, &relay, node.pid(), mails).await?;
    rows.push(("delivered", counted));
    let delivering = statements(&bed, mails).await?;
    node.kill().await?;

    let allocated = [accepting_allocates(&bed, mails).await?, delivering_allocates(&bed, &relay, mails).await?];
    text += &table(&rows, allocated);
    text += &format!(
        "\nThe statements of accepting, by their time:\n\n{accepting}\nThe statements of delivering, by their time:\n\n{delivering}\n"
    );
    Ok(Outcome { account: Some(text), ..Outcome::default() })
}

/// What is written before the mails are due does not count.
async fn delivering(bed: &Bed, relay: &Relay, server: i32, mails: u64) -> Result<Counts, Failure> {
    bed.cluster.clear().await?;
    fill::emails(&bed.cluster, mails, mails).await?;
    bed.cluster.execute("ANALYZE").await?;
    bed.cluster.settle().await?;
    bed.cluster.execute("SELECT pg_stat_statements_reset()").await?;
    let (taken, before) = (relay.taken(), counts(bed, server).await?);
    fill::queue(&bed.cluster, mails).await?;
    relay.has_taken(taken + mails).await?;
    recorded(bed).await?;
    Ok(counts(bed, server).await?.since(before, mails))
}

/// What accepting a mail allocates: the more mails, less what the start and the fewer cost.
async fn accepting_allocates(bed: &Bed, mails: u64) -> Result<Option<Allocations>, Failure> {
    let allocated = async |mails| {
        let node = bed.accepting_with(allocations::counting()).await?;
        Load::to(node.address(), CONNECTIONS).mails(mails).await?;
        node.last_words().await
    };
    Ok(between(&allocated(mails / 10).await?, &allocated(mails).await?, mails))
}

async fn delivering_allocates(bed: &Bed, relay: &Relay, mails: u64) -> Result<Option<Allocations>, Failure> {
    let allocated = async |mails| {
        let node = bed.delivering_with(relay.address(), allocations::counting()).await?;
        queued_and_taken(bed, relay, mails).await?;
        node.last_words().await
    };
    Ok(between(&allocated(mails / 10).await?, &allocated(mails).await?, mails))
}

/// What each mail allocated, from the last words of a server that had a tenth of them and of one that had them all.
fn between(few: &str, many: &str, mails: u64) -> Option<Allocations> {
    Some((Allocations::told_in(many)? - Allocations::told_in(few)?).of_each(mails - mails / 10))
}

async fn counts(bed: &Bed, server: i32) -> Result<Counts, Failure> {
    let ours = format!("FROM pg_stat_statements WHERE query !~ '{NOT_THEIRS}'");
    let cluster = &bed.cluster;
    Ok(Counts {
        statements: cluster.number(&format!("SELECT coalesce(sum(calls), 0) {ours}")).await?,
        rows: cluster.number(&format!("SELECT coalesce(sum(rows), 0) {ours}")).await?,
        records: cluster.number(&format!("SELECT coalesce(sum(wal_records), 0) {ours}")).await?,
        images: cluster.number(&format!("SELECT coalesce(sum(wal_fpi), 0) {ours}")).await?,
        octets: cluster.number("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn").await?,
        server: usage::of_process(server),
        postgres: usage::of_postgres(cluster.postmaster()?),
    })
}

impl Counts {
    /// What was counted since then, of each mail.
    fn since(self, before: Self, mails: u64) -> Self {
        let each = |now: f64, then: f64| (now - then) / count(mails);
        Self {
            statements: each(self.statements, before.statements),
            rows: each(self.rows, before.rows),
            octets: each(self.octets, before.octets),
            records: each(self.records, before.records),
            images: each(self.images, before.images),
            server: each(self.server, before.server),
            postgres: each(self.postgres, before.postgres),
        }
    }
}

fn table(rows: &[(&str, Counts)], allocated: [Option<Allocations>; 2]) -> String {
    let mut table = "| a mail | statements | rows told | log, octets | log records | whole pages | server, ms | PostgreSQL, ms | allocations | allocated, octets |\n\
                     |---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n"
        .to_owned();
    for ((what, counts), allocated) in rows.iter().zip(allocated) {
        let Counts { statements, rows, octets, records, images, server, postgres } = counts;
        let figures = [*statements, *rows, *octets, *records, *images, server * 1_000.0, postgres * 1_000.0].map(short);
        let allocated = allocated.map_or_else(|| "- | -".to_owned(), |of| format!("{} | {}", short(of.calls), short(of.octets)));
        // Writing to a text does not fail.
        let _ = writeln!(table, "| {what} | {} | {allocated} |", figures.join(" | "));
    }
    table
}

/// The statements that took the most time, of each mail.
async fn statements(bed: &Bed, mails: u64) -> Result<String, Failure> {
    let asked = format!(
        "SELECT round((total_exec_time / {mails})::numeric, 4), round((calls::numeric / {mails}), 4), round((rows::numeric / {mails}), 3), \
         round((wal_bytes / {mails})::numeric), left(translate(regexp_replace(query, '\\s+', ' ', 'g'), '|`', ''), 70) \
         FROM pg_stat_statements WHERE query !~ '{NOT_THEIRS}' ORDER BY total_exec_time DESC LIMIT {NAMED}"
    );
    let mut table = "| ms | calls | rows | log, octets | statement |\n|--:|--:|--:|--:|---|\n".to_owned();
    for row in bed.cluster.rows(&asked).await? {
        let [time, calls, rows, octets, query] = row.as_slice() else { continue };
        let _ = writeln!(table, "| {time} | {calls} | {rows} | {octets} | `{query}` |");
    }
    Ok(table)
}
