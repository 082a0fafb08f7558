//! What an endpoint is sent.

use std::collections::BTreeMap;

use selfmx_domain::PostOutcome;
use selfmx_testing::python;
use serde_json::json;

use crate::support::{Act, BODY, Endpoint, TRACE, anywhere, post, secrets};

/// Checks the signatures as the specification says, with Python's own `hmac`.
const VERIFY: &str = r#"
import base64, hashlib, hmac, json, sys
given = json.load(sys.stdin)
head, body, secrets = given["head"], given["body"].encode(), given["secrets"]
def mac(key, message):
    return hmac.new(key, message, hashlib.sha256)
def standard(prefix):
    signed = (head[prefix + "-id"] + "." + head[prefix + "-timestamp"] + ".").encode() + body
    by_each = [mac(base64.b64decode(s.removeprefix("whsec_")), signed).digest() for s in secrets]
    return ["v1," + base64.b64encode(tag).decode() for tag in by_each] == head[prefix + "-signature"].split(" ")
plain = "sha256=" + mac(secrets[0].encode(), body).hexdigest() == head["x-webhook-signature"]
print(json.dumps([standard("webhook"), standard("svix"), plain]))
"#;

/// The request line, and the header fields by their lower-case names.
fn taken_apart(request: &str) -> (String, BTreeMap<String, String>, String) {
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let (line, fields) = head.split_once("\r\n").unwrap();
    let fields = fields.split("\r\n").map(|field| field.split_once(": ").unwrap());
    (line.to_owned(), fields.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect(), body.to_owned())
}

#[tokio::test]
async fn an_event_is_posted_with_its_signatures() {
    let endpoint = Endpoint::start(Act::answer("200 OK", "", "thanks")).await;
    let answer = post(anywhere(), &endpoint.url("http", "127.0.0.1")).await.unwrap();
    assert_eq!((answer.status, answer.outcome(), answer.excerpt.as_str()), (200, PostOutcome::Accepted, "thanks"));
    let request = endpoint.seen(|seen| seen.requests[0].clone());
    let (line, head, body) = taken_apart(&request);
    assert_eq!(line, "POST /hook?x=1 HTTP/1.1");
    assert_eq!(body, BODY);
    let names: Vec<_> = head.keys().map(String::as_str).collect();
    let expected = [
        "content-length",
        "content-type",
        "host",
        "svix-id",
        "svix-signature",
        "svix-timestamp",
        "traceparent",
        "user-agent",
        "webhook-id",
        "webhook-signature",
        "webhook-timestamp",
        "x-webhook-signature",
    ];
    assert_eq!(names, expected);
    assert_eq!(head["host"], endpoint.address.to_string());
    assert_eq!((head["content-type"].as_str(), head["content-length"].as_str()), ("application/json", BODY.len().to_string().as_str()));
    assert_eq!(head["traceparent"], TRACE);
    assert_eq!((head["webhook-id"].as_str(), head["webhook-timestamp"].as_str()), ("evt_01h455vb4pex5vsknk084sn02q", "1795471200"));
    let secrets = secrets().map(|secret| secret.reveal().to_owned());
    let given = json!({"head": head, "body": body, "secrets": secrets});
    assert_eq!(python::run(VERIFY, given.to_string().as_bytes()), json!([true, true, true]));
}
