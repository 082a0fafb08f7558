//! Methods, paths, CORS, and what every answer has.

use selfmx_http::{CorsOrigins, HttpSettings};

use crate::raw::{Raw, exchange, request};
use crate::server::{ADMIN, LARGE, start};

#[tokio::test]
async fn head_is_get_without_the_body() {
    let server = start(HttpSettings::default()).await;
    let mut raw = Raw::connect(server.address).await;
    raw.send(request("HEAD", "/large", "") + &request("HEAD", "/nothing", "") + &request("GET", "/open", "")).await;
    let head = raw.answer_to("HEAD").await.unwrap();
    assert_eq!((head.status, head.header("content-length")), (200, Some(LARGE.to_string().as_str())));
    assert_eq!(head.header("content-type"), Some("message/rfc822"));
    let missing = raw.answer_to("HEAD").await.unwrap();
    assert_eq!((missing.status, missing.header("content-type")), (404, Some("application/json")));
    assert_eq!(raw.answer().await.json()["open"], true);
}

#[tokio::test]
async fn another_method_is_told_which_there_are() {
    let server = start(HttpSettings::default()).await;
    for (method, target, allow) in [
        ("POST", "/open", "GET, HEAD, OPTIONS"),
        ("PUT", "/open", "GET, HEAD, OPTIONS"),
        ("GET", "/measure", "POST, OPTIONS"),
        ("HEAD", "/measure", "POST, OPTIONS"),
        ("get", "/open", "GET, HEAD, OPTIONS"),
        ("TRACE", "/open", "GET, HEAD, OPTIONS"),
        ("GET", "/things/x", "POST, PUT, PATCH, DELETE, OPTIONS"),
    ] {
        let mut raw = Raw::connect(server.address).await;
        raw.send(request(method, target, "")).await;
        let answer = raw.answer_to(method).await.unwrap();
        assert_eq!((answer.status, answer.header("allow")), (405, Some(allow)), "{method} {target}");
    }
}

#[tokio::test]
async fn put_and_patch_have_bodies_as_post_has() {
    let server = start(HttpSettings::default()).await;
    let lines = format!("Authorization: Bearer {ADMIN}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n");
    for method in ["POST", "PUT", "PATCH"] {
        let answer = exchange(server.address, request(method, "/things/msg_01h455vb4pex5vsknk084sn02q", &lines) + "{}").await;
        assert_eq!((answer.status, &answer.json()["octets"]), (200, &2.into()), "{method}");
    }
}

#[tokio::test]
async fn who_is_limited_is_told_by_how_much_and_until_when() {
    let server = start(HttpSettings::default()).await;
    let lines = format!("Authorization: Bearer {ADMIN}\r\nOrigin: https://app.example\r\n");
    let answer = exchange(server.address, request("GET", "/limited", &lines)).await;
    assert_eq!((answer.status, answer.code().as_str(), answer.header("retry-after")), (429, "rate_limited", Some("1")));
    assert_eq!((answer.header("x-ratelimit-limit"), answer.header("x-ratelimit-remaining")), (Some("100"), Some("0")));
    // The server's clock stands at the beginning of 2026.
    assert_eq!(answer.header("x-ratelimit-reset"), Some("1767225660"));
    let readable = answer.header("access-control-expose-headers").unwrap();
    for name in ["x-request-id", "retry-after", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"] {
        assert!(readable.split(", ").any(|known| known == name), "{name}");
    }
    let anybody = exchange(server.address, request("GET", "/open", "")).await;
    assert_eq!(anybody.header("x-ratelimit-limit"), None);
}

#[tokio::test]
async fn options_answers_with_the_methods() {
    let server = start(HttpSettings::default()).await;
    let answer = exchange(server.address, request("OPTIONS", "/things/x", "")).await;
    assert_eq!((answer.status, answer.header("allow")), (200, Some("POST, PUT, PATCH, DELETE, OPTIONS")));
    assert_eq!(answer.json()["allow"][0], "POST");
    let whole = exchange(server.address, request("OPTIONS", "*", "")).await;
    assert_eq!((whole.status, whole.header("allow")), (200, Some("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")));
    assert_eq!(exchange(server.address, request("OPTIONS", "/nothing", "")).await.status, 404);
}

