//! A key that makes others while the operator takes rights from it: what counts is what it may when the new key is there.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use selfmx_testing::{HttpAnswer, HttpClient};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::chance::Chance;
use crate::process::KEY;
use crate::world::{World, text};

const ROUNDS: u64 = 8;
const CHANGES: usize = 24;
const MAKERS: u64 = 3;
const TEMPLATES: [&str; 2] = ["tmpl_01h455vb4pex5vsknk084sn02q", "tmpl_01h455vb4pex5vsknk084sn03q"];

/// Writes down, when a transaction commits, each key that it made or changed and the maker of that key as it is then. The lock lets such
/// transactions commit one by one: what the maker is when it is read, it is until the commit is done. That a key was used is no change.
const WITNESS: &str = "
    CREATE TABLE witness (child jsonb NOT NULL, maker jsonb NOT NULL);
    CREATE FUNCTION testify() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_advisory_xact_lock(1);
        INSERT INTO witness SELECT to_jsonb(new), to_jsonb(maker) FROM api_keys maker WHERE maker.id = new.created_by;
        RETURN NULL;
    END $$;
    CREATE CONSTRAINT TRIGGER made AFTER INSERT ON api_keys DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION testify();
    CREATE CONSTRAINT TRIGGER changed AFTER UPDATE ON api_keys DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
        WHEN (old.last_used_at IS NOT DISTINCT FROM new.last_used_at) EXECUTE FUNCTION testify();";

/// All that the maker may at best.
fn wide() -> Value {
    json!({
        "permissions": ["api-keys:write", "send", "logs:read"], "allowed_ips": ["127.0.0.0/8", "10.0.0.0/8"],
        "allowed_senders": ["@one.example", "@two.example"], "allowed_templates": TEMPLATES, "rate_limit": {"requests_per_minute": 500_000},
        "expires_at": "2045-01-01T00:00:00Z", "enabled": true,
    })
}

/// What is taken from it, one thing at a time.
fn narrowings() -> Vec<Value> {
    vec![
        json!({"permissions": ["api-keys:write", "logs:read"]}),
        json!({"permissions": ["send", "logs:read"]}),
        json!({"allowed_ips": ["127.0.0.0/8"]}),
        json!({"allowed_senders": ["@one.example"]}),
        json!({"allowed_templates": &TEMPLATES[..1]}),
        json!({"rate_limit": {"requests_per_minute": 400_000}}),
        json!({"expires_at": "2040-01-01T00:00:00Z"}),
        json!({"enabled": false}),
    ]
}

