//! A server on a database of its own, and what most tests ask of it.

use std::cell::Cell;
use std::net::SocketAddr;
use std::time::Duration;

use selfmx_domain::Clock as _;
use selfmx_testing::{Database, HttpAnswer, Sink, SystemClock};
use serde_json::{Value, json};

use crate::process::{KEY, Server, database, eventually};

/// A server on a database of its own.
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) database: Database,
}

/// A key that was made.
pub(crate) struct Made {
    pub(crate) id: String,
    pub(crate) secret: String,
}

impl World {
    /// One that captures its mail.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// One with these variables beside the usual ones.
    pub(crate) async fn start_with(variables: &[(&str, &str)]) -> Self {
        let database = database().await;
        Self { server: Server::start(&database, variables).await, database }
    }

    /// One that hands its mail to `relay` in clear, with these variables.
    pub(crate) async fn relayed(relay: SocketAddr, variables: &[(&str, &str)]) -> Self {
        let (host, port) = (relay.ip().to_string(), relay.port().to_string());
        let usual = [("SMTP_HOST", host.as_str()), ("SMTP_PORT", &port), ("SMTP_TLS", "false"), ("QUEUE_RETRY_DELAY", "0")];
        Self::start_with(&[&usual[..], variables].concat()).await
    }

    /// Stops the server, and starts it again on the same database with these variables.
    pub(crate) async fn restarted(self, variables: &[(&str, &str)]) -> Self {
        assert_eq!(self.server.stop().await.code, Some(0));
        Self { server: Server::start(&self.database, variables).await, database: self.database }
    }

    /// Kills the server, and starts it again on the same database with these variables.
    pub(crate) async fn killed(self, variables: &[(&str, &str)]) -> Self {
        self.server.kill().await;
        Self { server: Server::start(&self.database, variables).await, database: self.database }
    }

    /// Asks with the operator's key.
    pub(crate) async fn get(&self, path: &str) -> HttpAnswer {
        self.server.ask("GET", path, Some(KEY), None).await
    }

    /// Asks with the operator's key.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> HttpAnswer {
        self.server.ask("POST", path, Some(KEY), Some(body)).await
    }

    /// Makes a key, with the operator's.
    pub(crate) async fn key(&self, wanted: Value) -> Made {
        let answer = self.post("/v1/api-keys", &wanted).await;
        let key = answer.json();
        assert_eq!(answer.status, 201, "{wanted}: {key}");
        Made { id: text(&key["id"]), secret: text(&key["key"]) }
    }

    /// Makes a tenant, and gives its id.
    pub(crate) async fn tenant(&self, name: &str) -> String {
        self.tenant_of(json!({"name": name})).await
    }

    /// The same by all that is said of it.
    pub(crate) async fn tenant_of(&self, said: Value) -> String {
        let answer = self.post("/v1/tenants", &said).await;
        assert_eq!(answer.status, 201, "{}", answer.json());
        text(&answer.json()["id"])
    }

    /// Makes a key of a tenant's that may do everything there, and gives its secret.
    pub(crate) async fn key_for(&self, tenant: &str) -> String {
        self.key(json!({"name": "Key", "permissions": ["*"], "tenant_id": tenant})).await.secret
    }

    /// Sends a usual email that `changes` alter, and gives its id.
    pub(crate) async fn send(&self, changes: Value) -> String {
        self.send_as(KEY, changes).await
    }

    /// The same with another key.
    pub(crate) async fn send_as(&self, key: &str, changes: Value) -> String {
        let answer = self.server.ask("POST", "/v1/send", Some(key), Some(&email(&changes))).await;
        assert_eq!(answer.status, 202, "{}: {}", shown(&changes), answer.json());
        text(&answer.json()["id"])
    }

    /// An email as it is read back.
    pub(crate) async fn email(&self, id: &str) -> Value {
        let answer = self.get(&format!("/v1/emails/{id}")).await;
        assert_eq!(answer.status, 200, "{}", answer.json());
        answer.json()
    }

    /// The message of an email.
    pub(crate) async fn raw(&self, id: &str) -> Vec<u8> {
        let answer = self.get(&format!("/v1/emails/{id}/raw")).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("message/rfc822")));
        answer.body.to_vec()
    }

    /// An email as soon as `holds`.
    pub(crate) async fn email_when(&self, id: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let seen = Cell::new(Value::Null);
        let look = async || {
            let email = self.email(id).await;
            let holds = holds(&email);
            seen.set(email);
            holds
        };
        eventually(&format!("the email {id}"), look).await;
        seen.take()
    }

    /// An email as soon as nothing is left to do for it.
    pub(crate) async fn settled(&self, id: &str) -> Value {
        self.email_when(id, |email| !["scheduled", "queued", "sending"].contains(&email["status"].as_str().unwrap())).await
    }
}

/// A usual email in which `changes` replace fields, or with `null` take them out.
pub(crate) fn email(changes: &Value) -> Value {
    let mut email = json!({"from": "shop@sender.example", "to": "anna@recipient.example", "subject": "Hello", "text": "It works."});
    for (name, value) in changes.as_object().unwrap() {
        email.as_object_mut().unwrap().insert(name.clone(), value.clone());
        if value.is_null() {
            email.as_object_mut().unwrap().remove(name);
        }
    }
    email
}

/// A time so many seconds from now, as requests write it.
pub(crate) fn in_seconds(seconds: i64) -> String {
    let moved = Duration::from_secs(seconds.unsigned_abs());
    let time = if seconds < 0 { SystemClock.now() - moved } else { SystemClock.now() + moved };
    let (year, month, day) = (time.year(), u8::from(time.month()), time.day());
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", time.hour(), time.minute(), time.second())
}

/// A JSON string's text.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The recipient with this address, of an email that was read back.
pub(crate) fn recipient<'a>(email: &'a Value, address: &str) -> &'a Value {
    email["recipients"].as_array().unwrap().iter().find(|recipient| recipient["address"] == address).unwrap()
}

/// Where a sink listens, as `SMTP_PORT` wants it.
pub(crate) fn port(sink: &Sink) -> String {
    sink.address().port().to_string()
}

/// What an answer says is wrong: its status, its code, and the field. Whatever else an error has to have is checked.
pub(crate) fn fault(answer: &HttpAnswer) -> (u16, String, String) {
    let body = answer.json();
    let error = &body["error"];
    let code = text(&error["code"]);
    assert_eq!(answer.header("content-type"), Some("application/json"), "{body}");
    assert_eq!(error["docs"], format!("/docs/errors#{code}"), "{body}");
    assert_eq!(error["request_id"].as_str(), answer.header("x-request-id"), "{body}");
    assert!(!text(&error["message"]).is_empty(), "{body}");
    (answer.status, code, text(&error["field"]))
}

/// Posts each body with the operator's key, and compares what is found wrong with it: a code, and a field or nothing.
pub(crate) async fn refuses(world: &World, path: &str, cases: impl IntoIterator<Item = (Value, &str, String)>) {
    let mut http = world.server.connect().await;
    for (body, code, field) in cases {
        let answer = http.send("POST", path, Some(KEY), Some(&body)).await.unwrap();
        assert_eq!(fault(&answer), (400, code.to_owned(), field), "{}: {}", shown(&body), answer.json());
    }
}

/// A body as a failed test shows it.
fn shown(body: &Value) -> String {
    body.to_string().chars().take(300).collect()
}
