//! `/v1/api-keys`: made, shown, listed, revoked, and what a key cannot give.

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::forms::{is_id, is_secret, is_time};
use crate::process::{KEY, until};
use crate::world::{World, fault, refuses, text};

const LATER: &str = "2040-01-01T00:00:00Z";

async fn listed(world: &World, query: &str, key: &str) -> Vec<String> {
    let answer = world.server.ask("GET", &format!("/v1/api-keys{query}"), Some(key), None).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    answer.json()["data"].as_array().into_iter().flatten().map(|key| text(&key["id"])).collect()
}

#[tokio::test]
async fn a_key_is_shown_with_what_it_may_do_and_its_secret_once() {
    let world = World::start().await;
    let tenant = world.tenant("Acme").await;
    let wanted = json!({"name": " Shop ", "permissions": ["logs:read", "send", "send"], "tenant_id": tenant, "mode": "test", "expires_at": "2040-01-01T01:00:00+01:00"});
    let answer = world.post("/v1/api-keys", &wanted).await;
    let made = answer.json();
    assert_eq!((answer.status, answer.header("cache-control")), (201, Some("no-store")));
    assert!(is_id("key", &made["id"]) && is_secret("sk_test_", &made["key"]) && is_time(&made["created_at"]), "{made}");
    let secret = text(&made["key"]);
    let expected = json!({
        "id": made["id"], "name": "Shop", "permissions": ["send", "logs:read"], "tenant_id": tenant, "mode": "test", "source": "created",
        "enabled": true, "created_by": "key_default", "hint": &secret[secret.len() - 4..], "created_at": made["created_at"], "expires_at": "2040-01-01T00:00:00.000Z", "last_used_at": null,
    });
    let path = format!("/v1/api-keys/{}", text(&made["id"]));
    let found = world.get(&path).await;
    assert_eq!((found.status, found.json()), (200, expected.clone()));
    let me = world.server.ask("GET", "/v1/api-keys/me", Some(&secret), None).await;
    let mut my_view = expected.clone();
    my_view["acts_for"] = json!(tenant);
    my_view["limits"] = json!({"requests": null, "emails_per_day": null});
    assert_eq!((me.status, me.json()), (200, my_view));
    let list = world.get("/v1/api-keys").await.json();
    assert_eq!((&list["data"][0], &list["has_more"], &list["next_cursor"]), (&expected, &json!(false), &Value::Null));

    // Nothing that is kept tells the secret, and what is kept is its SHA-256.
    let kept = "SELECT string_agg(to_jsonb(api_keys)::text || encode(digest, 'escape'), '') FROM api_keys";
    assert!(!world.database.query_one_text(kept).await.contains(&secret[8..]));
    let digest = format!("SELECT count(*) FROM api_keys WHERE digest = sha256('{secret}')");
    assert_eq!(world.database.query_one_text(&digest).await, "1");
}

