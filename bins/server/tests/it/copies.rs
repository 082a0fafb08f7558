//! `selfmx db`: a copy of a server's database, and a server on the copy that answers as the one before.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use selfmx_testing::Database;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::home::Home;
use crate::process::{Ended, KEY, SECRET_KEY, Server, command, command_ends, until};
use crate::world::{World, email, in_seconds, text};

/// What is asked before and after; with the default tenant's, what a tenant has.
const ASKED: [&str; 11] = [
    "/v1/emails",
    "/v1/logs",
    "/v1/api-keys",
    "/v1/templates",
    "/v1/suppressions",
    "/v1/tenants",
    "/v1/audit-logs",
    "/v1/tenants/TENANT/emails",
    "/v1/tenants/TENANT/logs",
    "/v1/tenants/TENANT",
    "/v1/tenants/TENANT/api-keys",
];

/// Runs `selfmx db` on a database.
async fn db(database: &Database, arguments: &[&str]) -> Ended {
    let mut command = command(&[("DATABASE_URL", database.connection_string())]);
    command.arg("db").args(arguments);
    command_ends(command).await
}

fn in_folder(folder: &TempDir) -> String {
    folder.path().join("copy.dump").to_str().unwrap().to_owned()
}

/// A server with something of everything, and the tenant that it has.
async fn furnished() -> (World, String) {
    let world = World::start_with(&[("TENANT_SMTP_ALLOW_PRIVATE", "true")]).await;
    let smtp = json!({"host": "192.0.2.7", "user": "u", "pass": "a-made-up-password"});
    let tenant = world.tenant_of(json!({"name": "Tenant", "smtp": smtp})).await;
    let key = world.key(json!({"name": "Key", "permissions": ["send"], "tenant_id": tenant})).await;
    world.send_as(&key.secret, json!({"scheduled_at": in_seconds(86_400)})).await;
    let id = world.send(json!({"tags": ["a"], "metadata": {"order": "7"}})).await;
    world.settled(&id).await;
    let template = json!({"name": "welcome", "subject": "Hello {{name}}", "text": "t"});
    assert_eq!(world.post("/v1/templates", &template).await.status, 201);
    assert_eq!(world.post("/v1/suppressions", &json!({"address": "gone@recipient.example"})).await.status, 201);
    // That the key was used is written a little later.
    until(&world.database, "SELECT bool_and(last_used_at IS NOT NULL) FROM api_keys", "t").await;
    (world, tenant)
}

/// Fails the test where a server does not answer all as before.
async fn answers_as(server: &Server, tenant: &str, before: &[Value]) {
    let now = answers(server, tenant).await;
    assert_eq!(now.len(), before.len());
    for (now, before) in now.iter().zip(before) {
        assert_eq!(now, before);
    }
}

/// All that a server answers to what is asked.
async fn answers(server: &Server, tenant: &str) -> Vec<Value> {
    let mut answers = Vec::new();
    for path in ASKED {
        let answer = server.ask("GET", &path.replace("TENANT", tenant), Some(KEY), None).await;
        assert_eq!(answer.status, 200, "{path}");
        let mut told = answer.json();
        // The operator's own key is a setting, and as old as its server.
        if let Some(data) = told["data"].as_array_mut() {
            data.retain(|object| object["id"] != "key_default");
        }
        answers.push(told);
        for email in answer.json()["data"].as_array().into_iter().flatten().filter(|_| path == "/v1/emails") {
            for path in [format!("/v1/emails/{}", text(&email["id"])), format!("/v1/emails/{}/raw", text(&email["id"]))] {
                let answer = server.ask("GET", &path, Some(KEY), None).await;
                assert_eq!(answer.status, 200, "{path}");
                answers.push(json!([answer.json(), String::from_utf8_lossy(&answer.body)]));
            }
        }
    }
    answers
}

#[tokio::test]
async fn a_server_on_a_restored_copy_answers_as_the_one_before() {
    let (folder, (world, tenant)) = (tempfile::tempdir().unwrap(), furnished().await);
    let (file, before) = (in_folder(&folder), answers(&world.server, &tenant).await);
    // While the server runs.
    let made = db(&world.database, &["backup", &file]).await;
    assert_eq!(made.code, Some(0), "{}", made.log);
    assert!(made.log.contains("SECRET_KEY is not in it"), "{}", made.log);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing lies beside it");
    let place = world.server.ask("GET", "/v1/events/stream?follow=false", Some(KEY), None).await;
    let place = String::from_utf8_lossy(&place.body).lines().find_map(|line| Some(line.strip_prefix("id: ")?.to_owned())).unwrap();
    let again = db(&world.database, &["backup", &file]).await;
    assert_eq!(again.code, Some(1));
    assert!(again.log.contains("is not overwritten"), "{}", again.log);

    let elsewhere = Database::empty().await;
    let restored = db(&elsewhere, &["restore", &file]).await;
    assert_eq!(restored.code, Some(0), "{}", restored.log);
    let server = Server::start(&elsewhere, &[]).await;
    answers_as(&server, &tenant, &before).await;
    // What was sealed opens still: the relay's password is that of before, and the log has no word of a key that is missing.
    assert!(!server.log().contains("cannot be opened"), "{}", server.log());
    let bearer = format!("Bearer {KEY}");
    let asked = [("authorization", bearer.as_str()), ("last-event-id", &place)];
    let gone = server.connect().await.send_octets("GET", "/v1/events/stream", &asked, Vec::new()).await.unwrap();
    assert_eq!((gone.status, gone.json()["error"]["code"].clone()), (410, json!("stream_reset")));
}

