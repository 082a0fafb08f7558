//! The log: JSON lines that tell what happened, and neither secrets nor what mail says nor to whom.

use selfmx_testing::{Fault, Phase, Receiver, Sink, SinkSettings};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::process::{KEY, command, command_ends, database, until};
use crate::world::{World, email, port, text};

/// Part of everything that must be in no log.
const CANARY: &str = "canary";

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// The fields that the documentation says the lines with this message have, beside those that all have.
const FIELDS: [(&str, &[&str]); 3] = [
    ("request", &["method", "route", "status", "duration_us", "client", "request_id", "trace_id", "key_id", "span"]),
    ("attempt", &["email_id", "tenant_id", "trace_id", "delivered", "deferred", "bounced", "failed", "held", "duration_ms"]),
    (
        "post",
        &["webhook_id", "tenant_id", "delivery_id", "event_id", "email_id", "trace_id", "attempt", "accepted", "status", "duration_ms"],
    ),
];

fn lines(log: &str) -> Vec<Value> {
    log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("no JSON line: {line}: {error}"))).collect()
}

/// A mail whose every field has the canary.
fn whole() -> Value {
    email(&json!({
        "from": "From Canary <from-canary@sender.example>", "to": ["To Canary <fine-canary@r.example>", "gone-canary@r.example", "later-canary@r.example"],
        "cc": "cc-canary@canary.example", "bcc": "bcc-canary@r.example", "reply_to": "reply-canary@r.example", "subject": "Subject canary", "text": "text canary",
        "html": "<p>html canary</p>", "headers": {"X-Canary": "header canary"}, "tags": ["tag-canary"], "metadata": {"canary": "canary"},
        "attachments": [{"filename": "canary.txt", "content": "Y2FuYXJ5", "content_id": "canary"}],
    }))
}

/// Asks for everything that can go well or wrong, with the canary in every place.
async fn everything(world: &World, key: &str) {
    let sent = world.server.ask("POST", "/v1/send", Some(key), Some(&whole())).await;
    assert_eq!(sent.status, 202, "{}", sent.json());
    until(&world.database, "SELECT count(*) FROM recipients WHERE attempts = 0", "0").await;
    let id = text(&sent.json()["id"]);
    let bearer = format!("Bearer {key}");
    let (good, wrong) = (("authorization", bearer.as_str()), ("authorization", "Bearer a-wrong-key-canary"));
    let json = ("content-type", "application/json");
    for (method, path, headers, body) in [
        ("GET", "/v1/emails?to=later-canary@r.example&tag=canary", &[good][..], ""),
        ("GET", &format!("/v1/emails/{id}"), &[good], ""),
        ("GET", &format!("/v1/emails/{id}/raw"), &[good], ""),
        ("GET", "/v1/emails/canary", &[good], ""),
        ("GET", "/v1/emails?canary=canary", &[good], ""),
        ("GET", "/canary?key=canary", &[], ""),
        ("CANARY", "/v1/emails", &[good], ""),
        ("GET", "/v1/emails", &[wrong], ""),
        ("GET", "/v1/emails", &[("authorization", "Basic Y2FuYXJ5OmNhbmFyeQ==canary")], ""),
        ("GET", "/v1/emails", &[("cookie", "canary"), ("user-agent", "canary"), ("referer", "canary"), ("traceparent", "canary")], ""),
        ("GET", "/v1/emails", &[("x-forwarded-for", "canary"), ("x-request-id", "not visible canary")], ""),
        ("POST", "/v1/send", &[good, json], "{\"canary\": \"canary\"}"),
        ("POST", "/v1/send", &[good, json], "{\"from\": \"canary\", \"to\": \"canary\", \"subject\": \"canary\"}"),
        ("POST", "/v1/send", &[good, json], "{\"canary"),
        ("POST", "/v1/send", &[good, json], "{\"canary\":1,\"canary\":1}"),
        ("POST", "/v1/send", &[good, ("content-type", "text/canary")], "canary"),
        ("POST", "/v1/send", &[good, json, ("idempotency-key", "canary")], "{}"),
        ("POST", "/v1/api-keys", &[good, json], "{\"name\": \"canary\", \"permissions\": [\"canary\"]}"),
        ("POST", "/v1/tenants", &[good, json], "{\"name\": \"canary\"}"),
        ("POST", "/v1/test-smtp", &[good], ""),
    ] {
        let answer = world.server.connect().await.send_octets(method, path, headers, body.into()).await.unwrap();
        assert!(answer.status < 500 || path == "/v1/test-smtp", "{method} {path}: {}", answer.json());
    }
}

