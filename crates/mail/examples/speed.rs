//! Messages per second through a relay, beside what `smtp-source` does with the same `smtp-sink` in the same run.
//!
//! `cargo run --release -p selfmx-mail --example speed`

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement that fails has nothing to say but that")]

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use selfmx_domain::Verdict;
use selfmx_mail::{Envelope, Relay, RelaySettings, Security};
use selfmx_testing::SmtpSink;

const MESSAGES: usize = 10_000;
const ROUNDS: usize = 5;

#[tokio::main]
async fn main() {
    let sink = SmtpSink::start(&[]);
    let message = Arc::new(format!("Subject: speed\r\n\r\n{}", format!("{}\r\n", "x".repeat(70)).repeat(28)).into_bytes());
    println!("messages per second, {MESSAGES} of {} octets, {ROUNDS} rounds: min, median, max", message.len());
    let (mut reference, mut one, mut ten) = (vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        reference.push(rate(smtp_source(&sink, message.len())));
        one.push(rate(deliver(&sink, &message, 1).await));
        ten.push(rate(deliver(&sink, &message, 10).await));
    }
    for (what, mut rates) in [("smtp-source -s 10 -d", reference), ("relay, 1 connection", one), ("relay, 10 connections", ten)] {
        rates.sort_unstable();
        println!("{what:24} {:?} {:?} {:?}", rates.first().unwrap(), rates.get(ROUNDS / 2).unwrap(), rates.last().unwrap());
    }
}

fn smtp_source(sink: &SmtpSink, length: usize) -> Duration {
    let started = Instant::now();
    let (count, length) = (MESSAGES.to_string(), length.to_string());
    let status = Command::new("/usr/sbin/smtp-source")
        .args(["-s", "10", "-d", "-m", &count, "-l", &length, "-f", "a@from.example", "-t", "b@to.example"])
        .arg(sink.address().to_string())
        .status();
    assert!(status.unwrap().success());
    started.elapsed()
}

async fn deliver(sink: &SmtpSink, message: &Arc<Vec<u8>>, connections: usize) -> Duration {
    let settings = RelaySettings::new(sink.address().ip().to_string(), sink.address().port(), "client.example".parse().unwrap());
    let relay = Arc::new(Relay::new(RelaySettings { security: Security::Plain, pool_size: connections, ..settings }).unwrap());
    let left = Arc::new(AtomicUsize::new(MESSAGES));
    let started = Instant::now();
    let senders: Vec<_> =
        (0..connections).map(|_| tokio::spawn(send(Arc::clone(&relay), Arc::clone(message), Arc::clone(&left)))).collect();
    for sender in senders {
        sender.await.unwrap();
    }
    let elapsed = started.elapsed();
    relay.close().await;
    elapsed
}

async fn send(relay: Arc<Relay>, message: Arc<Vec<u8>>, left: Arc<AtomicUsize>) {
    let envelope =
        Envelope { sender: "a@from.example".parse().unwrap(), recipients: vec!["b@to.example".parse().unwrap()], smtputf8: false };
    while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| count.checked_sub(1)).is_ok() {
        let verdicts = relay.deliver(&envelope, &message).await;
        assert!(matches!(verdicts.as_slice(), [Verdict::Delivered(_)]), "{verdicts:?}");
    }
}

fn rate(elapsed: Duration) -> u128 {
    MESSAGES as u128 * 1_000_000 / elapsed.as_micros().max(1)
}
