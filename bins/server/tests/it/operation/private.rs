//! The embedded default: a private PostgreSQL, found again after whatever happens to the server.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;

use nix::unistd::Uid;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};

use crate::home::{Home, kill};
use crate::process::{Ended, Server, command_ends, ends, eventually};
use crate::world::text;

fn assert_stopped(ended: &Ended, home: &Home) {
    assert_eq!(ended.code, Some(0), "{}", ended.log);
    assert_eq!(home.postgres(), None, "it takes its PostgreSQL with it: {}", ended.log);
}

/// Makes a key and a mail, kills the server, then the server and PostgreSQL, then PostgreSQL alone, and finds both again each time.
async fn survives(home: &Home, variables: &[(&str, &str)]) {
    let server = home.start(variables).await;
    let printed = server.standard_output();
    let key = printed.split_whitespace().find(|word| word.starts_with("sk_live_")).unwrap();
    let (secret_key_file, secret_keys) = (secret_key(home), keys(&server));
    let sent = server.ask("POST", "/v1/send", Some(key), Some(&crate::world::email(&json!({})))).await;
    assert_eq!(sent.status, 202);
    let path = format!("/v1/emails/{}", text(&sent.json()["id"]));
    let found = async |server: &Server| {
        let email = server.ask("GET", &path, Some(key), None).await;
        assert_eq!((email.status, &email.json()["subject"]), (200, &json!("Hello")));
        assert_eq!(server.standard_output(), "", "no second key");
        assert_eq!((secret_key(home), keys(server)), (secret_key_file.clone(), secret_keys.clone()), "nor another secret key");
        assert!(!server.log().contains(secret_key_file.trim_end()));
    };
    let first = home.postgres().unwrap();
    server.kill().await;
    assert_eq!(home.postgres(), Some(first.clone()), "it outlives the server");
    let server = home.start(variables).await;
    assert_eq!(home.postgres(), Some(first), "and is found again");
    found(&server).await;
    server.kill().await;
    home.kill_postgres().await;
    let server = home.start(variables).await;
    found(&server).await;
    assert_stopped(&server.stop().await, home);
    let server = home.start(variables).await;
    found(&server).await;
    let lost = home.postgres().unwrap();
    kill("-KILL", &lost);
    eventually("PostgreSQL under the running server again", async || {
        home.postgres().is_some_and(|revived| revived != lost) && server.ask("GET", "/health/ready", None, None).await.status == 200
    })
    .await;
    found(&server).await;
    assert_stopped(&server.stop().await, home);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&home.data.join("postgres/cluster")), 0o700);
    assert!(server_has_no_port(home), "PostgreSQL takes connections over no network");
}

/// The key that secrets are sealed with, which the first start has made; closed to all but its owner.
fn secret_key(home: &Home) -> String {
    let path = home.data.join("secret.key");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    let text = fs::read_to_string(path).unwrap();
    assert_eq!(text.len(), 45, "base64 of 32 octets, and a line break");
    text
}

/// The ids of the keys that a server seals with.
fn keys(server: &Server) -> String {
    let log = server.log();
    let line = log.lines().find(|line| line.contains("secrets are sealed")).unwrap();
    text(&serde_json::from_str::<serde_json::Value>(line).unwrap()["keys"])
}

/// Whether PostgreSQL was told to listen on no address.
fn server_has_no_port(home: &Home) -> bool {
    let log = fs::read_to_string(home.data.join("postgres/postgres.log")).unwrap();
    log.contains("listening on Unix socket") && !log.contains("listening on IP")
}

#[tokio::test]
async fn what_was_accepted_is_found_again_by_whoever_runs_the_tests() {
    let home = Home::own();
    let data = home.data.to_str().unwrap().to_owned();
    survives(&home, &[("DATA_DIR", &data)]).await;
}

#[tokio::test]
async fn what_was_accepted_is_found_again_by_an_ordinary_user_in_the_default_folder() {
    let home = Home::of_an_ordinary_user();
    survives(&home, &[]).await;
    let owner = std::os::unix::fs::MetadataExt::uid(&fs::metadata(home.data.join("postgres/cluster")).unwrap());
    assert_eq!(owner, home.owner.as_ref().map_or(Uid::effective(), |user| user.uid).as_raw());
}

#[tokio::test]
async fn who_is_stopped_while_postgresql_starts_takes_it_with_it() {
    let home = Home::own();
    let data = home.data.to_str().unwrap().to_owned();
    // Once from nothing, then from what is there.
    for _ in 0..3 {
        let mut child = home.command(&[("DATA_DIR", &data)]).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        // Before PostgreSQL is asked for anything.
        log.read_line(&mut String::new()).await.unwrap();
        kill("-TERM", &child.id().unwrap().to_string());
        let mut rest = String::new();
        log.read_to_string(&mut rest).await.unwrap();
        assert_eq!((child.wait().await.unwrap().code(), home.postgres()), (Some(0), None), "{rest}");
        assert!(!rest.contains("listening"), "{rest}");
    }
}

#[tokio::test]
async fn two_servers_share_one_postgresql_and_the_last_takes_it_with_it() {
    let home = Home::own();
    let data = home.data.to_str().unwrap().to_owned();
    let variables = [("DATA_DIR", data.as_str())];
    let (one, other) = tokio::join!(home.start(&variables), home.start(&variables));
    assert_ne!(one.standard_output().is_empty(), other.standard_output().is_empty(), "one of them made the first key");
    assert_eq!(keys(&one), keys(&other), "and both have the one secret key");
    let postgres = home.postgres();
    assert_eq!(one.stop().await.code, Some(0));
    assert_eq!(home.postgres(), postgres, "the other uses it");
    assert_eq!(other.ask("GET", "/health/ready", None, None).await.status, 200);
    assert_stopped(&other.stop().await, &home);
}

#[tokio::test]
async fn a_secret_key_that_cannot_be_read_stops_the_start_before_anything_is_made() {
    let home = Home::of_an_ordinary_user();
    let path = home.data.join("secret.key");
    fs::create_dir(&home.data).unwrap();
    fs::write(&path, "secret-canary\n").unwrap();
    if let Some(user) = &home.owner {
        chown(&home.data, Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
    }
    for (mode, words) in [(0o644, "secret.key does not hold a secret key"), (0o000, "the secret key cannot be read from")] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let ended = command_ends(home.command(&[])).await;
        assert_eq!((ended.code, ended.log.lines().count()), (Some(2), 1), "{}", ended.log);
        assert!(ended.log.contains(words) && !ended.log.contains("canary"), "{}", ended.log);
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), "secret-canary\n");
    assert!(!home.data.join("postgres").exists());
}

#[tokio::test]
async fn programs_that_are_not_there_are_named_with_what_helps() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let ended = ends(&[("DATA_DIR", path), ("POSTGRES_BIN_DIR", path)]).await;
    assert_eq!(ended.code, Some(1));
    for words in ["selfmx: PostgreSQL's programs", path, "apt-get install -y postgresql", "DATABASE_URL="] {
        assert!(ended.log.contains(words), "{words}: {}", ended.log);
    }
}