#[tokio::test]
async fn nothing_that_is_secret_or_somebody_s_is_in_any_line_at_any_level() {
    let faults = vec![
        Fault::reply(Phase::Rcpt, "550 5.1.1 <gone-canary@r.example>: canary").for_local("gone-canary"),
        Fault::reply(Phase::Rcpt, "450 4.2.1 <later-canary@r.example>: canary").for_local("later-canary"),
    ];
    let sink = Sink::start(SinkSettings { faults, ..SinkSettings::default() }).await;
    let locked = Sink::start(SinkSettings { credentials: Some(("u".to_owned(), "p".to_owned())), ..SinkSettings::default() }).await;
    let refusing = Sink::start(SinkSettings {
        faults: vec![Fault::reply(Phase::Mail, "530 5.7.0 <from-canary@sender.example>: log in first")],
        ..SinkSettings::default()
    })
    .await;
    for (relay, login) in [(&sink, &[][..]), (&locked, &[("SMTP_USER", "user-canary"), ("SMTP_PASS", "pass-canary")]), (&refusing, &[])] {
        let (database, port) = (database().await, port(relay));
        let url = format!("{} password=url-canary", database.connection_string());
        let mut variables = vec![
            ("DATABASE_URL", url.as_str()),
            ("API_KEY", "the-operator-s-canary"),
            ("SECRET_KEY", "the-secret-key-canary-of-the-server-s-tests"),
            ("SECRET_KEYS_OLD", "an-old-secret-key-canary--of-server-s-tests"),
            ("LOG_LEVEL", "debug"),
            ("QUEUE_RETRY_DELAY", "3600"),
        ];
        variables.extend([("SMTP_HOST", "127.0.0.1"), ("SMTP_PORT", &port), ("SMTP_TLS", "false")]);
        variables.extend(login);
        let server = crate::process::Server::start_with(&variables).await;
        let world = World { server, database };
        let wanted = json!({"name": "Key canary", "permissions": ["*"]});
        let made = world.server.ask("POST", "/v1/api-keys", Some("the-operator-s-canary"), Some(&wanted)).await.json();
        let secret = text(&made["key"]);
        if login.is_empty() && std::ptr::eq(relay, &sink) {
            everything(&world, &secret).await;
        } else {
            // Held: no attempt counts, and why is in the database and in the log.
            assert_eq!(world.server.ask("POST", "/v1/send", Some(&secret), Some(&whole())).await.status, 202);
            until(&world.database, "SELECT count(reply_text) FROM recipients", "5").await;
            world.server.ask("POST", "/v1/test-smtp", Some(&secret), None).await;
            world.server.logged("the relay is held").await;
        }
        world
            .database
            .execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
            )
            .await;
        world.server.ask("GET", "/v1/emails", Some(&secret), None).await;
        let ended = world.server.stop().await;
        assert_eq!(ended.standard_output, "");
        let told: Vec<&str> =
            ended.log.lines().filter(|line| line.to_lowercase().contains(CANARY) || line.contains(&secret[8..])).collect();
        assert!(told.is_empty(), "{}", told.join("\n"));
        let events = lines(&ended.log);
        assert!(
            events.iter().all(|event| event["timestamp"].is_string() && event["level"].is_string() && event["message"].is_string()),
            "{}",
            ended.log
        );
        // The silence is not that of a log that says nothing.
        let attempt = events.iter().find(|event| event["message"] == "attempt").unwrap();
        assert!(attempt["email_id"].as_str().unwrap().starts_with("msg_"), "{attempt}");
    }
}

