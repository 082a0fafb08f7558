//! What the command makes, lists and revokes, and what it says of that, beside a running server.

use std::process::Stdio;

use serde_json::{Value, json};

use super::{id, is_refused, json, keys, keys_command, secret, status};
use crate::forms::{is_id, is_secret, is_time};
use crate::process::{Server, database, until};
use crate::world::{World, text};

#[tokio::test]
async fn an_operator_without_a_key_makes_one_that_opens_everything() {
    let database = database().await;
    let variables = [("DATABASE_URL", database.connection_string())];
    let server = Server::start_with(&variables).await;
    let first = server.standard_output().split_whitespace().find(|word| word.starts_with("sk_live_")).unwrap().to_owned();
    let only = server.ask("GET", "/v1/api-keys/me", Some(&first), None).await.json();
    server.ask("DELETE", &format!("/v1/api-keys/{}", text(&only["id"])), Some(&first), None).await;
    assert_eq!(status(&server, &first).await, 401);

    let made = keys(&variables, &["create", "--name", "Rescue"]).await;
    let secret = secret(&made);
    let me = server.ask("GET", "/v1/api-keys/me", Some(&secret), None).await.json();
    assert_eq!((&me["id"], &me["name"], &me["permissions"]), (&json!(id(&made)), &json!("Rescue"), &json!(["*"])));
    assert!(me.get("tenant_id").is_none() && me["mode"] == "live" && me["source"] == "created", "{me}");
    assert_eq!(server.ask("GET", "/v1/tenants", Some(&secret), None).await.status, 200);
    for words in ["Rescue", "(platform)", "Permissions  *", "live", "never", "shown only now"] {
        assert!(made.log.contains(words), "{words}: {}", made.log);
    }

    let revoked = keys(&variables, &["revoke", &id(&made)]).await;
    assert_eq!((revoked.code, revoked.standard_output), (Some(0), format!("{} is revoked\n", id(&made))));
    is_refused(&server, &secret).await;
    let entries = "SELECT string_agg(concat_ws(' ', action, after->>'name', refusal, address), ',' ORDER BY action) FROM audit_logs
                   WHERE actor_key_id IS NULL AND target = ";
    let noted = database.query_one_text(&format!("{entries}'{}'", id(&made))).await;
    assert_eq!(noted, "api_key.create Rescue,api_key.revoke Rescue", "by the operator, from nowhere");
    let kept = database.query_one_text("SELECT string_agg(audit_logs::text, '') FROM audit_logs").await;
    assert!(!kept.contains(&secret[8..]));
    let ended = server.stop().await;
    assert!(!ended.log.contains(&secret[8..]) && !ended.standard_output.contains(&secret[8..]));
}

#[tokio::test]
async fn a_key_is_made_as_it_was_wanted_and_told_as_the_api_would() {
    let world = World::start().await;
    let variables = [("DATABASE_URL", world.database.connection_string())];
    let tenant = world.tenant("Acme").await;
    let wanted = ["--permissions", "send,logs:read", "--tenant", &tenant, "--mode", "test", "--expires-at", "2040-01-01T02:00:00+02:00"];
    let made = json(&keys(&variables, &[&["create", "--name", " Größe 🎉 ", "--json"], &wanted[..]].concat()).await);
    assert!(is_id("key", &made["id"]) && is_secret("sk_test_", &made["key"]) && is_time(&made["created_at"]), "{made}");
    assert_eq!((&made["name"], &made["permissions"]), (&json!("Größe 🎉"), &json!(["send", "logs:read"])));
    assert_eq!(
        (&made["tenant_id"], &made["mode"], &made["expires_at"]),
        (&json!(tenant), &json!("test"), &json!("2040-01-01T00:00:00.000Z"))
    );
    // The same fields as the one that the API makes, which a key has made.
    let over_http = world
        .post("/v1/api-keys", &json!({"name": "H", "permissions": ["*"], "tenant_id": tenant, "expires_at": "2040-01-01T00:00:00Z"}))
        .await;
    let fields = |value: &Value| value.as_object().unwrap().keys().filter(|name| *name != "created_by").cloned().collect::<Vec<_>>();
    assert_eq!(fields(&made), fields(&over_http.json()));
    let secret = text(&made["key"]);
    world.send_as(&secret, json!({})).await;
    assert_eq!(world.server.ask("GET", "/v1/api-keys", Some(&secret), None).await.status, 403);
}

