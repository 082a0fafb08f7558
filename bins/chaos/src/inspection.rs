//! What the database says, asked past the product.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde::Serialize;

use crate::failure::Failure;
use crate::ledger::{Books, State};
use crate::postgres::Postgres;

/// Whose attempts are open: a lease is held that has not run out.
const OPEN: &str = "SELECT q.lease_token, r.address FROM recipients r JOIN queue q USING (email_id) WHERE q.lease_token IS NOT NULL AND q.due_at > now() AND r.status = 'queued'";

const STATES: &str = "SELECT r.address, r.status, (coalesce(r.reply_text, '') <> '' OR r.reply_code IS NOT NULL)::int, \
    (r.status = 'queued' AND EXISTS (SELECT FROM queue q WHERE q.email_id = r.email_id))::int FROM recipients r";

/// Rows that are there without those that are written with them, by name.
const MISFITS: [(&str, &str); 7] = [
    ("an email without its message", "SELECT id FROM emails WHERE id NOT IN (SELECT email_id FROM messages)"),
    ("an email without recipients", "SELECT id FROM emails WHERE id NOT IN (SELECT email_id FROM recipients)"),
    ("an email without its first event", "SELECT id FROM emails WHERE id NOT IN (SELECT email_id FROM events)"),
    ("a recipient without its email", "SELECT email_id FROM recipients WHERE email_id NOT IN (SELECT id FROM emails)"),
    ("work without its email", "SELECT email_id FROM queue WHERE email_id NOT IN (SELECT id FROM emails)"),
    (
        "a delivery without its event",
        "SELECT email_id FROM recipients r WHERE status = 'delivered' AND NOT EXISTS (SELECT FROM events e WHERE e.email_id = r.email_id AND e.kind LIKE '%delivered')",
    ),
    (
        "an email and its recipients of different minds",
        "SELECT e.id FROM emails e WHERE (e.status = 'queued') <> EXISTS (SELECT FROM recipients r WHERE r.email_id = e.id AND r.status = 'queued') \
         OR (e.status = 'queued') <> EXISTS (SELECT FROM queue q WHERE q.email_id = e.id)",
    ),
];

/// The recipients whose attempts are open.
pub(crate) async fn open(postgres: &Postgres) -> Result<BTreeSet<String>, Failure> {
    Ok(open_by_token(postgres).await?.into_values().collect())
}

/// The same, by the tokens of their leases; each mail here has one recipient.
pub(crate) async fn open_by_token(postgres: &Postgres) -> Result<BTreeMap<String, String>, Failure> {
    let rows = postgres.rows(OPEN).await?.into_iter().filter_map(|row| <[String; 2]>::try_from(row).ok());
    Ok(rows.map(|[token, address]| (token, address)).collect())
}

/// What is recorded of each recipient.
pub(crate) async fn states(postgres: &Postgres) -> Result<Vec<State>, Failure> {
    let rows = postgres.rows(STATES).await?.into_iter().filter_map(|row| {
        let [address, status, has_reason, queued] = <[String; 4]>::try_from(row).ok()?;
        Some(State { address, status, has_reason: has_reason == "1", queued: queued == "1" })
    });
    Ok(rows.collect())
}

/// What does not fit together.
pub(crate) async fn misfits(postgres: &Postgres) -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    for (what, sql) in MISFITS {
        found.extend(postgres.texts(sql).await?.into_iter().map(|id| format!("{id}: {what}")));
    }
    Ok(found)
}

/// Writes the other ledgers beside the client's, for whoever wants to read them.
pub(crate) fn keep(folder: &Path, books: &Books) -> Result<(), Failure> {
    write(folder, "deliveries.jsonl", &books.deliveries)?;
    write(folder, "disturbances.jsonl", &books.disturbances)?;
    write(folder, "states.jsonl", &books.states)
}

fn write(folder: &Path, name: &str, entries: &[impl Serialize]) -> Result<(), Failure> {
    let lines: Result<Vec<_>, _> = entries.iter().map(serde_json::to_string).collect();
    let path = folder.join(name);
    fs::write(&path, lines?.join("\n")).map_err(Failure::file(&path))
}