#[tokio::test]
async fn each_request_is_one_line_that_names_its_route_and_who_asked() {
    let world = World::start_with(&[("TRUSTED_PROXIES", "127.0.0.0/8")]).await;
    let key = world.key(json!({"name": "Reader", "permissions": ["logs:read"]})).await;
    let bearer = format!("Bearer {}", key.secret);
    let headers =
        [("authorization", bearer.as_str()), ("x-request-id", "line-1"), ("x-forwarded-for", "203.0.113.7"), ("traceparent", TRACEPARENT)];
    let mut http = world.server.connect().await;
    assert_eq!(http.send_octets("GET", "/v1/emails/msg_01h455vb4pex5vsknk084sn02q", &headers, Vec::new()).await.unwrap().status, 404);
    assert_eq!(http.send_octets("GET", "/nowhere", &[("x-request-id", "line-2")], Vec::new()).await.unwrap().status, 404);
    let ended = world.server.stop().await;
    let line = |id: &str| lines(&ended.log).into_iter().filter(|line| line["request_id"] == id).collect::<Vec<_>>();
    let (first, second) = (line("line-1"), line("line-2"));
    assert_eq!((first.len(), second.len()), (1, 1));
    let told = |line: &Value| {
        json!([line["level"], line["message"], line["method"], line["route"], line["status"], line["key_id"], line["client"]])
    };
    assert_eq!(told(&first[0]), json!(["INFO", "request", "GET", "/v1/emails/{id}", 404, key.id, "203.0.113.7"]));
    assert_eq!(told(&second[0]), json!(["INFO", "request", "GET", "-", 404, null, "127.0.0.1"]));
    assert!(first[0]["duration_us"].is_u64() && first[0]["span"]["trace_id"] == TRACE && first[0]["trace_id"] == TRACE, "{}", first[0]);
}