#[tokio::test]
async fn a_restore_replaces_nothing_unless_told_to_and_not_under_a_running_server() {
    let (folder, (world, tenant)) = (tempfile::tempdir().unwrap(), furnished().await);
    let file = in_folder(&folder);
    let before = answers(&world.server, &tenant).await;
    assert_eq!(db(&world.database, &["backup", &file]).await.code, Some(0));
    let later = world.send(json!({})).await;
    for arguments in [&["restore", &file][..], &["restore", "--force", &file]] {
        let refused = db(&world.database, arguments).await;
        assert_eq!(refused.code, Some(1));
        assert!(refused.log.contains("stop all servers first"), "{}", refused.log);
    }
    assert_eq!(world.server.stop().await.code, Some(0));
    let refused = db(&world.database, &["restore", &file]).await;
    assert_eq!(refused.code, Some(1));
    assert!(refused.log.contains("--force") && refused.log.contains("nothing was done"), "{}", refused.log);
    // What is no copy, or not a whole one, takes nothing away.
    let (nothing, half) = (folder.path().join("nothing"), folder.path().join("half"));
    fs::write(&nothing, "no copy").unwrap();
    let whole = fs::read(&file).unwrap();
    fs::write(&half, &whole[..whole.len() * 3 / 4]).unwrap();
    for broken in [&nothing, &half, Path::new("/nowhere")] {
        let refused = db(&world.database, &["restore", "--force", broken.to_str().unwrap()]).await;
        assert_eq!(refused.code, Some(1), "{}", broken.display());
    }
    let query = "SELECT count(*) FROM emails WHERE tenant_id = '00000000-0000-0000-0000-000000000000'";
    assert_eq!(world.database.query_one_text(query).await, "2", "{later}");
    let restored = db(&world.database, &["restore", "--force", &file]).await;
    assert_eq!(restored.code, Some(0), "{}", restored.log);
    assert_eq!(world.database.query_one_text("SELECT count(*) FROM pg_namespace WHERE nspname = 'before_restore'").await, "0");
    let server = Server::start(&world.database, &[]).await;
    answers_as(&server, &tenant, &before).await;
}

#[tokio::test]
async fn mail_that_was_in_somebody_s_hands_waits_again() {
    let (folder, world) = (tempfile::tempdir().unwrap(), World::start().await);
    let file = in_folder(&folder);
    let id = world.send(json!({"scheduled_at": in_seconds(86_400)})).await;
    let lease = "UPDATE queue SET lease_token = gen_random_uuid(), due_at = now() + interval '1 hour', unsettled = 3";
    world.database.execute(lease).await;
    assert_eq!(db(&world.database, &["backup", &file]).await.code, Some(0));
    let elsewhere = Database::empty().await;
    assert_eq!(db(&elsewhere, &["restore", &file]).await.code, Some(0));
    let state = "SELECT lease_token IS NULL AND due_at <= now() AND unsettled = 0 FROM queue";
    assert_eq!(elsewhere.query_one_text(state).await, "t", "{id}");
}

#[tokio::test]
async fn a_private_database_moves_into_a_fresh_folder() {
    let (old, new) = (Home::of_an_ordinary_user(), Home::of_an_ordinary_user());
    let variables = |home: &Home| [("DATA_DIR".to_owned(), home.data.to_str().unwrap().to_owned()), ("API_KEY".to_owned(), KEY.to_owned())];
    let file = old.data.with_file_name("copy.dump");
    let run = async |home: &Home, arguments: &[&str]| {
        let variables = variables(home);
        let variables: Vec<_> =
            variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).chain([("SECRET_KEY", SECRET_KEY)]).collect();
        let mut command = home.command(&variables);
        command.args(arguments);
        command_ends(command).await
    };
    let start = async |home: &Home| {
        let variables = variables(home);
        let variables: Vec<_> =
            variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).chain([("SECRET_KEY", SECRET_KEY)]).collect();
        home.start(&variables).await
    };
    let server = start(&old).await;
    let answer = server.ask("POST", "/v1/send", Some(KEY), Some(&email(&json!({})))).await;
    let path = format!("/v1/emails/{}", text(&answer.json()["id"]));
    let made = run(&old, &["db", "backup", file.to_str().unwrap()]).await;
    assert_eq!(made.code, Some(0), "{}", made.log);
    assert_eq!(server.stop().await.code, Some(0));
    // Another user's file is read where that is allowed.
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let restored = run(&new, &["db", "restore", file.to_str().unwrap()]).await;
    assert_eq!(restored.code, Some(0), "{}", restored.log);
    assert_eq!(new.postgres(), None, "what it started it has stopped");
    let server = start(&new).await;
    assert_eq!(server.ask("GET", &path, Some(KEY), None).await.status, 200);
    assert_eq!(server.stop().await.code, Some(0));
}
