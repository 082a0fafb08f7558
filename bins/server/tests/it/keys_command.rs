//! `selfmx keys`, beside a running server and without one.

mod answers;
mod private;
mod refused;

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::process::Command;

use crate::forms::is_secret;
use crate::process::{Ended, Server, command_ends, command_of, eventually};

/// `selfmx keys` with these variables and arguments, and no secret key: it needs none.
fn keys_command(variables: &[(&str, &str)], arguments: &[&str]) -> Command {
    with(command_of(Path::new(env!("CARGO_BIN_EXE_selfmx")), variables), arguments)
}

/// A command with `keys` and these arguments.
fn with(mut command: Command, arguments: &[&str]) -> Command {
    command.arg("keys").args(arguments);
    command
}

/// Runs it to its end.
async fn keys(variables: &[(&str, &str)], arguments: &[&str]) -> Ended {
    command_ends(keys_command(variables, arguments)).await
}

/// The secret that is all of a command's standard output, and nowhere on its standard error.
fn secret(ended: &Ended) -> String {
    assert_eq!(ended.code, Some(0), "{}", ended.log);
    let secret = ended.standard_output.strip_suffix('\n').unwrap().to_owned();
    let form = secret.get(..8).unwrap_or_default();
    assert!(["sk_live_", "sk_test_"].contains(&form) && is_secret(form, &secret.as_str().into()), "{}", ended.standard_output);
    assert!(!ended.log.contains(&secret[8..]), "{}", ended.log);
    secret
}

/// The id that a command says beside the secret.
fn id(ended: &Ended) -> String {
    ended.log.split_whitespace().find(|word| word.starts_with("key_")).unwrap().to_owned()
}

/// What a command answers in JSON.
fn json(ended: &Ended) -> Value {
    assert_eq!((ended.code, ended.log.as_str(), ended.standard_output.lines().count()), (Some(0), "", 1), "{}", ended.standard_output);
    serde_json::from_str(&ended.standard_output).unwrap()
}

/// Waits until a key is refused, for as long as a running server may take to hear that it is revoked.
async fn is_refused(server: &Server, secret: &str) {
    let begun = Instant::now();
    eventually("the key to be refused", async || status(server, secret).await == 401).await;
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(status(server, secret).await, 401);
}

/// The status that a key is answered with.
async fn status(server: &Server, secret: &str) -> u16 {
    server.ask("GET", "/v1/api-keys/me", Some(secret), None).await.status
}
