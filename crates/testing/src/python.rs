//! Python as an independent reader: what its `email` package makes of a message.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test without Python has failed")]

use std::io::Write;
use std::process::{Command, Stdio};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

const INSTALL: &str = "Python 3 is needed: apt-get install python3";

/// Debian's own, which has Debian's modules, before one that somebody put in its place.
const PYTHONS: [&str; 2] = ["/usr/bin/python3", "python3"];

/// Reads messages with Python's `email` package. For each an object:
///
/// - `headers`: pairs of name and decoded value, in order; `addresses`: for each address field pairs of display name and address;
/// - `parts`: every part in order, with `type`, `disposition`, `filename`, `content_id`, `charset`, `depth`, and for leaves `content` (base64);
/// - `defects`: what the package found wrong anywhere.
///
/// # Panics
///
/// Without Python, with the line that installs it; where the package fails on a message.
#[must_use]
pub fn read_mail(messages: &[&[u8]]) -> Vec<Value> {
    let mut input = Vec::new();
    for message in messages {
        input.extend_from_slice(format!("{}\n", message.len()).as_bytes());
        input.extend_from_slice(message);
    }
    serde_json::from_value(run(include_str!("python/read_mail.py"), &input)).unwrap()
}

/// Verifies the first DKIM signature of each message with dkimpy, which asks nobody but `records`: the name of each TXT record, without a dot at its end,
/// and its text. For each message an object: `valid`, and `error`, what dkimpy said of it, where it said something.
///
/// # Panics
///
/// Without Python, dkimpy and PyNaCl, with the line that installs them.
#[must_use]
pub fn verify_dkim(messages: &[&[u8]], records: &[(String, String)]) -> Vec<Value> {
    let messages: Vec<String> = messages.iter().map(|message| BASE64_STANDARD.encode(message)).collect();
    let input = serde_json::json!({"messages": messages, "records": records}).to_string();
    let python = PYTHONS.into_iter().find(|python| verifies_dkim(python));
    let python = python.expect("dkimpy and PyNaCl are needed: apt-get install python3-dkim python3-nacl");
    serde_json::from_value(run_by(python, include_str!("python/verify_dkim.py"), input.as_bytes())).unwrap()
}

/// Runs a script with `input`, and gives back the JSON that it prints.
///
/// # Panics
///
/// Where the script fails, with what it said.
#[must_use]
pub fn run(script: &str, input: &[u8]) -> Value {
    run_by("python3", script, input)
}

fn run_by(python: &str, script: &str, input: &[u8]) -> Value {
    let mut command = Command::new(python);
    command.args(["-I", "-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect(INSTALL);
    let mut stdin = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input));
        child.wait_with_output().unwrap()
    });
    assert!(output.status.success(), "the script failed: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn verifies_dkim(python: &str) -> bool {
    let mut command = Command::new(python);
    command.args(["-I", "-c", "import dkim, nacl.signing"]).stdin(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