#[tokio::test]
async fn keys_are_listed_for_people_and_for_programs() {
    let world = World::start().await;
    let variables = [("DATABASE_URL", world.database.connection_string())];
    let tenant = world.tenant("Acme").await;
    let shop = world.key(json!({"name": "The shop", "permissions": ["send", "logs:read"], "tenant_id": tenant})).await;
    let gone = world.key(json!({"name": "Gone", "permissions": ["send"]})).await;
    let late = world.key(json!({"name": "Late", "permissions": ["*"], "expires_at": "2040-01-01T00:00:00Z"})).await;
    world.server.ask("GET", "/v1/api-keys/me", Some(&shop.secret), None).await;
    until(&world.database, "SELECT count(*) FROM api_keys WHERE last_used_at IS NOT NULL", "1").await;
    world.database.execute("UPDATE api_keys SET expires_at = now() WHERE name = 'Late'").await;
    assert_eq!(keys(&variables, &["revoke", &gone.id]).await.code, Some(0));

    let listed = async |arguments: &[&str]| {
        let listed = json(&keys(&variables, &[&["list", "--json"], arguments].concat()).await);
        assert_eq!((&listed["has_more"], &listed["next_cursor"]), (&json!(false), &json!(null)));
        listed["data"].as_array().unwrap().iter().map(|key| text(&key["id"])).collect::<Vec<_>>()
    };
    assert_eq!(listed(&[]).await, [&late.id, &shop.id].map(String::clone));
    assert_eq!(listed(&["--revoked"]).await, [&late.id, &gone.id, &shop.id].map(String::clone));
    assert_eq!(listed(&["--tenant", &tenant]).await, [shop.id.as_str()]);
    assert_eq!(listed(&["--tenant", "tenant_default"]).await, [""; 0]);

    let table = keys(&variables, &["list", "--revoked"]).await;
    assert_eq!((table.code, table.log.as_str()), (Some(0), ""));
    let lines: Vec<Vec<&str>> =
        table.standard_output.lines().map(|line| line.split("  ").filter(|cell| !cell.is_empty()).map(str::trim).collect()).collect();
    assert_eq!(lines[0], ["ID", "NAME", "TENANT", "PERMISSIONS", "STATE", "HINT", "LAST USED"]);
    let hint = |secret: &str| format!("...{}", &secret[secret.len() - 4..]);
    assert_eq!(lines[1], [&late.id, "Late", "(platform)", "*", "expired", &hint(&late.secret), "never"]);
    assert_eq!(lines[2], [&gone.id, "Gone", "(platform)", "send", "revoked", &hint(&gone.secret), "never"]);
    assert_eq!(lines[3][..6], [&shop.id, "The shop", &tenant, "send,logs:read", "active", &hint(&shop.secret)]);
    assert!(lines[3][6].starts_with("20") && lines[3][6].ends_with('Z') && lines.len() == 4, "{}", table.standard_output);
    for made in [&shop, &gone, &late] {
        assert!(!table.standard_output.contains(&made.secret[8..]));
    }
}

#[tokio::test]
async fn a_list_is_whole_however_long() {
    let database = database().await;
    database
        .execute(
            "INSERT INTO api_keys (id, name, hint, digest, permissions, mode)
             SELECT gen_random_uuid(), 'n', '0000', decode(lpad(to_hex(i), 64, '0'), 'hex'), '{send}', 'live' FROM generate_series(1, 205) AS i",
        )
        .await;
    let variables = [("DATABASE_URL", database.connection_string())];
    let listed = json(&keys(&variables, &["list", "--json"]).await);
    let mut ids: Vec<String> = listed["data"].as_array().unwrap().iter().map(|key| text(&key["id"])).collect();
    assert!(ids.len() == 205 && ids.is_sorted_by(|one, next| one > next));
    ids.dedup();
    assert_eq!(ids.len(), 205);
}

#[tokio::test]
async fn a_revoked_key_may_be_revoked_again_and_one_that_is_not_there_may_not() {
    let world = World::start().await;
    let variables = [("DATABASE_URL", world.database.connection_string())];
    let key = world.key(json!({"name": "Shop", "permissions": ["send"]})).await;
    assert_eq!(status(&world.server, &key.secret).await, 200);
    let revoked_at = async || world.database.query_one_text("SELECT revoked_at FROM api_keys").await;
    assert_eq!(keys(&variables, &["revoke", &key.id]).await.code, Some(0));
    is_refused(&world.server, &key.secret).await;
    let first = revoked_at().await;
    let again = keys(&variables, &["revoke", &key.id]).await;
    assert_eq!((again.code, again.standard_output), (Some(0), format!("{} is revoked\n", key.id)));
    assert_eq!(revoked_at().await, first);
    let unknown = keys(&variables, &["revoke", "key_01h455vb4pex5vsknk084sn02q"]).await;
    assert_eq!((unknown.code, unknown.standard_output.as_str()), (Some(1), ""));
    let words =
        "selfmx: there is no key with the id key_01h455vb4pex5vsknk084sn02q; `selfmx keys list --revoked` shows all that there are\n";
    assert_eq!(unknown.log, words);
}

#[tokio::test]
async fn a_secret_that_nobody_could_read_leaves_no_key_behind() {
    let database = database().await;
    let variables = [("DATABASE_URL", database.connection_string())];
    for form in [&["create", "--name", "Lost"][..], &["create", "--name", "Lost", "--json"]] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = keys_command(&variables, form);
        // `output` would replace it.
        let ended = command.stdout(Stdio::from(full)).spawn().unwrap().wait_with_output().await.unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        assert!(ended.status.code() == Some(1) && said.contains("cannot write the secret") && said.contains("was revoked again"), "{said}");
    }
    assert_eq!(database.query_one_text("SELECT count(*) || ' ' || count(revoked_at) FROM api_keys").await, "2 2");
}
