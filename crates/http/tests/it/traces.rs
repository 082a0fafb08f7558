//! The log: one line a request, with what an operator needs and nothing that the caller could smuggle in.

use std::io;
use std::sync::{Arc, Mutex};

use selfmx_http::HttpSettings;
use serde_json::Value;
use tracing_subscriber::fmt::MakeWriter;

use crate::raw::{exchange, request, with_body};
use crate::server::{ADMIN, CAUSE, SENDER, start};

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)).into_owned()
    }

    /// The lines whose message is `message`.
    fn lines(&self, message: &str) -> Vec<Value> {
        let lines = self.text().lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).collect::<Vec<_>>();
        lines.into_iter().filter(|line| line["fields"]["message"] == message).collect()
    }
}

/// Runs `test` with a log of its own: everything runs on this one thread.
fn logged(test: impl Future<Output = ()>) -> Log {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().json().with_writer(log.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
    log
}

#[test]
fn a_request_is_one_line_with_what_an_operator_needs() {
    let log = logged(async {
        let server = start(HttpSettings { trusted_proxies: vec!["127.0.0.1/32".parse().unwrap()], ..HttpSettings::default() }).await;
        let lines = format!(
            "Authorization: Bearer {ADMIN}\r\nX-Forwarded-For: 198.51.100.9\r\nX-Request-Id: mine\r\n\
             traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n"
        );
        exchange(server.address, request("DELETE", "/things/msg_01h455vb4pex5vsknk084sn02q", &lines)).await;
    });
    let lines = log.lines("request");
    assert_eq!(lines.len(), 1, "{}", log.text());
    let (fields, span) = (&lines[0]["fields"], &lines[0]["span"]);
    assert_eq!((&fields["method"], &fields["route"], &fields["status"]), (&"DELETE".into(), &"/things/{id}".into(), &200.into()));
    assert_eq!(
        (&fields["key_id"], &fields["client"], &fields["request_id"]),
        (&"key_default".into(), &"198.51.100.9".into(), &"mine".into())
    );
    assert!(fields["duration_us"].is_u64());
    assert_eq!((&span["request_id"], &span["trace_id"]), (&"mine".into(), &"4bf92f3577b34da6a3ce929d0e0e4736".into()));
}

#[test]
fn the_log_holds_no_secret_no_body_and_no_query() {
    let log = logged(async {
        let server = start(HttpSettings::default()).await;
        exchange(server.address, with_body("/measure?canary-query=1", SENDER, "canary-body")).await;
        exchange(server.address, with_body("/measure", SENDER, "canary-body")).await;
        exchange(server.address, with_body("/measure", "canary-key-0123456789", "canary-body")).await;
        exchange(server.address, request("GET", "/canary-path", "X-Request-Id: canary id\r\nX-Canary: canary-header\r\n")).await;
        exchange(server.address, request("CANARY-METHOD", "/open", "")).await;
        exchange(server.address, request("GET", "/open", "X-Forwarded-For: canary-hop\r\ntraceparent: canary-trace\r\n")).await;
    });
    assert_eq!(log.lines("request").len(), 6);
    let text = log.text();
    assert!(!text.to_lowercase().contains("canary"), "{text}");
    assert!(!text.contains(SENDER), "{text}");
}

#[test]
fn a_cause_is_in_the_log_with_the_request_s_id_and_cannot_break_its_line() {
    let log = logged(async {
        let server = start(HttpSettings::default()).await;
        exchange(server.address, request("GET", "/broken", "X-Request-Id: mine\r\n")).await;
        exchange(server.address, request("GET", "/panic", "")).await;
    });
    let failed = log.lines("request failed");
    assert_eq!(failed.len(), 1, "{}", log.text());
    let causes = failed[0]["fields"]["causes"].as_str().unwrap();
    assert!(causes.contains("SELECT secret") && !causes.contains(['\r', '\n']) && !causes.contains(CAUSE));
    assert_eq!(failed[0]["span"]["request_id"], "mine");
    assert_eq!(log.lines("a handler panicked").len(), 1);
    assert_eq!(log.lines("request").len(), 2);
}
