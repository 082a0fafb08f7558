//! The command on a private PostgreSQL: found or started, kept while it is needed, and left as it was.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::process::Output;

use nix::unistd::Uid;
use tokio::process::Child;
use tokio_postgres::{Client, NoTls};

use super::{id, is_refused, secret, status, with};
use crate::home::{Home, kill};
use crate::process::{Ended, command_ends, eventually};

async fn keys(home: &Home, arguments: &[&str]) -> Ended {
    command_ends(with(home.command(&data(home)), arguments)).await
}

fn data(home: &Home) -> [(&str, &str); 1] {
    [("DATA_DIR", home.data.to_str().unwrap())]
}

fn ended(output: Output) -> Ended {
    let text = |octets| String::from_utf8(octets).unwrap();
    Ended { code: output.status.code(), log: text(output.stderr), standard_output: text(output.stdout) }
}

/// A session in the private PostgreSQL.
async fn session(home: &Home) -> Client {
    let socket = home.data.join("postgres/socket");
    let address = format!("host='{}' user=selfmx dbname=selfmx", socket.display());
    let (client, connection) = tokio_postgres::connect(&address, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// A command in the midst of its work: it waits to write until the session that is returned too commits.
async fn held(home: &Home, name: &str) -> (Child, Client) {
    let session = session(home).await;
    session.batch_execute("BEGIN; LOCK TABLE api_keys IN SHARE MODE").await.unwrap();
    let child = with(home.command(&data(home)), &["create", "--name", name]).spawn().unwrap();
    let waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'api_keys'::regclass";
    eventually("the command to wait", async || session.query_one(waits, &[]).await.unwrap().get::<_, i64>(0) == 1).await;
    (child, session)
}

/// Makes a key while nothing runs and while the server runs, and revokes it under the running server.
async fn comes_and_goes(home: &Home) {
    let variables = data(home);
    assert_eq!(home.start(&variables).await.stop().await.code, Some(0));
    let made = keys(home, &["create", "--name", "Before"]).await;
    let before = secret(&made);
    assert_eq!(home.postgres(), None, "what it started it has stopped");
    let listed = command_ends(with(home.command(&[variables[0], ("LOG_LEVEL", "debug")]), &["list"])).await;
    assert_eq!((listed.code, listed.log.as_str()), (Some(0), ""), "it speaks of what went wrong alone");
    let server = home.start(&variables).await;
    let postgres = home.postgres();
    let during = keys(home, &["create", "--name", "During"]).await;
    assert_eq!((status(&server, &before).await, status(&server, &secret(&during)).await), (200, 200));
    assert_eq!(keys(home, &["revoke", &id(&during)]).await.code, Some(0));
    is_refused(&server, &secret(&during)).await;
    assert_eq!(status(&server, &before).await, 200);
    assert_eq!(home.postgres(), postgres, "what it found it has left");
    assert_eq!(server.ask("GET", "/health/ready", None, None).await.status, 200);
    assert_eq!((server.stop().await.code, home.postgres()), (Some(0), None));
    let log = fs::read_to_string(home.data.join("postgres/postgres.log")).unwrap();
    assert!(!log.contains(&before[8..]) && !log.contains("sk_live_"), "{log}");
}

#[tokio::test]
async fn it_starts_what_does_not_run_and_leaves_what_runs() {
    let home = Home::own();
    comes_and_goes(&home).await;
    is_refused_to_others(&home).await;
    tells_of_an_older_schema(&home).await;
}

#[tokio::test]
async fn so_it_does_for_an_ordinary_user_and_root_may_help_out() {
    let home = Home::of_an_ordinary_user();
    comes_and_goes(&home).await;
    let made = command_ends(with(home.command_as_we_are(&data(&home)), &["create", "--name", "Helped"])).await;
    let server = home.start(&data(&home)).await;
    assert_eq!(status(&server, &secret(&made)).await, 200);
    let owner = home.owner.as_ref().map_or(Uid::effective(), |user| user.uid).as_raw();
    for entry in fs::read_dir(home.data.join("postgres")).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().uid(), owner, "{:?}", entry.path());
    }
    server.stop().await;
}

/// Whoever is not root can make no folder that is another's.
async fn is_refused_to_others(home: &Home) {
    let other = Home::of_an_ordinary_user();
    if other.owner.is_none() {
        return;
    }
    let refused = command_ends(with(other.command(&data(home)), &["list"])).await;
    assert_eq!((refused.code, refused.standard_output.as_str()), (Some(1), ""));
    assert!(refused.log.contains("belongs to user id") && refused.log.contains("run as its owner or as root"), "{}", refused.log);
}

#[tokio::test]
async fn where_there_are_no_data_none_are_made() {
    let home = Home::own();
    fs::create_dir(&home.data).unwrap();
    for (place, arguments) in [(home.data.clone(), &["list"][..]), (home.data.join("nowhere"), &["create", "--name", "Shop"])] {
        let refused = command_ends(with(home.command(&[("DATA_DIR", place.to_str().unwrap())]), arguments)).await;
        assert_eq!((refused.code, refused.standard_output.as_str()), (Some(1), ""));
        for words in ["selfmx: there is no database in", place.to_str().unwrap(), "`DATA_DIR`", "`DATABASE_URL`"] {
            assert!(refused.log.contains(words), "{words}: {}", refused.log);
        }
    }
    assert_eq!(fs::read_dir(&home.data).unwrap().count(), 0, "nothing is made");
}