#[tokio::test]
async fn what_is_wrong_with_a_wanted_key_is_named() {
    let world = World::start().await;
    let wanted = |changes: Value| {
        let mut wanted = json!({"name": "Shop", "permissions": ["send"]});
        wanted.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        wanted
    };
    let cases = [
        (json!({"name": null}), "name"),
        (json!({"name": ""}), "name"),
        (json!({"name": "  "}), "name"),
        (json!({"name": "n".repeat(101)}), "name"),
        (json!({"name": "a\nb"}), "name"),
        (json!({"name": "a\u{0}b"}), "name"),
        (json!({"name": 7}), "name"),
        (json!({"permissions": null}), "permissions"),
        (json!({"permissions": []}), "permissions"),
        (json!({"permissions": "send"}), "permissions"),
        (json!({"permissions": {"send": true}}), "permissions"),
        (json!({"permissions": ["send", "admin"]}), "permissions[1]"),
        (json!({"permissions": ["Send"]}), "permissions[0]"),
        (json!({"permissions": [["send"]]}), "permissions[0]"),
        (json!({"tenant_id": "tenant_abc"}), "tenant_id"),
        (json!({"tenant_id": "key_01h455vb4pex5vsknk084sn02q"}), "tenant_id"),
        (json!({"tenant_id": "tenant_01h455vb4pex5vsknk084sn02q"}), "tenant_id"),
        (json!({"tenant_id": 1}), "tenant_id"),
        (json!({"mode": "Live"}), "mode"),
        (json!({"mode": true}), "mode"),
        (json!({"expires_at": "tomorrow"}), "expires_at"),
        (json!({"expires_at": "2020-01-01T00:00:00Z"}), "expires_at"),
        (json!({"expires_at": "2040-01-01"}), "expires_at"),
        (json!({"expires_at": 2_208_988_800_u32}), "expires_at"),
        (json!({"allowed_ips": []}), "allowed_ips"),
        (json!({"allowed_ips": ["10.0.0.1/8"]}), "allowed_ips[0]"),
        (json!({"allowed_senders": ["@a.example", "a"]}), "allowed_senders[1]"),
        (json!({"allowed_templates": ["welcome"]}), "allowed_templates[0]"),
        (json!({"rate_limit": {"requests_per_minute": -1}}), "rate_limit.requests_per_minute"),
    ];
    refuses(&world, "/v1/api-keys", cases.map(|(changes, field)| (wanted(changes), "invalid_request", field.to_owned()))).await;
    let unknown = ["permision", "Name", "id", "key", "enabled", "allowed_ip", "rate", ""];
    refuses(&world, "/v1/api-keys", unknown.map(|name| (wanted(json!({name: "x"})), "unknown_field", name.to_owned()))).await;
    assert_eq!(listed(&world, "", KEY).await, ["key_default"]);
}

#[tokio::test]
async fn a_key_gives_no_more_than_it_has() {
    let world = World::start().await;
    let (own, other) = (world.tenant("Own").await, world.tenant("Other").await);
    let maker = async |changes: Value| {
        let mut wanted = json!({"name": "Maker", "permissions": ["api-keys:write", "send"]});
        wanted.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        world.key(wanted).await.secret
    };
    let narrow = maker(json!({})).await;
    let tenants = maker(json!({"tenant_id": own})).await;
    let tenants_all = maker(json!({"tenant_id": own, "permissions": ["*"]})).await;
    let test = maker(json!({"mode": "test"})).await;
    let ending = maker(json!({"expires_at": LATER})).await;
    let denied = |field: &str, scope: Option<&str>| (403, field.to_owned(), scope.map(str::to_owned));
    let made = || (201, String::new(), None);
    for (maker, changes, expected) in [
        (&narrow, json!({}), made()),
        (&narrow, json!({"permissions": ["api-keys:write"]}), made()),
        (&narrow, json!({"permissions": ["send", "logs:read"]}), denied("permissions", Some("logs:read"))),
        (&narrow, json!({"permissions": ["api-keys:read"]}), denied("permissions", Some("api-keys:read"))),
        (&narrow, json!({"permissions": ["*"]}), denied("permissions", Some("*"))),
        (&narrow, json!({"tenant_id": own}), denied("", Some("*"))),
        (&narrow, json!({"tenant_id": "tenant_01h455vb4pex5vsknk084sn02q"}), denied("", Some("*"))),
        (&tenants, json!({}), made()),
        (&tenants, json!({"tenant_id": own}), made()),
        (&tenants, json!({"tenant_id": other}), denied("", Some("*"))),
        (&tenants_all, json!({"permissions": ["*"]}), made()),
        (&tenants_all, json!({"tenant_id": other}), denied("", Some("*"))),
        (&tenants_all, json!({"tenant_id": "tenant_default"}), denied("", Some("*"))),
        (&test, json!({}), made()),
        (&test, json!({"mode": "live"}), denied("mode", None)),
        (&ending, json!({"expires_at": LATER}), made()),
        (&ending, json!({}), made()),
        (&ending, json!({"expires_at": "2040-01-01T00:00:01Z"}), denied("expires_at", None)),
    ] {
        let mut wanted = json!({"name": "Made", "permissions": ["send"]});
        wanted.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let answer = world.server.ask("POST", "/v1/api-keys", Some(maker), Some(&wanted)).await;
        let challenge = answer.header("www-authenticate").unwrap_or_default();
        let scope = challenge.split_once("scope=\"").and_then(|(_, rest)| rest.strip_suffix('"')).map(str::to_owned);
        assert_eq!((answer.status, text(&answer.json()["error"]["field"]), scope), expected, "{wanted}: {}", answer.json());
        if answer.status == 403 {
            assert_eq!(fault(&answer).1, "permission_denied");
            assert!(challenge.starts_with("Bearer realm=\"selfmx\", error=\"insufficient_scope\""), "{challenge}");
        }
    }
    // What is not said is as the maker is.
    let wanted = json!({"name": "Made", "permissions": ["send"]});
    let made = async |maker: &str| world.server.ask("POST", "/v1/api-keys", Some(maker), Some(&wanted)).await.json();
    assert_eq!(made(&ending).await["expires_at"], "2040-01-01T00:00:00.000Z");
    assert_eq!(made(&test).await["mode"], "test");
    assert_eq!(made(&tenants).await["tenant_id"], own);
    assert!(made(&narrow).await.get("tenant_id").is_none());
}

