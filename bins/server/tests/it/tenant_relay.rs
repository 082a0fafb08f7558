//! Tenants' own relays, through the API and by the command that seals their passwords again.

mod reach;
mod resealed;
mod used;

use std::net::SocketAddr;

use selfmx_testing::{Certificate, Database, Sink, SinkSettings, SinkTls};
use serde_json::{Value, json};

use crate::process::KEY;
use crate::world::World;

const ALLOWED: (&str, &str) = ("TENANT_SMTP_ALLOW_PRIVATE", "true");
const LOGIN: (&str, &str) = ("mailer", "canary-of-the-relay");

/// A tenant with a key of its own.
struct Shop {
    id: String,
    key: String,
}

impl Shop {
    /// One with this relay.
    async fn with(world: &World, smtp: Value) -> Self {
        let id = world.tenant_of(json!({"name": "Shop", "smtp": smtp})).await;
        Self { key: world.key_for(&id).await, id }
    }

    /// Sends an email, and gives its id.
    async fn send(&self, world: &World) -> String {
        world.send_as(&self.key, json!({})).await
    }

    /// The email's only recipient, as soon as something has become of it.
    async fn told(&self, world: &World, id: &str) -> Value {
        let told =
            format!("SELECT count(*) FROM recipients WHERE reply_text IS NOT NULL AND email_id = {}", uuid_of(&world.database, id).await);
        crate::process::until(&world.database, &told, "1").await;
        let answer = world.server.ask("GET", &format!("/v1/emails/{id}"), Some(&self.key), None).await;
        answer.json()["recipients"][0].clone()
    }

    /// Changes its relay, or tries to.
    async fn change(&self, world: &World, smtp: Value) -> selfmx_testing::HttpAnswer {
        world.server.ask("PATCH", &format!("/v1/tenants/{}", self.id), Some(KEY), Some(&json!({"smtp": smtp}))).await
    }

    async fn tested(&self, world: &World) -> selfmx_testing::HttpAnswer {
        world.server.ask("POST", "/v1/test-smtp", Some(&self.key), None).await
    }
}

/// The email that was accepted last, which is the one with this id where nobody else sends.
async fn uuid_of(database: &Database, _id: &str) -> String {
    format!("'{}'", database.query_one_text("SELECT max(id::text) FROM emails").await)
}

fn plain(address: SocketAddr) -> Value {
    json!({"host": address.ip().to_string(), "port": address.port(), "tls": false})
}

fn with_login(address: SocketAddr) -> Value {
    json!({"host": address.ip().to_string(), "port": address.port(), "user": LOGIN.0, "pass": LOGIN.1})
}

/// A relay that asks for TLS and the login.
async fn locked(certificate: &Certificate) -> Sink {
    let credentials = Some((LOGIN.0.to_owned(), LOGIN.1.to_owned()));
    Sink::start(SinkSettings { tls: SinkTls::StartTls(certificate.clone()), credentials, ..SinkSettings::default() }).await
}

/// Every row of every table, as text; octets in hexadecimal.
async fn dump(database: &Database) -> String {
    let mut all = String::new();
    for table in database.query_texts("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'").await {
        all.push_str(&database.query_texts(&format!("SELECT t::text FROM {table} AS t")).await.join("\n"));
    }
    all
}

/// Whether a text holds the secret, as it is or in hexadecimal.
fn shows(text: &str, secret: &str) -> bool {
    let hexadecimal: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    text.contains(secret) || text.contains(&hexadecimal)
}
