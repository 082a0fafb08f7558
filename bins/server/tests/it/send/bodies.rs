//! Bodies that are no email before any field is looked at: malformed, deep, doubled, large, of another type.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use selfmx_testing::HttpAnswer;
use serde_json::json;

use crate::process::KEY;
use crate::world::{World, email, fault};

const MIB: usize = 1024 * 1024;

/// Sends octets with these headers and the operator's key.
async fn sent(world: &World, path: &str, headers: &[(&str, &str)], octets: Vec<u8>) -> HttpAnswer {
    let bearer = format!("Bearer {KEY}");
    let headers = [&[("authorization", bearer.as_str())], headers].concat();
    world.server.connect().await.send_octets("POST", path, &headers, octets).await.unwrap()
}

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

#[tokio::test]
async fn what_is_no_json_object_is_refused_as_a_whole() {
    let world = World::start().await;
    let usual = email(&json!({})).to_string();
    let nested = |levels: usize| format!("{{\"x\":{}1{}}}", "[".repeat(levels), "]".repeat(levels));
    let long_list = format!("{{\"to\":[{}]}}", vec!["\"a@x.example\""; 1001].join(","));
    let many_values = format!("{{\"x\":[{}]}}", vec![format!("[{}]", vec!["1"; 999].join(",")); 11].join(","));
    let cases: Vec<(Vec<u8>, &str, &str)> = vec![
        (b"".to_vec(), "invalid_request", ""),
        (b"{".to_vec(), "invalid_request", ""),
        (b"[]".to_vec(), "invalid_request", ""),
        (b"null".to_vec(), "invalid_request", ""),
        (b"true".to_vec(), "invalid_request", ""),
        (b"\"text\"".to_vec(), "invalid_request", ""),
        (b"1e999".to_vec(), "invalid_request", ""),
        (b"{\"from\":NaN}".to_vec(), "invalid_request", ""),
        (b"{'from':'a'}".to_vec(), "invalid_request", ""),
        (b"{\"from\":\"a\",}".to_vec(), "invalid_request", ""),
        (b"{/**/}".to_vec(), "invalid_request", ""),
        (b"{\"from\":\"a\x01\"}".to_vec(), "invalid_request", ""),
        (b"{\"from\":\"\xff\"}".to_vec(), "invalid_request", ""),
        (b"{\"from\":\"\\ud800\"}".to_vec(), "invalid_request", ""),
        (b"\xef\xbb\xbf{}".to_vec(), "invalid_request", ""),
        (format!("{usual} {usual}").into_bytes(), "invalid_request", ""),
        (format!("{usual}]").into_bytes(), "invalid_request", ""),
        (usual.replacen('{', "{\"from\":\"b@x.example\",", 1).into_bytes(), "invalid_request", "from"),
        (usual.replacen('{', "{\"\\u0066rom\":\"b@x.example\",", 1).into_bytes(), "invalid_request", "from"),
        (usual.replacen('{', "{\"metadata\":{\"a\":\"1\",\"a\":\"2\"},", 1).into_bytes(), "invalid_request", "a"),
        (nested(31).into_bytes(), "unknown_field", "x"),
        (nested(32).into_bytes(), "invalid_request", ""),
        (nested(500_000).into_bytes(), "invalid_request", ""),
        (long_list.into_bytes(), "invalid_request", ""),
        (many_values.into_bytes(), "invalid_request", ""),
    ];
    for (octets, code, field) in cases {
        let shown: String = String::from_utf8_lossy(&octets).chars().take(100).collect();
        let answer = sent(&world, "/v1/send", JSON, octets).await;
        assert_eq!(fault(&answer), (400, code.to_owned(), field.to_owned()), "{shown}: {}", answer.json());
    }
    assert_eq!(sent(&world, "/v1/send", JSON, usual.into_bytes()).await.status, 202, "the usual one is taken");
}

