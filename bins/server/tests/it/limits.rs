//! How much a key may ask, and how often an address may be wrong.

use selfmx_testing::HttpAnswer;
use serde_json::json;

use crate::process::KEY;
use crate::world::{World, fault, text};

fn number(answer: &HttpAnswer, name: &str) -> Option<i64> {
    answer.header(name).and_then(|text| text.parse().ok())
}

async fn me(world: &World, secret: &str) -> HttpAnswer {
    world.server.ask("GET", "/v1/api-keys/me", Some(secret), None).await
}

#[tokio::test]
async fn every_answer_to_a_key_tells_what_is_left_and_one_too_many_is_refused() {
    let world = World::start_with(&[("RATE_LIMIT_REQUESTS", "5"), ("RATE_LIMIT_WINDOW", "3600")]).await;
    let first = me(&world, KEY).await;
    assert_eq!((number(&first, "x-ratelimit-limit"), number(&first, "x-ratelimit-remaining")), (Some(5), Some(4)));
    assert!(number(&first, "x-ratelimit-reset").is_some());
    assert_eq!((&first.json()["limits"]["requests"]["limit"], &first.json()["limits"]["requests"]["remaining"]), (&json!(5), &json!(4)));
    // Errors count and tell it as well.
    for (path, left) in [("/v1/api-keys/nonsense", 3), ("/v1/emails?x=1", 2)] {
        assert_eq!(number(&world.get(path).await, "x-ratelimit-remaining"), Some(left), "{path}");
    }
    let key = world.key(json!({"name": "Own", "permissions": ["send"], "rate_limit": {"requests_per_minute": 2}})).await;
    assert_eq!((me(&world, KEY).await.status, me(&world, KEY).await.status), (200, 429));
    let limited = me(&world, KEY).await;
    assert_eq!(fault(&limited), (429, "rate_limited".to_owned(), String::new()));
    assert_eq!(number(&limited, "x-ratelimit-remaining"), Some(0));
    assert!((1..=720).contains(&number(&limited, "retry-after").unwrap()));
    // Each key has its own.
    assert_eq!(
        (me(&world, &key.secret).await.status, me(&world, &key.secret).await.status, me(&world, &key.secret).await.status),
        (200, 200, 429)
    );
    // Whoever has no valid key is told nothing of limits.
    assert_eq!(number(&world.server.ask("GET", "/v1/emails", None, None).await, "x-ratelimit-limit"), None);
}

#[tokio::test]
async fn all_keys_of_a_tenant_share_what_the_tenant_has() {
    let world = World::start().await;
    let tenant = world.tenant("Acme").await;
    let sql = format!("UPDATE tenants SET requests_per_minute = 3 WHERE name = 'Acme' AND '{tenant}' <> ''");
    world.database.execute(&sql).await;
    let make = async || {
        world.key(json!({"name": "k", "permissions": ["send"], "tenant_id": tenant, "rate_limit": {"requests_per_minute": 2}})).await.secret
    };
    let (one, other) = (make().await, make().await);
    let statuses =
        [me(&world, &one).await, me(&world, &one).await, me(&world, &one).await, me(&world, &other).await, me(&world, &other).await];
    assert_eq!(statuses.map(|answer| answer.status), [200, 200, 429, 200, 429]);
    // No key of the tenant's is better off by a limit of its own.
    let wide = world
        .key(json!({"name": "k", "permissions": ["send"], "tenant_id": tenant, "rate_limit": {"requests_per_minute": 0}}))
        .await
        .secret;
    let answer = me(&world, &wide).await;
    assert_eq!((answer.status, number(&answer, "x-ratelimit-limit")), (429, Some(3)));
}

#[tokio::test]
async fn an_address_that_guesses_is_slowed_and_locks_nobody_out() {
    let world = World::start_with(&[("AUTH_FAILURES_PER_MINUTE", "3"), ("TRUSTED_PROXIES", "127.0.0.1")]).await;
    let good = world.key(json!({"name": "Good", "permissions": ["send"]})).await;
    let ask = async |address: &str, secret: &str| {
        let bearer = format!("Bearer {secret}");
        let headers = [("authorization", bearer.as_str()), ("x-forwarded-for", address)];
        world.server.connect().await.send_octets("GET", "/v1/api-keys/me", &headers, Vec::new()).await.unwrap()
    };
    let wrong = ["malformed", "a-wrong-key-of-no-form", &format!("{}x", &good.secret[..good.secret.len() - 1])];
    for secret in wrong {
        assert_eq!(ask("192.0.2.1", secret).await.status, 401, "{secret}");
    }
    let refused = ask("192.0.2.1", wrong[0]).await;
    assert_eq!(fault(&refused), (429, "rate_limited".to_owned(), String::new()));
    assert!((1..=20).contains(&number(&refused, "retry-after").unwrap()));
    // A good key from there works, and others' mistakes are their own.
    assert_eq!((ask("192.0.2.1", &good.secret).await.status, ask("192.0.2.1", KEY).await.status), (200, 200));
    assert_eq!(ask("192.0.2.2", wrong[0]).await.status, 401);
    // One customer's network counts as one.
    for last in 1..=3 {
        assert_eq!(ask(&format!("2001:db8::{last}"), wrong[0]).await.status, 401);
    }
    assert_eq!((ask("2001:db8::9", wrong[0]).await.status, ask("2001:db8:0:1::9", wrong[0]).await.status), (429, 401));
    assert!(text(&refused.json()["error"]["message"]).contains("failed"));
}
