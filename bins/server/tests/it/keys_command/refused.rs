//! What the command refuses, what it then says, and that it has done nothing.

use std::time::Duration;

use selfmx_testing::Database;
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::{keys, keys_command, secret};
use crate::process::{command_ends, database};

/// Nothing that is wrong may come as far as the database.
const NOWHERE: [(&str, &str); 2] =
    [("DATABASE_URL", "postgres://selfmx:url-canary@127.0.0.1:1/selfmx?sslmode=disable"), ("DB_POOL_TIMEOUT", "1")];

#[tokio::test]
async fn wrong_arguments_are_told_before_anything_is_done() {
    let secret = "sk_live_canary";
    for (arguments, words) in [
        (&[][..], "create, list, revoke"),
        (&["delete", "key_default"], "Usage: selfmx keys <create | list | revoke>"),
        (&["create"], "--name <NAME>"),
        (&["create", "--name", ""], "--name: must not be empty"),
        (&["create", "--name", "Shop", "now"], "'now'"),
        (&["create", "--name", "Shop", "--permissions", "sned"], "--permissions: `sned` is no permission; there are: *, send"),
        (&["create", "--name", "Shop", "--permissions", ""], "there are: *, send"),
        (&["create", "--name", "Shop", "--tenant", "Acme"], "--tenant: this is no id that begins with `tenant_`"),
        (&["create", "--name", "Shop", "--mode", "dry"], "--mode: must be one of: live, test"),
        (&["create", "--name", "Shop", "--expires-at", "2040-01-01"], "--expires-at: is no time of RFC 3339: write `2030-12-31T23:59:59Z`"),
        (&["list", "--all"], "'--all'"),
        (&["list", "--json=yes"], "'--json'"),
        (&["revoke"], "<ID>"),
        (&["revoke", "Shop"], "`selfmx keys list` shows the ids"),
        (&["revoke", secret], "ID: this is a secret, and the key's id is wanted"),
        (&["revoke", "key_default"], "API_KEY"),
        (&["revoke", "--id", secret], "'--id'"),
    ] {
        let ended = keys(&NOWHERE, arguments).await;
        assert_eq!((ended.code, ended.standard_output.as_str()), (Some(2), ""), "{arguments:?}: {}", ended.log);
        assert!(ended.log.starts_with("selfmx: ") && ended.log.contains(words), "{arguments:?}: {}", ended.log);
        assert_eq!((ended.log.matches("selfmx: ").count(), ended.log.contains("canary")), (1, false), "{arguments:?}: {}", ended.log);
    }
}

#[tokio::test]
async fn what_only_the_clock_or_the_database_can_refuse_is_named_too() {
    let database = database().await;
    let variables = [("DATABASE_URL", database.connection_string())];
    for (option, value, words) in [
        ("--expires-at", "2020-01-01T00:00:00Z", "selfmx: --expires-at: must be in the future\n"),
        ("--tenant", "tenant_01h455vb4pex5vsknk084sn02q", "selfmx: --tenant: there is no tenant with this id\n"),
    ] {
        let ended = keys(&variables, &["create", "--name", "Shop", option, value]).await;
        assert_eq!((ended.code, ended.standard_output.as_str(), ended.log.as_str()), (Some(2), "", words));
    }
    assert_eq!(database.query_one_text("SELECT count(*) FROM api_keys").await, "0");
}

#[tokio::test]
async fn help_tells_each_command() {
    for (arguments, words) in [(&["--help"][..], "revoke"), (&["create", "--help"], "--expires-at"), (&["help", "list"], "--revoked")] {
        let ended = keys(&NOWHERE, arguments).await;
        assert!(ended.code == Some(0) && ended.log.is_empty() && ended.standard_output.contains(words), "{arguments:?}");
    }
}

#[tokio::test]
async fn an_older_schema_is_left_to_the_command_that_brings_it_up_to_date() {
    let database = Database::empty().await;
    let variables = [("DATABASE_URL", database.connection_string())];
    for arguments in [&["create", "--name", "Shop"][..], &["list"], &["revoke", "key_01h455vb4pex5vsknk084sn02q"]] {
        let ended = keys(&variables, arguments).await;
        assert_eq!((ended.code, ended.standard_output.as_str()), (Some(1), ""), "{arguments:?}");
        assert!(ended.log.starts_with("selfmx: the database's schema is older") && ended.log.contains("`selfmx migrate`"), "{}", ended.log);
    }
    assert_eq!(database.query_one_text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").await, "0");
    let mut migrate = crate::process::command(&variables);
    migrate.arg("migrate");
    assert_eq!(command_ends(migrate).await.code, Some(0));
    secret(&keys(&variables, &["create", "--name", "Shop"]).await);
    // One that a later program made is no obstacle.
    database.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000000')").await;
    secret(&keys(&variables, &["create", "--name", "Shop"]).await);
}

#[tokio::test]
async fn a_database_that_is_silent_is_given_up_in_time() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://selfmx:url-canary@{}/selfmx?sslmode=disable", silent.local_addr().unwrap());
    let variables = [("DATABASE_URL", url.as_str()), ("DB_POOL_TIMEOUT", "1")];
    let ended = timeout(Duration::from_secs(20), keys(&variables, &["list"])).await.unwrap();
    assert_eq!((ended.code, ended.standard_output.as_str()), (Some(1), ""));
    assert!(ended.log.contains("selfmx: the database cannot be reached") && !ended.log.contains("canary"), "{}", ended.log);
}

#[tokio::test]
async fn a_database_that_is_not_there_is_told_in_words() {
    let mut command = keys_command(&NOWHERE, &["list"]);
    command.env_remove("LOG_FORMAT");
    let ended = command_ends(command).await;
    assert_eq!((ended.code, ended.standard_output.as_str()), (Some(1), ""));
    assert!(ended.log.contains(" WARN ") && !ended.log.contains('{') && !ended.log.contains("canary"), "{}", ended.log);
    assert!(ended.log.lines().last().unwrap().starts_with("selfmx: the database cannot be reached"), "{}", ended.log);
}

#[tokio::test]
async fn settings_of_the_server_alone_are_none_of_its_business() {
    let database = database().await;
    let variables = [("DATABASE_URL", database.connection_string()), ("PORT", "http"), ("API_KEY", "short"), ("SMTP_HOST", "a b")];
    assert_eq!(keys(&variables, &["list"]).await.code, Some(0));
    let ended = command_ends(keys_command(&[("DATABASE_URL", "mysql://u:url-canary@h/d")], &["list"])).await;
    assert!(ended.code == Some(2) && ended.log.contains("DATABASE_URL=(hidden)"), "{}", ended.log);
}
