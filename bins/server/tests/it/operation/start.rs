//! Commands, where settings come from, and a start on a database in whatever state.

use std::fs;

use selfmx_testing::Database;
use serde_json::json;
use tokio::net::TcpListener;

use crate::process::{KEY, SECRET_KEY, Server, command, command_ends, database, ends, eventually};
use crate::world::text;

#[tokio::test]
async fn commands_that_need_no_server_answer_and_others_are_refused() {
    let told = async |arguments: &[&str]| {
        let mut command = command(&[]);
        command.args(arguments);
        command_ends(command).await
    };
    for version in ["version", "--version", "-V"] {
        let ended = told(&[version]).await;
        assert_eq!((ended.code, ended.standard_output), (Some(0), format!("selfmx {}\n", env!("CARGO_PKG_VERSION"))), "{version}");
    }
    for help in ["help", "--help", "-h"] {
        let ended = told(&[help]).await;
        assert!(
            ended.code == Some(0)
                && ended.standard_output.contains("Usage: selfmx [serve | migrate | keys | secrets | db | version | help]\n"),
            "{help}"
        );
    }
    for wrong in [&["start"][..], &["Serve"], &["serve", "now"], &["version", "--json"], &[""]] {
        let ended = told(wrong).await;
        assert_eq!((ended.code, ended.standard_output.as_str()), (Some(2), ""), "{wrong:?}");
        assert!(ended.log.contains(wrong[0]) && ended.log.contains("Usage: selfmx"), "{wrong:?}: {}", ended.log);
    }
}

#[tokio::test]
async fn settings_come_from_the_environment_then_from_env_and_from_files_that_either_names() {
    let (database, folder) = (database().await, tempfile::tempdir().unwrap());
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("url"), format!("{}\n", database.connection_string())).unwrap();
    fs::write(path("secret"), format!("{SECRET_KEY}\n")).unwrap();
    fs::write(path("key"), "a-key-from-a-file-of-its-own\r\n").unwrap();
    let lines = format!(
        "# A comment\nexport DATABASE_URL_FILE=\"{}\"\nSECRET_KEY_FILE={}\nCORS_ORIGINS=https://env.example\nPORT=http\nAPI_KEY=\n",
        path("url"),
        path("secret")
    );
    fs::write(path(".env"), lines).unwrap();
    let mut command = command(&[("PORT", "0"), ("API_KEY_FILE", &path("key")), ("SECRET_KEY", "")]);
    command.current_dir(folder.path());
    let server = Server::spawn(command).await;
    let mut http = server.connect().await;
    let headers = [("authorization", "Bearer a-key-from-a-file-of-its-own"), ("origin", "https://env.example")];
    let answer = http.send_octets("GET", "/v1/api-keys/me", &headers, Vec::new()).await.unwrap();
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some("https://env.example")));
    assert_eq!(answer.json()["id"], "key_default");
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let (database, taken) = (database().await, TcpListener::bind("127.0.0.1:0").await.unwrap());
    let address = taken.local_addr().unwrap();
    let ended = ends(&[("DATABASE_URL", database.connection_string()), ("API_KEY", KEY), ("PORT", &address.port().to_string())]).await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.log.lines().last().unwrap().starts_with(&format!("selfmx: cannot listen on {address}: ")), "{}", ended.log);
}

#[tokio::test]
async fn migrating_can_be_left_to_a_command_of_its_own() {
    let database = Database::empty().await;
    let variables = [("DATABASE_URL", database.connection_string()), ("API_KEY", KEY), ("DB_AUTO_MIGRATE", "false")];
    let refused = ends(&variables).await;
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.log.ends_with("selfmx: the database is not migrated and DB_AUTO_MIGRATE=false: run `selfmx migrate` first\n"),
        "{}",
        refused.log
    );
    assert_eq!(database.query_one_text("SELECT count(*) FROM pg_tables WHERE tablename = 'emails'").await, "0");
    let migrate = async || {
        let mut command = command(&variables);
        // It reads and writes nothing that is sealed.
        command.arg("migrate").env_remove("SECRET_KEY");
        command_ends(command).await
    };
    let first = migrate().await;
    assert_eq!((first.code, first.standard_output.starts_with("0 migrations")), (Some(0), false), "{}", first.log);
    let second = migrate().await;
    assert_eq!((second.code, second.standard_output.as_str()), (Some(0), "0 migrations run; the schema is up to date\n"));
    let server = Server::start_with(&variables).await;
    assert_eq!(server.ask("POST", "/v1/send", Some(KEY), Some(&crate::world::email(&json!({})))).await.status, 202);
}

#[tokio::test]
async fn a_database_that_cannot_be_reached_is_waited_for_and_then_said() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    drop(silent);
    let url = format!("postgres://selfmx:url-canary@{address}/selfmx?sslmode=disable");
    let ended = ends(&[("DATABASE_URL", &url), ("API_KEY", KEY), ("DB_POOL_TIMEOUT", "1")]).await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.log.contains("waiting for the database") && ended.log.lines().last().unwrap().starts_with("selfmx: "), "{}", ended.log);
    assert!(!ended.log.contains("url-canary"), "{}", ended.log);
}

#[tokio::test]
async fn two_servers_may_start_at_once_on_an_empty_database() {
    let database = Database::empty().await;
    let variables = [("DATABASE_URL", database.connection_string())];
    let (one, other) = tokio::join!(Server::start_with(&variables), Server::start_with(&variables));
    // One of them made the first key.
    let printed: Vec<String> = [&one, &other].iter().flat_map(|server| keys(&server.standard_output())).collect();
    assert_eq!(printed.len(), 1, "{printed:?}");
    for server in [&one, &other] {
        assert_eq!(server.ask("GET", "/health/ready", None, None).await.status, 200);
        assert_eq!(server.ask("GET", "/v1/api-keys/me", Some(&printed[0]), None).await.status, 200);
    }
    // What one accepts the other knows at once, and what it revokes within a second.
    let sent = one.ask("POST", "/v1/send", Some(&printed[0]), Some(&crate::world::email(&json!({})))).await.json();
    assert_eq!(other.ask("GET", &format!("/v1/emails/{}", text(&sent["id"])), Some(&printed[0]), None).await.status, 200);
    let wanted = json!({"name": "Brief", "permissions": ["send"]});
    let made = one.ask("POST", "/v1/api-keys", Some(&printed[0]), Some(&wanted)).await.json();
    let (id, secret) = (text(&made["id"]), text(&made["key"]));
    assert_eq!(other.ask("GET", "/v1/api-keys/me", Some(&secret), None).await.status, 200);
    assert_eq!(one.ask("DELETE", &format!("/v1/api-keys/{id}"), Some(&printed[0]), None).await.status, 200);
    eventually("the other server to refuse the key", async || other.ask("GET", "/v1/api-keys/me", Some(&secret), None).await.status == 401)
        .await;
}

fn keys(printed: &str) -> Vec<String> {
    printed.split_whitespace().filter(|word| word.starts_with("sk_live_")).map(str::to_owned).collect()
}
