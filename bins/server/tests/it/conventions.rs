//! What holds for every path: request ids, methods, unknown paths, CORS, HEAD and OPTIONS.

use std::collections::{BTreeMap, BTreeSet};

use selfmx_http::routes;
use selfmx_testing::HttpAnswer;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::forms::is_id;
use crate::process::KEY;
use crate::world::{World, fault};

async fn asked(world: &World, method: &str, path: &str, headers: &[(&str, &str)]) -> HttpAnswer {
    world.server.connect().await.send_octets(method, path, headers, Vec::new()).await.unwrap()
}

#[tokio::test]
async fn each_answer_has_a_request_id_and_a_caller_s_own_is_kept() {
    let world = World::start().await;
    for path in ["/health", "/nowhere", "/v1/emails"] {
        let made = asked(&world, "GET", path, &[]).await.header("x-request-id").unwrap().to_owned();
        assert!(is_id("req", &json!(made)), "{made}");
        for kept in ["a", "7b1e-Order_7", &"x".repeat(128)] {
            assert_eq!(asked(&world, "GET", path, &[("x-request-id", kept)]).await.header("x-request-id"), Some(kept));
        }
        // The operator's own key has no form of its own, and comes into the log in none either.
        for replaced in ["", "two words", &"x".repeat(129), KEY] {
            let made = asked(&world, "GET", path, &[("x-request-id", replaced)]).await.header("x-request-id").unwrap().to_owned();
            assert!(is_id("req", &json!(made)), "{replaced:?}: {made}");
        }
    }
    world.server.logged("7b1e-Order_7").await;
    assert!(!world.server.log().contains(KEY));
}

#[tokio::test]
async fn a_method_that_a_path_does_not_take_is_told_what_it_takes() {
    let world = World::start().await;
    let mut taken: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for route in routes() {
        let methods = taken.entry(route.pattern).or_insert_with(|| ["OPTIONS"].into());
        methods.insert(route.method);
        if route.method == "GET" {
            methods.insert("HEAD");
        }
    }
    for (pattern, taken) in taken {
        let path = pattern.replace("{id}", "nonsense").replace("{tenant_id}", "nonsense");
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"] {
            let answer = asked(&world, method, &path, &[]).await;
            if method != "OPTIONS" && taken.contains(method) {
                assert_ne!(answer.status, 405, "{method} {path}");
                continue;
            }
            let allow: BTreeSet<&str> = answer.header("allow").unwrap_or_default().split(", ").collect();
            assert_eq!((answer.status, allow), (if method == "OPTIONS" { 200 } else { 405 }, taken.clone()), "{method} {path}");
            if !["HEAD", "OPTIONS"].contains(&method) {
                assert_eq!(fault(&answer).1, "method_not_allowed");
            }
        }
    }
}

#[tokio::test]
async fn an_unknown_path_is_not_found_with_and_without_a_key() {
    let world = World::start().await;
    let bearer = format!("Bearer {KEY}");
    for path in [
        "/",
        "/v1",
        "/v1/",
        "/V1/emails",
        "/v1/emails/",
        "/v1//emails",
        "/v1/emails/a/b",
        "/v2/send",
        "/v1/send/batches",
        "/health/",
        "/.env",
        "/v1/../health",
        "/v1/%2e%2e/health",
        "/v1/api-keys/%ff",
        "/metric",
    ] {
        for headers in [&[][..], &[("authorization", bearer.as_str())]] {
            let answer = asked(&world, "GET", path, headers).await;
            assert_eq!(fault(&answer), (404, "not_found".to_owned(), String::new()), "{path}");
        }
        let head = asked(&world, "HEAD", path, &[]).await;
        assert_eq!((head.status, head.body.len()), (404, 0), "{path}");
    }
}

#[tokio::test]
async fn pages_of_any_origin_may_call_unless_the_operator_names_some() {
    let preflight = |origin: &'static str| {
        [("origin", origin), ("access-control-request-method", "POST"), ("access-control-request-headers", "authorization")]
    };
    let told = |answer: &HttpAnswer| answer.header("access-control-allow-origin").map(str::to_owned);
    let world = World::start().await;
    let answer = asked(&world, "OPTIONS", "/v1/send", &preflight("https://a.example")).await;
    assert_eq!(
        (answer.status, told(&answer).as_deref(), answer.header("access-control-allow-methods")),
        (200, Some("*"), Some("POST, OPTIONS"))
    );
    assert!(answer.header("access-control-allow-headers").unwrap().contains("authorization"));
    assert_eq!(
        told(&asked(&world, "GET", "/v1/emails", &[("origin", "https://a.example")]).await).as_deref(),
        Some("*"),
        "errors can be read as well"
    );

    let world = World::start_with(&[("CORS_ORIGINS", "https://a.example, http://localhost:3000")]).await;
    for (origin, allowed) in [
        ("https://a.example", true),
        ("http://localhost:3000", true),
        ("http://a.example", false),
        ("https://b.example", false),
        ("https://a.example.b.example", false),
        ("null", false),
    ] {
        let answers =
            [asked(&world, "OPTIONS", "/v1/send", &preflight(origin)).await, asked(&world, "GET", "/health", &[("origin", origin)]).await];
        for answer in answers {
            assert_eq!((told(&answer).as_deref(), answer.header("vary")), (allowed.then_some(origin), Some("origin")), "{origin}");
        }
    }
}

#[tokio::test]
async fn a_head_that_is_wrong_is_told_in_json_before_anything_else() {
    let world = World::start().await;
    let large = format!("GET /health HTTP/1.1\r\nHost: x\r\nX-Large: {}\r\n\r\n", "x".repeat(17_000));
    for (octets, status, code) in [
        ("GET /health HTTP/1.1\r\n\r\n", 400, "invalid_request"),
        ("GET /health HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400, "invalid_request"),
        ("GET /health HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "invalid_request"),
        ("GET /health HTTP/1.1\nHost: x\n\n", 400, "invalid_request"),
        ("GET /health HTTP/1.1\r\nHost : x\r\n\r\n", 400, "invalid_request"),
        ("POST /v1/send HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "invalid_request"),
        ("nonsense\r\n\r\n", 400, "invalid_request"),
        (&large, 431, "headers_too_large"),
        // Said to be larger than any body here may be: nobody need know who asks.
        ("POST /v1/send HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", 413, "payload_too_large"),
    ] {
        let mut stream = TcpStream::connect(world.server.address()).await.unwrap();
        stream.write_all(octets.as_bytes()).await.unwrap();
        // So that an answer after which the connection could go on ends it as well.
        stream.shutdown().await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        let shown: String = octets.chars().take(80).collect();
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")) && body["error"]["code"] == code, "{shown}: {answer}");
        assert!(is_id("req", &body["error"]["request_id"]), "{shown}: {answer}");
    }
}