#[tokio::test]
async fn only_json_in_utf_8_and_uncompressed_is_read() {
    let world = World::start().await;
    let usual = email(&json!({})).to_string().into_bytes();
    for value in ["application/json", "Application/JSON", "application/json; charset=utf-8", "application/json;charset=\"UTF-8\""] {
        assert_eq!(sent(&world, "/v1/send", &[("content-type", value)], usual.clone()).await.status, 202, "{value}");
    }
    let refused = (415, "unsupported_media_type".to_owned(), String::new());
    assert_eq!(fault(&sent(&world, "/v1/send", &[], usual.clone()).await), refused);
    for value in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=latin1",
        "",
        "json",
    ] {
        assert_eq!(fault(&sent(&world, "/v1/send", &[("content-type", value)], usual.clone()).await), refused, "{value}");
    }
    for encoding in ["gzip", "identity", "br", "deflate"] {
        let headers = [JSON[0], ("content-encoding", encoding)];
        assert_eq!(fault(&sent(&world, "/v1/send", &headers, usual.clone()).await), refused, "{encoding}");
    }
}

#[tokio::test]
async fn what_this_version_would_ignore_is_refused() {
    let world = World::start().await;
    let usual = email(&json!({})).to_string().into_bytes();
    assert_eq!(
        fault(&sent(&world, "/v1/send?mode=permissive", JSON, usual.clone()).await),
        (400, "unknown_field".to_owned(), "mode".to_owned())
    );
    assert_eq!(world.database.query_one_text("SELECT count(*) FROM emails").await, "0");
    assert_eq!(sent(&world, "/v1/send", JSON, usual).await.status, 202);
}

#[tokio::test]
async fn a_body_may_be_so_large_and_no_larger() {
    let world = World::start_with(&[("SEND_BODY_LIMIT", &(2 * MIB).to_string())]).await;
    let filled = |size: usize| {
        let rest = email(&json!({"text": ""})).to_string().len();
        let body = email(&json!({"text": "x".repeat(size - rest)})).to_string().into_bytes();
        assert_eq!(body.len(), size);
        body
    };
    let too_large = (413, "payload_too_large".to_owned(), String::new());
    assert_eq!(sent(&world, "/v1/send", JSON, filled(2 * MIB)).await.status, 202);
    assert_eq!(fault(&sent(&world, "/v1/send", JSON, filled(2 * MIB + 1)).await), too_large);
    let named = |size: usize| format!("{{\"name\":\"{}\"}}", "n".repeat(size - "{\"name\":\"\"}".len())).into_bytes();
    assert_eq!(fault(&sent(&world, "/v1/tenants", JSON, named(MIB)).await), (400, "invalid_request".to_owned(), "name".to_owned()));
    for path in ["/v1/tenants", "/v1/api-keys"] {
        assert_eq!(fault(&sent(&world, path, JSON, named(MIB + 1)).await), too_large, "{path}");
    }
}

#[tokio::test]
async fn files_may_have_forty_mib_together_however_large_the_body_may_be() {
    let world = World::start_with(&[("SEND_BODY_LIMIT", &(60 * MIB).to_string())]).await;
    let content = BASE64_STANDARD.encode(vec![7; 20 * MIB]);
    let file = |content: &str| format!("{{\"filename\":\"a.bin\",\"content\":\"{content}\"}}");
    let body = email(&json!({"attachments": "files"})).to_string();
    let body = body.replace("\"files\"", &format!("[{},{},{}]", file(&content), file(&content), file("Bw==")));
    let answer = sent(&world, "/v1/send", JSON, body.into_bytes()).await;
    assert_eq!(fault(&answer), (400, "invalid_request".to_owned(), "attachments".to_owned()));
    assert!(answer.json()["error"]["message"].as_str().unwrap().contains("41943040"), "{}", answer.json());
    // Somewhat less arrives whole.
    let id = world.send(json!({"attachments": [{"filename": "a.bin", "content": &content[..4 * MIB]}]})).await;
    assert!(world.raw(&id).await.len() > 4 * MIB);
}
