//! Each wrong setting stops the start with one message that names the variable, its value and what is allowed.

use std::collections::BTreeSet;
use std::fs;

use selfmx_testing::Certificate;

use crate::process::{Ended, command, command_ends, ends};

/// Nothing that is wrong may come as far as the database.
const NOWHERE: (&str, &str) = ("DATABASE_URL", "postgres://selfmx:url-canary@127.0.0.1:1/selfmx?sslmode=disable");

const SOON: (&str, &str) = ("DB_POOL_TIMEOUT", "1");

fn assert_refused(ended: &Ended, words: &str) {
    assert_eq!(ended.code, Some(2), "{words}: {}", ended.log);
    assert!(ended.log.starts_with("selfmx: ") && ended.log.lines().count() == 1, "one message: {}", ended.log);
    assert!(ended.log.contains(words), "{words}: {}", ended.log);
    assert!(!ended.log.contains("canary") && ended.standard_output.is_empty(), "{}{}", ended.log, ended.standard_output);
}

#[tokio::test]
async fn a_wrong_value_is_named_with_what_is_allowed() {
    let long = "k".repeat(257);
    let relay = ("SMTP_HOST", "relay.example");
    for (variables, words) in [
        (&[("PORT", "http")][..], "PORT=http is not allowed: a whole number from 0 to 65535"),
        (&[("PORT", "65536")], "PORT=65536 is not allowed"),
        (&[("PORT", "-1")], "PORT=-1 is not allowed"),
        (&[("PORT", " 80")], "PORT= 80 is not allowed"),
        (&[("HOST", "localhost")], "HOST=localhost is not allowed: an IP address"),
        (&[("HOST", "127.0.0.1:80")], "HOST=127.0.0.1:80 is not allowed"),
        (&[("API_KEY", "key-canary")], "API_KEY=(hidden) is not allowed: must have 16..256 characters, and has 10"),
        (&[("API_KEY", &long)], "API_KEY=(hidden) is not allowed: must have 16..256 characters, and has 257"),
        (&[("API_KEY", "a key-canary with spaces")], "API_KEY=(hidden) is not allowed"),
        (&[("METRICS_TOKEN", "token-canary")], "METRICS_TOKEN=(hidden) is not allowed: must have 16..256 characters, and has 12"),
        (&[("DATABASE_URL", "mysql://u:url-canary@h/d")], "DATABASE_URL=(hidden) is not allowed"),
        (&[("DATABASE_URL", "postgres://u:url-canary@h/d?sslmode=sometimes")], "DATABASE_URL=(hidden) is not allowed"),
        (&[("DATABASE_URL", "postgres://u:url-canary@h:port/d")], "DATABASE_URL=(hidden) is not allowed"),
        (
            &[("SECRET_KEY", "secret-canary")],
            "SECRET_KEY=(hidden) is not allowed: must be 32 random octets in base64; `openssl rand -base64 32` makes one",
        ),
        (&[("SECRET_KEYS_OLD", "old-canary,old-canary")], "SECRET_KEYS_OLD=(hidden) is not allowed: must be 32 random octets in base64"),
        (&[("SECRET_KEY", "")], "SECRET_KEY is not set, and is required with DATABASE_URL"),
        (&[("SECRET_KEY", ""), ("SECRET_KEY_FILE", "/nowhere")], "SECRET_KEY_FILE names the file /nowhere, which cannot be read"),
        (&[("DB_POOL_SIZE", "0")], "DB_POOL_SIZE=0 is not allowed: a whole number from 1 to 1000"),
        (&[("DB_POOL_TIMEOUT", "0")], "DB_POOL_TIMEOUT=0 is not allowed: a whole number from 1 to 86400"),
        (&[("DB_IDLE_TIMEOUT", "never")], "DB_IDLE_TIMEOUT=never is not allowed"),
        (&[("DB_AUTO_MIGRATE", "yes")], "DB_AUTO_MIGRATE=yes is not allowed: true or false"),
        (&[relay, ("SMTP_PORT", "0")], "SMTP_PORT=0 is not allowed: a whole number from 1 to 65535"),
        (&[("SMTP_PORT", "smtp")], "SMTP_PORT=smtp is not allowed"),
        (&[relay, ("SMTP_TLS", "starttls")], "SMTP_TLS=starttls is not allowed: true or false"),
        (&[relay, ("SMTP_TLS_VERIFY", "0")], "SMTP_TLS_VERIFY=0 is not allowed: true or false"),
        (&[relay, ("SMTP_TIMEOUT", "0")], "SMTP_TIMEOUT=0 is not allowed"),
        (&[relay, ("SMTP_POOL_SIZE", "1001")], "SMTP_POOL_SIZE=1001 is not allowed: a whole number from 1 to 1000"),
        (&[relay, ("SMTP_USER", "mailer")], "SMTP_USER is set without SMTP_PASS"),
        (&[relay, ("SMTP_PASS", "pass-canary")], "SMTP_PASS is set without SMTP_USER"),
        (&[("SMTP_HOST", "relay example")], "SMTP_HOST=relay example is not allowed: a host name or an IP address"),
        (&[("SMTP_HOST", "relay.example:587")], "SMTP_HOST=relay.example:587 is not allowed: a host name or an IP address"),
        (&[relay, ("SMTP_TLS", "false"), ("SMTP_USER", "mailer"), ("SMTP_PASS", "pass-canary")], "credentials are not sent in clear"),
        (&[("QUEUE_WORKERS", "0")], "QUEUE_WORKERS=0 is not allowed: a whole number from 1 to 256"),
        (&[("QUEUE_RETRY_ATTEMPTS", "101")], "QUEUE_RETRY_ATTEMPTS=101 is not allowed: a whole number from 0 to 100"),
        (&[("QUEUE_RETRY_DELAY", "1m")], "QUEUE_RETRY_DELAY=1m is not allowed: a whole number from 0 to 86400"),
        (&[("CORS_ORIGINS", "app.example")], "CORS_ORIGINS=app.example is not allowed: *"),
        (&[("TRUSTED_PROXIES", "10.0.0.0/33")], "TRUSTED_PROXIES=10.0.0.0/33 is not allowed"),
        (&[("SEND_BODY_LIMIT", "1")], "SEND_BODY_LIMIT=1 is not allowed: a whole number from 1048576"),
        (&[("LOG_LEVEL", "trace")], "LOG_LEVEL=trace is not allowed: debug, info, warn or error"),
        (&[("LOG_FORMAT", "xml")], "LOG_FORMAT=xml is not allowed: json or text"),
        (&[("TLS_CERT", "cert.pem")], "TLS_CERT is set without TLS_KEY"),
        (&[("TLS_KEY", "key.pem")], "TLS_KEY is set without TLS_CERT"),
        (&[("TLS_CERT", "/nowhere"), ("TLS_KEY", "/nowhere")], "TLS_CERT=/nowhere is not allowed: a PEM file with a certificate chain"),
        (&[("API_KEY_FILE", "/nowhere")], "API_KEY_FILE names the file /nowhere, which cannot be read"),
        (&[("API_KEY", "key-canary-key-canary"), ("API_KEY_FILE", "/nowhere")], "API_KEY and API_KEY_FILE are both set"),
    ] {
        assert_refused(&ends(&[&[NOWHERE, SOON], variables].concat()).await, words);
    }
}