#[tokio::test]
async fn servers_and_commands_may_come_and_go_at_any_moment() {
    let home = Home::own();
    outlives_a_server_that_stops(&home).await;
    leaves_it_to_a_server_that_starts(&home).await;
    is_served_whoever_comes_first(&home).await;
    has_done_nothing_where_postgresql_dies(&home).await;
    ends_well_by_a_signal(&home).await;
}

/// PostgreSQL then stays until the command is done.
async fn outlives_a_server_that_stops(home: &Home) {
    let server = home.start(&data(home)).await;
    let (command, session) = held(home, "Outliving").await;
    let stopped = server.stop().await;
    assert!(stopped.code == Some(0) && stopped.log.contains("another process uses it"), "{}", stopped.log);
    assert!(home.postgres().is_some());
    session.batch_execute("COMMIT").await.unwrap();
    let made = secret(&ended(command.wait_with_output().await.unwrap()));
    assert_eq!(home.postgres(), None, "the last takes it with it");
    let server = home.start(&data(home)).await;
    assert_eq!(status(&server, &made).await, 200);
    server.stop().await;
}

/// PostgreSQL then stays beyond the command.
async fn leaves_it_to_a_server_that_starts(home: &Home) {
    let server = home.start(&data(home)).await;
    let (command, session) = held(home, "Left").await;
    server.stop().await;
    let postgres = home.postgres();
    let server = home.start(&data(home)).await;
    session.batch_execute("COMMIT").await.unwrap();
    let made = secret(&ended(command.wait_with_output().await.unwrap()));
    assert_eq!(status(&server, &made).await, 200);
    assert_eq!((home.postgres(), server.stop().await.code), (postgres, Some(0)));
    assert_eq!(home.postgres(), None);
}

/// Servers and commands wait for one another.
async fn is_served_whoever_comes_first(home: &Home) {
    let variables = data(home);
    let (one, other, server, listed) = tokio::join!(
        keys(home, &["create", "--name", "One"]),
        keys(home, &["create", "--name", "Other"]),
        home.start(&variables),
        keys(home, &["list"])
    );
    assert_eq!((status(&server, &secret(&one)).await, status(&server, &secret(&other)).await), (200, 200));
    assert_eq!(listed.code, Some(0), "{}", listed.log);
    let (stopped, third) = tokio::join!(server.stop(), keys(home, &["create", "--name", "Third"]));
    assert_eq!((stopped.code, home.postgres()), (Some(0), None), "{}", stopped.log);
    secret(&third);
}

/// It then says that the database is gone.
async fn has_done_nothing_where_postgresql_dies(home: &Home) {
    home.start(&data(home)).await.kill().await;
    let (command, _session) = held(home, "Undone").await;
    home.kill_postgres().await;
    let failed = ended(command.wait_with_output().await.unwrap());
    assert_eq!((failed.code, failed.standard_output.as_str()), (Some(1), ""));
    assert!(failed.log.contains("selfmx: the database cannot be reached"), "{}", failed.log);
    let listed = keys(home, &["list"]).await;
    assert!(listed.code == Some(0) && !listed.standard_output.contains("Undone"), "{}{}", listed.standard_output, listed.log);
    assert_eq!(home.postgres(), None);
}

/// During the work a signal waits; before it, what was started is stopped.
async fn ends_well_by_a_signal(home: &Home) {
    home.start(&data(home)).await.kill().await;
    let (command, session) = held(home, "Signalled").await;
    kill("-INT", &command.id().unwrap().to_string());
    session.batch_execute("COMMIT").await.unwrap();
    secret(&ended(command.wait_with_output().await.unwrap()));
    assert_eq!(home.postgres(), None);
    // Somebody else starts or stops PostgreSQL.
    let door = home.data.join("postgres/door.lock");
    let held = fs::File::open(&door).unwrap();
    held.lock().unwrap();
    let command = with(home.command(&data(home)), &["create", "--name", "Interrupted"]).spawn().unwrap();
    let files = format!("/proc/{}/fd", command.id().unwrap());
    let opened = || fs::read_dir(&files).unwrap().filter_map(|file| fs::read_link(file.unwrap().path()).ok()).any(|file| file == door);
    eventually("the command to stand at the door", async || opened()).await;
    kill("-TERM", &command.id().unwrap().to_string());
    drop(held);
    let stopped = ended(command.wait_with_output().await.unwrap());
    assert_eq!((stopped.code, stopped.standard_output.as_str(), home.postgres()), (Some(1), "", None));
    assert_eq!(stopped.log, "selfmx: stopped by a signal; nothing was done\n");
}

/// And stops what it found that nobody else uses.
async fn tells_of_an_older_schema(home: &Home) {
    home.start(&data(home)).await.kill().await;
    session(home).await.batch_execute("DELETE FROM __diesel_schema_migrations").await.unwrap();
    let refused = keys(home, &["create", "--name", "Shop"]).await;
    assert_eq!((refused.code, refused.standard_output.as_str(), home.postgres()), (Some(1), "", None));
    assert!(refused.log.contains("`selfmx migrate`"), "{}", refused.log);
}