/// Every field that the documentation names.
fn documented() -> Vec<String> {
    let manual = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operations.md")).unwrap();
    let section = manual.split("\n## Logs\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let named = section.lines().filter_map(|line| line.strip_prefix("| `")?.split(" |").next());
    named.flat_map(|names| names.split('`').filter(|name| !name.contains([',', ' ']) && !name.is_empty()).map(str::to_owned)).collect()
}

#[tokio::test]
async fn lines_have_the_fields_that_are_documented_and_no_others() {
    let sink = Sink::well_behaved().await;
    let world = World::relayed(sink.address(), &[("LOG_LEVEL", "debug"), ("WEBHOOK_ALLOW_PRIVATE", "true")]).await;
    let wanted = json!({"url": Receiver::start(|_| Some(200)).await.url(), "events": ["queued"]});
    assert_eq!(world.post("/v1/webhooks", &wanted).await.status, 201);
    everything(&world, KEY).await;
    sink.wait_for(1).await;
    world.server.logged("\"attempt\"").await;
    world.server.logged("\"post\"").await;
    let (ended, documented) = (world.server.stop().await, documented());
    for line in lines(&ended.log) {
        let names: Vec<&str> = line.as_object().unwrap().keys().map(String::as_str).collect();
        for always in ["timestamp", "level", "target", "message"] {
            assert!(line[always].is_string(), "{always}: {line}");
        }
        let unknown: Vec<_> = names.iter().filter(|name| !documented.iter().any(|known| known == *name)).collect();
        assert!(unknown.is_empty(), "say in docs/operations.md what these are: {unknown:?}: {line}");
        let Some((message, fields)) = FIELDS.iter().find(|(message, _)| line["message"] == *message) else { continue };
        // Nobody may have shown a key.
        let wanted = fields.iter().filter(|name| **name != "key_id" || names.contains(name)).copied();
        let mut wanted: Vec<_> = wanted.chain(["timestamp", "level", "target", "message"]).collect();
        wanted.sort_unstable();
        let mut names = names;
        names.sort_unstable();
        assert_eq!(names, wanted, "{message}: {line}");
    }
}

#[tokio::test]
async fn a_trace_leads_from_the_request_to_each_attempt() {
    let fault = Fault::reply(Phase::Rcpt, "450 4.2.1 later").for_local("later").times(1);
    let sink = Sink::start(SinkSettings { faults: vec![fault], ..SinkSettings::default() }).await;
    let world = World::relayed(sink.address(), &[]).await;
    let bearer = format!("Bearer {KEY}");
    let send = async |to: &str, id: &str, traceparent: Option<&str>| {
        let trace = traceparent.map(|value| ("traceparent", value));
        let usual = [("authorization", bearer.as_str()), ("content-type", "application/json"), ("x-request-id", id)];
        let headers: Vec<_> = usual.into_iter().chain(trace).collect();
        let body = email(&json!({"to": to})).to_string().into_bytes();
        let sent = world.server.connect().await.send_octets("POST", "/v1/send", &headers, body).await.unwrap();
        assert_eq!(sent.status, 202, "{}", sent.json());
        let id = text(&sent.json()["id"]);
        assert_eq!(world.settled(&id).await["status"], "delivered");
        id
    };
    let later = send("later@r.example", "named", Some(TRACEPARENT)).await;
    let malformed = send("a@r.example", "malformed", Some("00-canary")).await;
    let unnamed = send("b@r.example", "unnamed", None).await;
    let lines = lines(&world.server.stop().await.log);
    let of = |name: &str, value: &str, message: &str| {
        let found = lines.iter().filter(|line| line["message"] == message && line[name] == value);
        found.map(|line| text(&line["trace_id"])).collect::<Vec<_>>()
    };
    assert_eq!(of("email_id", &later, "attempt"), [TRACE, TRACE]);
    assert_eq!(of("request_id", "named", "request"), [TRACE]);
    let made = [("malformed", malformed), ("unnamed", unnamed)].map(|(request, email)| {
        let trace = of("request_id", request, "request");
        assert_eq!(of("email_id", &email, "attempt"), trace);
        assert!(trace[0].len() == 32 && trace[0].bytes().all(|byte| byte.is_ascii_hexdigit()), "{trace:?}");
        trace
    });
    assert_ne!(made[0], made[1]);
}

#[tokio::test]
async fn an_address_that_only_a_stranger_says_is_not_believed() {
    let world = World::start().await;
    let headers = [("x-request-id", "line-1"), ("x-forwarded-for", "203.0.113.7")];
    world.server.connect().await.send_octets("GET", "/health", &headers, Vec::new()).await.unwrap();
    let ended = world.server.stop().await;
    let line = lines(&ended.log).into_iter().find(|line| line["request_id"] == "line-1").unwrap();
    assert_eq!(line["client"], "127.0.0.1");
}

#[tokio::test]
async fn the_level_and_the_form_are_the_operator_s() {
    let database = database().await;
    let started = async |variables: &[(&str, &str)]| {
        let usual = [("DATABASE_URL", database.connection_string()), ("API_KEY", KEY)];
        let mut command = command(&[&usual[..], variables].concat());
        if !variables.iter().any(|(name, _)| *name == "LOG_FORMAT") {
            command.env_remove("LOG_FORMAT");
        }
        command
    };
    // Where it is no terminal, JSON without being asked.
    let ended = crate::process::Server::spawn(started(&[]).await).await.stop().await;
    assert!(
        lines(&ended.log).iter().any(|line| line["level"] == "WARN" && text(&line["message"]).contains("SMTP_HOST is not set")),
        "{}",
        ended.log
    );
    // Plain words, without colours, and of what happened only what somebody should look at.
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let ended = command_ends(started(&[("LOG_FORMAT", "text"), ("LOG_LEVEL", "warn"), ("PORT", &port)]).await).await;
    let lines: Vec<&str> = ended.log.lines().collect();
    assert!(lines.len() == 2 && lines[0].contains("WARN") && lines[0].contains("SMTP_HOST is not set"), "{}", ended.log);
    assert!(!ended.log.contains('\u{1b}') && !lines[0].starts_with('{') && lines[1].starts_with("selfmx: cannot listen"), "{}", ended.log);
    let ended = command_ends(started(&[("LOG_LEVEL", "error"), ("PORT", &port)]).await).await;
    assert_eq!(ended.log.lines().count(), 1, "{}", ended.log);
}