#[tokio::test]
async fn files_that_do_not_hold_what_they_should_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (Certificate::for_loopback(), Certificate::for_loopback());
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (certificate, key, others) = (file("c.pem", one.pem()), file("k.pem", one.key_pem()), file("o.pem", other.key_pem()));
    let short = file("short", "key-canary\n");
    for (variables, words) in [
        (&[("TLS_CERT", key.as_str()), ("TLS_KEY", key.as_str())][..], "TLS_CERT="),
        (&[("TLS_CERT", &certificate), ("TLS_KEY", &certificate)], "TLS_KEY="),
        (&[("TLS_CERT", &certificate), ("TLS_KEY", &others)], "a certificate that fits TLS_KEY"),
        (&[("SECRET_KEY", ""), ("SECRET_KEY_FILE", &short)], "SECRET_KEY=(hidden) is not allowed: must be 32 random octets"),
        (&[("API_KEY_FILE", &short)], "API_KEY=(hidden) is not allowed: must have 16..256 characters, and has 10"),
    ] {
        assert_refused(&ends(&[&[NOWHERE, SOON], variables].concat()).await, words);
    }
    file(".env", "API_KEY='env-canary\nPORT=1\n");
    let mut command = command(&[NOWHERE, SOON]);
    command.current_dir(folder.path());
    assert_refused(&command_ends(command).await, "the file .env cannot be read");
}

/// The parts of the program that read settings.
const READERS: [&str; 6] = [
    include_str!("../../../src/settings.rs"),
    include_str!("../../../src/secrets.rs"),
    include_str!("../../../src/dkim.rs"),
    include_str!("../../../src/tls.rs"),
    include_str!("../../../src/logs.rs"),
    include_str!("../../../src/copies/programs.rs"),
];

/// Words in capitals that are no settings.
const OTHERS: [&str; 3] = ["PATH", "PGDATABASE", "CARGO_PKG_VERSION"];

/// The text's words in capitals that stand between two marks.
fn capitals(text: &str, mark: char) -> BTreeSet<&str> {
    let is_name = |word: &&str| word.len() > 3 && word.chars().all(|c| c == '_' || c.is_ascii_uppercase()) && !OTHERS.contains(word);
    text.split(mark).filter(is_name).collect()
}

#[test]
fn the_settings_that_are_documented_are_those_that_there_are() {
    let manual = include_str!("../../../../../docs/operations.md");
    let (_, table) = manual.split_once("| variable | default | meaning |").unwrap();
    let rows = table.split("\n\n").next().unwrap().lines().filter_map(|row| row.split('|').nth(1));
    let documented: BTreeSet<&str> = rows.flat_map(|cell| capitals(cell, '`')).collect();
    let read: BTreeSet<&str> = READERS.iter().flat_map(|text| capitals(text.split("#[cfg(test)]").next().unwrap(), '"')).collect();
    let missing: Vec<_> = read.difference(&documented).collect();
    assert!(missing.is_empty(), "say in docs/operations.md, under Settings, what these do: {missing:?}");
    let unknown: Vec<_> = documented.difference(&read).collect();
    assert!(unknown.is_empty(), "nobody reads these settings, which docs/operations.md names: {unknown:?}");
}
