//! Who asks, and what is said to whom (K3, K4, P1, H7).

use std::sync::atomic::Ordering;

use selfmx_http::HttpSettings;

use crate::raw::{RawAnswer, exchange, request, with_body};
use crate::server::{ADMIN, CAUSE, SENDER, Server, TENANT, start};

async fn get(server: &Server, target: &str, lines: &str) -> RawAnswer {
    exchange(server.address, request("GET", target, lines)).await
}

fn key(key: &str) -> String {
    format!("Authorization: Bearer {key}\r\n")
}

#[tokio::test]
async fn without_a_key_the_scheme_is_named() {
    let server = start(HttpSettings::default()).await;
    for lines in ["", "Authorization: Basic dTpw\r\n", "Authorization: Bearer\r\n", "Cookie: key=admin-0123456789\r\n"] {
        let answer = get(&server, "/any", lines).await;
        assert_eq!((answer.status, answer.code().as_str()), (401, "missing_api_key"), "{lines}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"selfmx\""));
    }
    for target in ["/any?api_key=admin-0123456789", "/any?access_token=admin-0123456789", "/any?key=admin-0123456789"] {
        assert_eq!(get(&server, target, "").await.code(), "missing_api_key", "{target}");
    }
}

#[tokio::test]
async fn every_key_that_is_none_gets_the_same_answer() {
    let server = start(HttpSettings::default()).await;
    let mut answers = Vec::new();
    let unknown = format!("sk_live_{}", "0".repeat(49));
    for wrong in ["unknown-0123456789", "short", "with space 0123456789", unknown.as_str(), "\u{e9}-0123456789012345"] {
        let answer = get(&server, "/any", &(key(wrong) + "X-Request-Id: same\r\n")).await;
        assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"selfmx\", error=\"invalid_token\""));
        answers.push((answer.status, answer.body));
    }
    assert_eq!(answers[0].0, 401);
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
}

#[tokio::test]
async fn the_scheme_is_read_in_any_case_and_two_headers_are_refused() {
    let server = start(HttpSettings::default()).await;
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let answer = get(&server, "/any", &format!("Authorization: {scheme} {ADMIN}\r\n")).await;
        assert_eq!(answer.json()["key"], "Default", "{scheme}");
    }
    let answer = get(&server, "/any", &key(ADMIN).repeat(2)).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "invalid_request"));
}

#[tokio::test]
async fn a_missing_permission_is_named() {
    let server = start(HttpSettings::default()).await;
    let answer = exchange(server.address, with_body("/things/x", SENDER, "{")).await;
    assert_eq!((answer.status, answer.code().as_str()), (403, "permission_denied"));
    assert!(answer.json()["error"]["message"].as_str().is_some_and(|message| message.contains("`logs:read`")));
    assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"selfmx\", error=\"insufficient_scope\", scope=\"logs:read\""));
}

#[tokio::test]
async fn a_tenant_s_wildcard_is_not_the_platform_s() {
    let server = start(HttpSettings::default()).await;
    assert_eq!(get(&server, "/platform", &key(ADMIN)).await.status, 200);
    for (wrong, status) in [(TENANT, 403), (SENDER, 403), ("unknown-0123456789", 401)] {
        assert_eq!(get(&server, "/platform", &key(wrong)).await.status, status, "{wrong}");
    }
}

#[tokio::test]
async fn the_checks_come_in_the_contract_s_order() {
    let server = start(HttpSettings::default()).await;
    let answer = |target: &str, lines: &str, body: &str| {
        let length = format!("Content-Length: {}\r\n", body.len());
        exchange(server.address, request("POST", target, &(lines.to_owned() + &length)) + body)
    };
    let sender = key(SENDER);
    let all = key(ADMIN);
    let wrong_body = "Content-Type: text/plain\r\n";
    // The declared length, before who asks.
    let large = exchange(server.address, request("POST", "/measure", "Content-Length: 99999999\r\n")).await;
    assert_eq!(large.status, 413);
    // Who asks, before what may be done, before what is asked for.
    assert_eq!(answer("/things/x?y=z", wrong_body, "{").await.status, 401);
    assert_eq!(answer("/things/x?y=z", &(sender + wrong_body), "{").await.status, 403);
    assert_eq!(answer("/things/x?y=z", &(all.clone() + wrong_body), "{").await.status, 400);
    assert_eq!(answer("/things/x", &(all.clone() + wrong_body), "{").await.status, 404);
    assert_eq!(answer("/things/msg_01h455vb4pex5vsknk084sn02q", &(all + wrong_body), "{").await.status, 415);
    assert_eq!(server.state.parsed.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn what_is_no_id_and_what_is_no_path_look_alike() {
    let server = start(HttpSettings::default()).await;
    let lines = key(ADMIN) + "X-Request-Id: same\r\n";
    let ids = ["x", "msg_", "key_default", "..%2f..%2fetc", "%ff", "%00", "msg_01h455vb4pex5vsknk084sn02u"];
    let mut answers = Vec::new();
    for id in ids {
        answers.push(exchange(server.address, request("DELETE", &format!("/things/{id}"), &lines)).await);
    }
    for path in ["/nothing", "/missing"] {
        answers.push(get(&server, path, &lines).await);
    }
    assert_eq!((answers[0].status, answers[0].code().as_str()), (404, "not_found"));
    assert!(answers.windows(2).all(|pair| pair[0].body == pair[1].body));
    let encoded = "/things/%6dsg_01h455vb4pex5vsknk084sn02q";
    assert_eq!(exchange(server.address, request("DELETE", encoded, &lines)).await.status, 200);
}

#[tokio::test]
async fn parameters_that_nobody_reads_are_refused() {
    let server = start(HttpSettings::default()).await;
    assert_eq!(get(&server, "/platform?limit=5", &key(ADMIN)).await.json()["limit"], "5");
    for (target, field) in [("/platform?limits=5", "limits"), ("/platform?limit=5&limit=6", "limit"), ("/any?x", "x")] {
        let answer = get(&server, target, &key(ADMIN)).await;
        assert_eq!((answer.status, &answer.json()["error"]["field"]), (400, &field.into()), "{target}");
    }
}

#[tokio::test]
async fn a_cause_is_never_shown() {
    let server = start(HttpSettings::default()).await;
    for (target, lines) in [("/broken", String::new()), ("/any", key("broken-0123456789")), ("/panic", String::new())] {
        let answer = get(&server, target, &lines).await;
        assert_eq!((answer.status, answer.code().as_str()), (500, "internal"), "{target}");
        let shown = String::from_utf8(answer.body).unwrap();
        for secret in [CAUSE, "SELECT", "/var", "own words", ".rs"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