/// What it asks for, again and again: part of what it may at best.
fn greedy(chance: &Chance) -> Value {
    let mut wanted = wide();
    let fields = wanted.as_object_mut().unwrap();
    fields.remove("enabled");
    fields.insert("name".to_owned(), json!("Child"));
    fields.insert("permissions".to_owned(), json!([chance.pick(&["send", "logs:read"])]));
    let left_out = ["allowed_ips", "allowed_senders", "allowed_templates", "rate_limit", "expires_at"];
    fields.retain(|name, _| !left_out.contains(&name.as_str()) || chance.happens(40));
    wanted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_makes_keys_while_rights_are_taken_from_it_gives_none_of_them_away() {
    let world = World::start_with(&[("DB_POOL_SIZE", "16")]).await;
    world.database.execute(WITNESS).await;
    let mut answers = BTreeMap::<String, u64>::new();
    for round in 0..ROUNDS {
        let mut wanted = wide();
        wanted["name"] = json!("Maker");
        wanted.as_object_mut().unwrap().remove("enabled");
        let maker = world.key(wanted).await;
        let done = Arc::new(AtomicBool::new(false));
        let mut making = JoinSet::new();
        for number in 0..MAKERS {
            let chance = Chance::new(round * MAKERS + number);
            making.spawn(make(world.server.address(), maker.secret.clone(), chance, Arc::clone(&done)));
        }
        let path = format!("/v1/api-keys/{}", maker.id);
        let mut http = world.server.connect().await;
        let (wide, narrowings) = (wide(), narrowings());
        for number in 0..CHANGES {
            for change in [&narrowings[number % narrowings.len()], &wide] {
                assert_eq!(http.send("PATCH", &path, Some(KEY), Some(change)).await.unwrap().status, 200);
            }
        }
        assert_eq!(http.send("DELETE", &path, Some(KEY), None).await.unwrap().status, 200);
        done.store(true, Ordering::Relaxed);
        for counted in making.join_all().await {
            counted.into_iter().for_each(|(what, times)| *answers.entry(what).or_default() += times);
        }
    }
    println!("{answers:?}");
    let times = |what: &str| answers.get(what).copied().unwrap_or_default();
    let accepted = times("POST 201") + times("PATCH 200") + times("rotate 201");
    let refused = times("POST 403") + times("PATCH 403") + times("rotate 403");
    assert!(accepted > 100 && refused > 20, "the two have hardly met: {accepted} accepted, {refused} refused");
    let seen = world.database.query_texts("SELECT jsonb_build_array(child, maker) FROM witness").await;
    assert_eq!(u64::try_from(seen.len()).unwrap(), accepted, "each change was seen");
    let beyond: Vec<String> = seen.iter().filter_map(|seen| excess(&serde_json::from_str(seen).unwrap())).collect();
    assert!(beyond.is_empty(), "{} of {accepted} are more than their maker was when they came to be:\n{}", beyond.len(), beyond[0]);
}

/// Makes keys and changes them, until it is told to stop.
async fn make(address: SocketAddr, secret: String, chance: Chance, done: Arc<AtomicBool>) -> BTreeMap<String, u64> {
    let (mut counted, mut made) = (BTreeMap::new(), Vec::<String>::new());
    let mut http = HttpClient::connect(address).await.unwrap();
    while !done.load(Ordering::Relaxed) {
        let wanted = greedy(&chance);
        let (what, answer) = match chance.below(10) {
            0..2 if !made.is_empty() => ("PATCH", ask(&mut http, address, "PATCH", chance.pick::<String>(&made), &secret, &wanted).await),
            2..4 if !made.is_empty() => {
                let path = format!("{}/rotate", chance.pick(&made));
                ("rotate", ask(&mut http, address, "POST", &path, &secret, &json!({})).await)
            }
            _ => ("POST", ask(&mut http, address, "POST", "/v1/api-keys", &secret, &wanted).await),
        };
        let status = answer.status;
        assert!([200, 201, 401, 403].contains(&status), "{what}: {status} {}", answer.json());
        *counted.entry(format!("{what} {status}")).or_default() += 1;
        if what == "POST" && status == 201 {
            made.push(format!("/v1/api-keys/{}", text(&answer.json()["id"])));
        }
    }
    counted
}

async fn ask(http: &mut HttpClient, address: SocketAddr, method: &str, path: &str, secret: &str, body: &Value) -> HttpAnswer {
    let answer = http.send(method, path, Some(secret), Some(body)).await.unwrap();
    // What nobody reads of a body ends the connection.
    if answer.header("connection") == Some("close") {
        *http = HttpClient::connect(address).await.unwrap();
    }
    answer
}

/// In what a child is more than its maker was, as rows of the table.
fn excess(seen: &Value) -> Option<String> {
    let (child, maker) = (&seen[0], &seen[1]);
    let mut beyond = BTreeSet::new();
    for list in ["permissions", "allowed_ips", "allowed_senders", "allowed_templates"] {
        if let Some(own) = maker[list].as_array() {
            let within = child[list].as_array().is_some_and(|members| members.iter().all(|member| own.contains(member)));
            beyond.extend((!within).then_some(list));
        }
    }
    for (bound, more) in [
        ("expires_at", child["expires_at"].as_str() > maker["expires_at"].as_str() || child["expires_at"].is_null()),
        ("requests_per_minute", child["requests_per_minute"].as_u64() > maker["requests_per_minute"].as_u64()),
        ("revoked_at", !maker["revoked_at"].is_null()),
        ("enabled", maker["enabled"] != true),
        ("may make keys", !maker["permissions"].as_array().unwrap().contains(&json!("api-keys:write"))),
    ] {
        beyond.extend(more.then_some(bound));
    }
    (!beyond.is_empty()).then(|| format!("{beyond:?}: {child}\n  by {maker}"))
}
