//! `GET /metrics`: what is counted, read as Prometheus reads it.

mod series;

use std::collections::BTreeSet;

use selfmx_testing::{Fault, HttpAnswer, Phase, Sink, SinkSettings, check_metrics};
use serde_json::json;

use self::series::Series;
use crate::process::{KEY, Server, eventually, until};
use crate::world::{World, fault};

const TOKEN: &str = "a-token-for-prometheus-alone";

async fn scraped(server: &Server) -> Series {
    let answer = server.ask("GET", "/metrics", None, None).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/plain; version=0.0.4; charset=utf-8")));
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    assert_eq!(check_metrics(&text), None);
    Series::read(&text)
}

#[tokio::test]
async fn each_email_is_counted_by_what_becomes_of_it() {
    let faults = vec![
        Fault::reply(Phase::Rcpt, "550 5.1.1 no such user").for_local("gone"),
        Fault::reply(Phase::Rcpt, "450 4.2.1 later").for_local("later"),
    ];
    let sink = Sink::start(SinkSettings { faults, ..SinkSettings::default() }).await;
    let world = World::relayed(sink.address(), &[("QUEUE_RETRY_DELAY", "3600")]).await;
    let before = scraped(&world.server).await;
    for family in ["selfmx_emails_total", "selfmx_emails_delivered_total", "selfmx_emails_bounced_total", "selfmx_emails_failed_total"] {
        assert_eq!(before.value(family, &[]), Some(0.0), "{family}");
    }
    for to in ["fine@r.example", "gone@r.example", "later@r.example"] {
        world.send(json!({"to": to})).await;
    }
    let batch =
        json!({"emails": [crate::world::email(&json!({})), crate::world::email(&json!({"scheduled_at": crate::world::in_seconds(7200)}))]});
    assert_eq!(world.post("/v1/send/batch", &batch).await.status, 202);
    until(&world.database, "SELECT count(*) FROM recipients WHERE attempts = 1", "4").await;
    // What the database told is up to a second old.
    eventually("two that wait", async || scraped(&world.server).await.value("selfmx_emails_queued", &[]) == Some(2.0)).await;
    let series = scraped(&world.server).await;
    let relay = ("relay", "server");
    for (family, labels, value) in [
        ("selfmx_emails_total", &[][..], 5.0),
        ("selfmx_emails_delivered_total", &[], 2.0),
        ("selfmx_emails_bounced_total", &[], 1.0),
        ("selfmx_emails_failed_total", &[], 0.0),
        ("selfmx_queue_age_seconds", &[], 0.0),
        ("selfmx_smtp_send_duration_seconds_count", &[relay], 4.0),
        ("selfmx_smtp_errors_total", &[relay, ("kind", "bounced")], 1.0),
        ("selfmx_smtp_errors_total", &[relay, ("kind", "deferred")], 1.0),
        ("selfmx_smtp_errors_total", &[relay, ("kind", "unreachable")], 0.0),
        ("selfmx_relays_paused", &[relay], 0.0),
        ("selfmx_worker_stale_results_total", &[], 0.0),
        ("selfmx_database_up", &[], 1.0),
        ("selfmx_database_connections_max", &[], 10.0),
        ("selfmx_api_requests_total", &[("method", "POST"), ("route", "/v1/send"), ("status", "202")], 3.0),
        ("selfmx_api_request_duration_seconds_count", &[("method", "POST"), ("route", "/v1/send")], 3.0),
    ] {
        assert_eq!(series.value(family, labels), Some(value), "{family} {labels:?}");
    }
    assert!(series.value("selfmx_smtp_connections", &[relay]).unwrap() >= 1.0);
    assert!(series.value("selfmx_database_connections", &[("state", "idle")]).unwrap() >= 1.0);
}

#[tokio::test]
async fn however_many_paths_are_asked_for_there_are_only_so_many_series() {
    let world = World::start().await;
    let mut http = world.server.connect().await;
    for round in 0..30 {
        for path in [format!("/nowhere/{round}"), format!("/v1/emails/canary-{round}"), format!("/v1/emails?canary={round}")] {
            http.send("GET", &path, Some(KEY), None).await.unwrap();
        }
        http.send(&format!("CANARY{round}"), "/v1/emails", Some(KEY), None).await.unwrap();
    }
    let series = scraped(&world.server).await;
    let of = |family: &str| series.of(family).map(|(labels, value)| (labels.to_owned(), value)).collect::<Vec<_>>();
    assert_eq!(
        of("selfmx_api_requests_total"),
        [
            ("method=GET,route=-,status=404".to_owned(), 30.0),
            ("method=GET,route=/v1/emails,status=400".to_owned(), 30.0),
            ("method=GET,route=/v1/emails/{id},status=404".to_owned(), 30.0),
            ("method=other,route=/v1/emails,status=405".to_owned(), 30.0),
        ]
    );
    let errors =
        [("code=method_not_allowed".to_owned(), 30.0), ("code=not_found".to_owned(), 60.0), ("code=unknown_field".to_owned(), 30.0)];
    assert_eq!(of("selfmx_api_errors_total"), errors);
    assert!(!series.text.contains("canary"), "{}", series.text);
}

