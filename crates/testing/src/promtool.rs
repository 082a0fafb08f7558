//! Prometheus' own reader of metrics, where it is installed.

#![expect(clippy::unwrap_used, reason = "a test whose tool cannot be run has failed")]

use std::io::Write;
use std::process::{Command, Stdio};

/// What `promtool check metrics` finds wrong with a text; nothing where it finds nothing, or where there is no promtool (Debian's package `prometheus` has it,
/// with a server that not everybody wants to be started).
#[must_use]
pub fn check_metrics(text: &str) -> Option<String> {
    let mut command = Command::new("promtool");
    command.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().ok()?;
    let mut stdin = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(text.as_bytes()));
        child.wait_with_output().unwrap()
    });
    (!output.status.success()).then(|| String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}