#[tokio::test]
async fn a_list_has_every_live_key_newest_first_and_pages_where_a_limit_is_given() {
    let world = World::start().await;
    let mut ids = vec!["key_default".to_owned()];
    for number in 0..24 {
        ids.insert(0, world.key(json!({"name": format!("{number}"), "permissions": ["send"]})).await.id);
    }
    assert_eq!(listed(&world, "", KEY).await, ids, "all of them, more than a page's twenty");
    for limit in [1, 5, 12, 24, 25, 100] {
        let (mut gathered, mut after) = (Vec::new(), String::new());
        loop {
            let page = world.get(&format!("/v1/api-keys?limit={limit}{after}")).await.json();
            let here = page["data"].as_array().unwrap();
            assert!(here.len() <= limit && (here.len() == limit || page["has_more"] == false), "{page}");
            gathered.extend(here.iter().map(|key| text(&key["id"])));
            assert!(gathered.len() <= ids.len(), "by {limit} there is no end: {gathered:?}");
            if page["has_more"] == false {
                assert!(page["next_cursor"].is_null());
                break;
            }
            after = format!("&after={}", text(&page["next_cursor"]));
        }
        assert_eq!(gathered, ids, "by {limit}");
    }
    let revoked = ids.remove(3);
    assert_eq!(world.server.ask("DELETE", &format!("/v1/api-keys/{revoked}"), Some(KEY), None).await.status, 200);
    assert_eq!(listed(&world, "", KEY).await, ids);
    ids.insert(3, revoked);
    assert_eq!(listed(&world, "?include=revoked", KEY).await, ids);
    assert!(is_time(&world.get("/v1/api-keys?include=revoked").await.json()["data"][3]["revoked_at"]));
    for (query, code, field) in [
        ("?include=all", "invalid_request", "include"),
        ("?include=revoked&include=revoked", "invalid_request", "include"),
        ("?limit=0", "invalid_request", "limit"),
        ("?limit=101", "invalid_request", "limit"),
        ("?after=msg_01h455vb4pex5vsknk084sn02q", "invalid_request", "after"),
        ("?page=1", "unknown_field", "page"),
        ("?revoked=true", "unknown_field", "revoked"),
    ] {
        assert_eq!(fault(&world.get(&format!("/v1/api-keys{query}")).await), (400, code.to_owned(), field.to_owned()), "{query}");
    }
}