#[tokio::test]
async fn a_token_keeps_others_out_and_is_no_key() {
    let world = World::start_with(&[("METRICS_TOKEN", TOKEN)]).await;
    let asked = async |token: Option<&str>| world.server.ask("GET", "/metrics", token, None).await;
    let refused = |answer: &HttpAnswer| (fault(answer).0, fault(answer).1, answer.header("www-authenticate").unwrap().to_owned());
    let challenge = |rest: &str| format!("Bearer realm=\"selfmx\"{rest}");
    assert_eq!(refused(&asked(None).await), (401, "missing_api_key".to_owned(), challenge("")));
    for wrong in [KEY, "a-token-for-prometheus-alonf", "a-token-for-prometheus-alon", "x"] {
        assert_eq!(
            refused(&asked(Some(wrong)).await),
            (401, "invalid_api_key".to_owned(), challenge(", error=\"invalid_token\"")),
            "{wrong}"
        );
    }
    assert_eq!(asked(Some(TOKEN)).await.status, 200);
    assert_eq!(world.server.ask("GET", "/v1/emails", Some(TOKEN), None).await.status, 401);
    assert_eq!(world.server.ask("GET", "/health", None, None).await.status, 200);
}

#[tokio::test]
async fn relays_that_cannot_be_used_are_counted_those_of_tenants_too() {
    let locked = SinkSettings { credentials: Some(("u".to_owned(), "p".to_owned())), ..SinkSettings::default() };
    let (own, server) = (Sink::start(locked).await, Sink::well_behaved().await);
    let world = World::relayed(server.address(), &[("TENANT_SMTP_ALLOW_PRIVATE", "true")]).await;
    let (host, port) = (own.address().ip().to_string(), own.address().port());
    // Without the credentials that it asks for.
    let shop = world.tenant_of(json!({"name": "Shop", "smtp": {"host": host, "port": port, "tls": false}})).await;
    let key = world.key_for(&shop).await;
    world.send_as(&key, json!({})).await;
    let paused = async || world.get("/health").await.json()["relays_paused"].clone();
    eventually("a paused relay", async || paused().await == 1).await;
    let series = scraped(&world.server).await;
    let of = |relay: &str| series.value("selfmx_relays_paused", &[("relay", relay)]);
    assert_eq!((of("tenants"), of("server")), (Some(1.0), Some(0.0)));
    // A tenant's relay is the tenant's to put right.
    assert_eq!(world.get("/health").await.json()["status"], "ok");
    let free = json!({"smtp": {"host": server.address().ip().to_string(), "port": server.address().port()}});
    assert_eq!(world.server.ask("PATCH", &format!("/v1/tenants/{shop}"), Some(KEY), Some(&free)).await.status, 200);
    world.database.execute("UPDATE queue SET due_at = now()").await;
    server.wait_for(1).await;
    eventually("no paused relay", async || paused().await == 0).await;
}

/// Every family of series that a text names.
fn named(text: &str) -> BTreeSet<String> {
    let is_part = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
    let names = text.split(|letter| !is_part(letter)).filter(|name| name.starts_with("selfmx_"));
    names.map(|name| name.strip_suffix("_bucket").unwrap_or(name).to_owned()).collect()
}

#[tokio::test]
async fn what_is_described_drawn_and_alerted_on_is_what_is_told() {
    let told = scraped(&World::start().await.server).await.text;
    let told: BTreeSet<String> = told.lines().filter_map(|line| line.strip_prefix("# HELP ")).flat_map(named).collect();
    let (_, described) = include_str!("../../../../docs/operations.md").split_once("\n## Metrics\n").unwrap();
    assert_eq!(named(described.split("\n## ").next().unwrap()), told);
    for used in [
        include_str!("../../../../docs/deploy/prometheus-rules.yaml"),
        include_str!("../../../../docs/deploy/prometheus-rules-test.yaml"),
        include_str!("../../../../docs/deploy/grafana-dashboard.json"),
    ] {
        let used = named(used);
        assert!(!used.is_empty() && used.is_subset(&told), "{:?}", used.difference(&told).collect::<Vec<_>>());
    }
}
