//! Every step of SMTP and everything that a relay can do wrong there, each at a relay of its own, and what is to follow from it.

mod cells;
mod stand;

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use selfmx_testing::Certificate;
use tokio::time::Instant;

use self::cells::{Cell, Class, cells};
use self::stand::Stand;
use super::{Run, Scenario};
use crate::failure::Failure;
use crate::report::Report;
use crate::stage::{Build, Defence, Stage};
use crate::world::World;

/// The matrix of steps and faults.
pub(crate) const MATRIX: Scenario = Scenario {
    name: "smtp-matrix",
    about: "every step of SMTP x 4xx, 5xx, 421, reset, close, silence, drip, garbage, endless reply, each at a relay of its own that then behaves",
    control: "nothing is tried again",
    run: |stage| -> Run { Box::pin(matrix(stage)) },
};

const LEASE: u64 = 10;
const PATIENCE: Duration = Duration::from_secs(45);
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);
/// What each recipient is waiting for, and until when; nothing while the first attempt lasts.
const TOLD: &str = "SELECT address, status, attempts, coalesce(extract(epoch FROM next_attempt_at - now())::int, -1) FROM recipients \
    WHERE status <> 'queued' OR next_attempt_at IS NOT NULL";
const HASTEN: &str = "UPDATE queue SET due_at = now() WHERE lease_token IS NULL";

async fn matrix(stage: Stage) -> Result<Report, Failure> {
    let first_attempts = Duration::from_secs(50);
    let certificate = Certificate::for_loopback();
    let trusted = stage.folder.join("authorities.pem");
    fs::write(&trusted, certificate.pem()).map_err(Failure::file(&trusted))?;
    let retries = if stage.defence == Defence::Up { "3" } else { "0" };
    let mut build = Build::with_lease(LEASE);
    build.variables.extend([
        ("QUEUE_RETRY_ATTEMPTS", retries.to_owned()),
        ("QUEUE_RETRY_DELAY", "60".to_owned()),
        ("SMTP_TIMEOUT", "3".to_owned()),
        ("TENANT_SMTP_ALLOW_PRIVATE", "true".to_owned()),
        ("SSL_CERT_FILE", trusted.display().to_string()),
    ]);
    let mut world = World::build(stage, build).await?;
    let cells = cells();
    let mut stands = Vec::new();
    for cell in &cells {
        stands.push(Stand::set_up(&mut world, cell, &certificate).await?);
    }
    for (stand, cell) in stands.iter().zip(&cells) {
        world.send(&stand.path(), cell.address()).await?;
    }
    let classes = classes(&world, cells.len(), first_attempts).await?;
    let findings = cells.iter().filter_map(|cell| unexpected(cell, &classes)).collect::<Vec<_>>();
    // A server that was held up by nothing forgets what it thought of the relays; goodbyes go wrong as well.
    world.node(0)?.stop().await?;
    world.start_again(0).await?;
    let watch = world.watch;
    stands.iter().for_each(Stand::behave);
    world.postgres.execute(HASTEN).await?;
    world.drain(PATIENCE).await?;
    let mut report = Report::of(&world.close_with(stands.iter().flat_map(|stand| stand.deliveries(watch)).collect()).await?);
    let bounced = cells.iter().filter(|cell| cell.expected == Class::Bounced).count();
    report.findings.extend(findings);
    Ok(report.expecting(
        |account| account.delivered + bounced == account.accepted,
        "not everything that was not refused was delivered in the end",
    ))
}

/// What has come of each first attempt, as soon as something has of all of them.
async fn classes(world: &World, count: usize, patience: Duration) -> Result<BTreeMap<String, String>, Failure> {
    let began = Instant::now();
    loop {
        let rows = world.postgres.rows(TOLD).await?;
        if rows.len() >= count || began.elapsed() > patience {
            return Ok(rows.iter().filter_map(|row| Some((row.first()?.clone(), class(row)))).collect());
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}

/// A status, how many attempts there were, and in how many seconds the next is due, in a word.
fn class(row: &[String]) -> String {
    let [_, status, attempts, seconds] = row else { return "unreadable".to_owned() };
    let seconds: i64 = seconds.parse().unwrap_or(-1);
    match (status.as_str(), attempts.as_str(), seconds) {
        ("queued", "0", 0..=60) => Class::Held.to_string(),
        ("queued", "1", 0..=70) => Class::Retried.to_string(),
        ("queued", "1", 230..=340) => Class::Ambiguous.to_string(),
        ("queued", ..) => format!("queued after {attempts} attempts for {seconds} s"),
        _ => status.clone(),
    }
}

fn unexpected(cell: &Cell, classes: &BTreeMap<String, String>) -> Option<String> {
    let found = classes.get(&cell.address()).map_or("nothing yet", String::as_str);
    let expected = cell.expected.to_string();
    (found != expected).then(|| format!("{}: {found}, and not {expected}", cell.name()))
}