#[tokio::test]
async fn a_revoked_key_is_refused_from_the_next_request_on_and_stays_revoked() {
    let world = World::start().await;
    let key = world.key(json!({"name": "Shop", "permissions": ["*"]})).await;
    let path = format!("/v1/api-keys/{}", key.id);
    let mut http = world.server.connect().await;
    assert_eq!(http.send("GET", &path, Some(&key.secret), None).await.unwrap().status, 200);
    // By itself, over a connection that is kept.
    for attempt in 0..3 {
        let revoked = http.send("DELETE", &path, Some(if attempt == 0 { &key.secret } else { KEY }), None).await.unwrap();
        assert_eq!((revoked.status, revoked.json()), (200, json!({"id": key.id, "revoked": true})));
        assert_eq!(http.send("GET", &path, Some(&key.secret), None).await.unwrap().status, 401);
    }
    let first = world.get(&path).await.json()["revoked_at"].clone();
    assert!(is_time(&first));
    world.server.ask("DELETE", &path, Some(KEY), None).await;
    assert_eq!(world.get(&path).await.json()["revoked_at"], first, "it was revoked once");
}

#[tokio::test]
async fn the_operator_s_own_key_is_shown_and_cannot_be_revoked() {
    let world = World::start().await;
    let own = world.get("/v1/api-keys/key_default").await.json();
    assert_eq!((&own["name"], &own["source"], &own["permissions"]), (&json!("Default"), &json!("environment"), &json!(["*"])));
    assert!(own.get("hint").is_none() && own.get("key").is_none() && is_time(&own["last_used_at"]), "{own}");
    assert_eq!(world.get("/v1/api-keys/me").await.json()["id"], "key_default");
    let answer = world.server.ask("DELETE", "/v1/api-keys/key_default", Some(KEY), None).await;
    assert_eq!(fault(&answer), (409, "conflict".to_owned(), String::new()));
    assert!(text(&answer.json()["error"]["message"]).contains("API_KEY"), "it says how: {}", answer.json());
    assert_eq!(world.get("/v1/api-keys/me").await.status, 200);
    assert_eq!(world.database.query_one_text("SELECT count(*) FROM api_keys").await, "0", "it is stored nowhere");
    // Without it in the environment it is no key.
    let key = world.key(json!({"name": "Admin", "permissions": ["*"]})).await;
    assert_eq!(world.server.stop().await.code, Some(0));
    let server = crate::process::Server::start_with(&[("DATABASE_URL", world.database.connection_string())]).await;
    assert_eq!(server.ask("GET", "/v1/api-keys/me", Some(KEY), None).await.status, 401);
    for method in ["GET", "DELETE"] {
        assert_eq!(server.ask(method, "/v1/api-keys/key_default", Some(&key.secret), None).await.status, 404, "{method}");
    }
}

#[tokio::test]
async fn an_expired_key_is_refused_from_its_time_on() {
    let world = World::start().await;
    let at = OffsetDateTime::from_unix_timestamp(
        world.database.query_one_text("SELECT extract(epoch FROM now())::bigint + 3").await.parse().unwrap(),
    );
    let at = at.unwrap().format(&Rfc3339).unwrap();
    let key = world.key(json!({"name": "Brief", "permissions": ["send"], "expires_at": at})).await;
    assert_eq!(world.server.ask("GET", "/v1/api-keys/me", Some(&key.secret), None).await.status, 200);
    until(&world.database, &format!("SELECT now() >= '{at}'"), "t").await;
    assert_eq!(world.server.ask("GET", "/v1/api-keys/me", Some(&key.secret), None).await.status, 401);
}

#[tokio::test]
async fn when_a_key_was_last_used_is_written_while_the_server_runs() {
    let world = World::start().await;
    let key = world.key(json!({"name": "Shop", "permissions": ["send"]})).await;
    assert!(world.get(&format!("/v1/api-keys/{}", key.id)).await.json()["last_used_at"].is_null());
    world.server.ask("GET", "/v1/api-keys/me", Some(&key.secret), None).await;
    until(&world.database, "SELECT count(last_used_at) FROM api_keys WHERE last_used_at > created_at", "1").await;
    assert!(is_time(&world.get(&format!("/v1/api-keys/{}", key.id)).await.json()["last_used_at"]));
}
