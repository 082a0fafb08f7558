//! PostgreSQL's own programs, and one commit: what accepting mail is measured against.

use std::process::Stdio;
use std::time::Duration;

use selfmx_pgbox::Programs;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::{Instant, timeout};

use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::letter::{SENDER, text};
use crate::measure::percentile;
use crate::node::in_vain;

/// The rows of one mail as one statement, which is one commit.
const SAME_ROWS: &str = include_str!("same_rows.sql");
/// The tenant on which the operator's key acts.
pub(crate) const TENANT: &str = "00000000-0000-0000-0000-000000000000";
const PATIENCE: Duration = Duration::from_secs(60);

/// A message as it is handed over.
pub(crate) fn raw() -> String {
    let head = format!("From: <{SENDER}>\r\nTo: <00000000@load.example>\r\nSubject: Your order\r\nMIME-Version: 1.0\r\n");
    let more = "Date: Mon, 23 Nov 2026 12:00:00 +0000\r\nMessage-ID: <msg_0123456789abcdefghijklmnop@sender.example>\r\n";
    let kind = "Content-Type: text/plain; charset=\"utf-8\"\r\nContent-Transfer-Encoding: 7bit\r\n\r\n";
    format!("{head}{more}{kind}{}\r\n", text().replace('\n', "\r\n"))
}

/// How many mails' rows `pgbench` commits in a second, each in a transaction of its own, over so many connections.
pub(crate) async fn same_rows(cluster: &Cluster, programs: &Programs, clients: usize, time: Duration) -> Result<f64, Failure> {
    cluster.execute("CREATE SEQUENCE IF NOT EXISTS bench_ids").await?;
    let script = cluster.beside("same_rows.sql");
    // The program takes a statement to its semicolon only where it may.
    std::fs::write(&script, SAME_ROWS).map_err(Failure::file(&script))?;
    let mut pgbench = cluster.program(programs, "pgbench")?;
    let seconds = time.as_secs().max(1).to_string();
    pgbench.args(["-n", "-M", "prepared", "-j", "2", "-c", &clients.to_string(), "-T", &seconds]).arg("-f").arg(&script);
    let values = [("tenant", TENANT), ("sender", SENDER), ("recipient", "00000000@load.example"), ("text", &text()), ("raw", &raw())];
    pgbench.args(values.iter().flat_map(|(name, value)| ["-D".to_owned(), format!("{name}={value}")]));
    let output = timeout(PATIENCE, pgbench.output()).await.map_err(|_late| in_vain("pgbench", PATIENCE))?;
    let output = output.map_err(Failure::run("pgbench"))?;
    let told = String::from_utf8_lossy(&output.stdout);
    let rate = told.lines().find_map(|line| line.strip_prefix("tps = ")?.split_whitespace().next()?.parse().ok());
    rate.ok_or_else(|| Failure::Answer(format!("pgbench: {}", String::from_utf8_lossy(&output.stderr))))
}

/// How often in a second `pg_test_fsync` has eight kilobytes written and waits for the disk.
pub(crate) async fn flushes(cluster: &Cluster, programs: &Programs) -> Result<f64, Failure> {
    let file = cluster.beside("flushes");
    let mut command = cluster.program(programs, "pg_test_fsync")?;
    command.args(["-s", "1", "-f"]).arg(&file).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(Failure::run("pg_test_fsync"))?;
    let mut lines = child.stdout.take().map(|stdout| BufReader::new(stdout).lines());
    let mut rate = None;
    while let Some(lines) = lines.as_mut().filter(|_| rate.is_none()) {
        let line = timeout(PATIENCE, lines.next_line()).await.map_err(|_late| in_vain("pg_test_fsync", PATIENCE))??;
        let Some(line) = line else { break };
        rate = line.trim().strip_prefix("fdatasync").and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    }
    // What else it would measure is not asked for.
    child.kill().await.map_err(Failure::run("pg_test_fsync"))?;
    std::fs::remove_file(&file).map_err(Failure::file(&file))?;
    rate.ok_or_else(|| Failure::Answer("pg_test_fsync told no rate of fdatasync".to_owned()))
}

/// How long one commit of one small row takes, in milliseconds: the median of many, one after the other.
pub(crate) async fn commit(cluster: &Cluster, time: Duration) -> Result<f64, Failure> {
    cluster.execute("CREATE TABLE IF NOT EXISTS bench_commits (at timestamptz)").await?;
    let client = cluster.connect().await?;
    let insert = client.prepare("INSERT INTO bench_commits VALUES (now())").await?;
    let (begun, mut taken) = (Instant::now(), Vec::new());
    while begun.elapsed() < time {
        let one = Instant::now();
        client.execute(&insert, &[]).await?;
        taken.push(one.elapsed().as_secs_f64() * 1_000.0);
    }
    percentile(&mut taken, 0.5).ok_or_else(|| in_vain("a commit", time))
}