#[tokio::test]
async fn a_preflight_needs_no_key() {
    let server = start(HttpSettings::default()).await;
    let lines = "Origin: https://app.example\r\nAccess-Control-Request-Method: POST\r\n";
    let answer = exchange(server.address, request("OPTIONS", "/measure", lines)).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some("*")));
    assert_eq!(answer.header("access-control-allow-methods"), Some("POST, OPTIONS"));
    assert!(answer.header("access-control-allow-headers").is_some_and(|names| names.contains("authorization")));
    let refused = exchange(server.address, request("POST", "/measure", "Origin: https://app.example\r\n")).await;
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (401, Some("*")));
}

#[tokio::test]
async fn only_the_listed_origins_may_read() {
    let cors_origins = CorsOrigins::Only(vec!["https://app.example".to_owned()]);
    let server = start(HttpSettings { cors_origins, ..HttpSettings::default() }).await;
    for (origin, allowed) in [("https://app.example", Some("https://app.example")), ("https://evil.example", None)] {
        let lines = format!("Origin: {origin}\r\nAccess-Control-Request-Method: GET\r\n");
        let answer = exchange(server.address, request("OPTIONS", "/open", &lines)).await;
        assert_eq!(answer.header("access-control-allow-origin"), allowed);
        assert_eq!(answer.header("access-control-allow-methods").is_some(), allowed.is_some());
        let answer = exchange(server.address, request("GET", "/open", &lines)).await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, allowed));
        assert_eq!(answer.header("vary"), Some("origin"));
    }
}

#[tokio::test]
async fn every_answer_is_json_with_an_id_and_is_not_kept() {
    let server = start(HttpSettings::default()).await;
    for target in ["/open", "/nothing", "/any", "/panic", "/v1", "/", "//", "/../etc/passwd"] {
        let answer = exchange(server.address, request("GET", target, "")).await;
        assert_eq!(answer.header("content-type"), Some("application/json"), "{target}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{target}");
        let id = answer.header("x-request-id").unwrap();
        assert!(id.starts_with("req_"), "{id}");
        if answer.status >= 400 {
            let error = &answer.json()["error"];
            assert_eq!(error["request_id"], id);
            assert_eq!(error["docs"], format!("/docs/errors#{}", error["code"].as_str().unwrap()));
            assert!(error["message"].is_string());
        }
    }
}

#[tokio::test]
async fn a_visible_request_id_is_given_back() {
    let server = start(HttpSettings::default()).await;
    let sent = |id: &str| exchange(server.address, request("GET", "/nothing", &format!("X-Request-Id: {id}\r\n")));
    let answer = sent("my-own~id").await;
    assert_eq!(answer.header("x-request-id"), Some("my-own~id"));
    assert_eq!(answer.json()["error"]["request_id"], "my-own~id");
    for id in ["", "a b", "\u{e9}", &"x".repeat(129)] {
        assert!(sent(id).await.header("x-request-id").unwrap().starts_with("req_"), "{id}");
    }
}

#[tokio::test]
async fn a_panic_is_that_request_s_alone() {
    let server = start(HttpSettings::default()).await;
    let mut raw = Raw::connect(server.address).await;
    raw.send(request("GET", "/panic", "") + &request("GET", "/any", &format!("Authorization: Bearer {ADMIN}\r\n"))).await;
    assert_eq!(raw.answer().await.status, 500);
    assert_eq!(raw.answer().await.json()["key"], "Default");
}

#[tokio::test]
async fn http_1_0_is_answered_and_closed() {
    let server = start(HttpSettings::default()).await;
    let mut raw = Raw::connect(server.address).await;
    raw.send("GET /open HTTP/1.0\r\nHost: x.example\r\n\r\n").await;
    assert_eq!(raw.answer().await.status, 200);
    raw.closed().await;
}
