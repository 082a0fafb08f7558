//! Emails by the thousand, written past the server as it would have written them.

use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::letter::{SENDER, text};
use crate::references::{TENANT, raw};

/// Writes so many emails with their recipients; the first of them with messages and events, too. None is queued yet.
///
/// The emails that most of a large number are have no message: nobody asks for it, and a million would fill the disk.
pub(crate) async fn emails(cluster: &Cluster, count: u64, with_messages: u64) -> Result<(), Failure> {
    let (text, raw) = (quoted(&text()), quoted(&raw()));
    cluster
        .execute(&format!(
            "INSERT INTO emails (id, tenant_id, api_key_id, mode, priority, status, smtputf8, from_address, subject, reply_to, tags, metadata) \
             SELECT {ID}, '{TENANT}', '{TENANT}', 'live', 1, 'queued', false, '{SENDER}', 'Your order', '[]', '[]', '{{}}' FROM generate_series(1, {count}) n; \
             INSERT INTO recipients (email_id, ordinal, tenant_id, kind, address) \
             SELECT {ID}, 0, '{TENANT}', 'to', lpad(n::text, 8, '0') || '@load.example' FROM generate_series(1, {count}) n; \
             INSERT INTO messages (email_id, text, raw) SELECT {ID}, {text}, convert_to({raw}, 'UTF8') FROM generate_series(1, {with_messages}) n; \
             INSERT INTO events (email_id, id, tenant_id, kind, attempt) SELECT {ID}, {ID}, '{TENANT}', 'queued', 0 FROM generate_series(1, {with_messages}) n"
        ))
        .await
}

/// Queues what was written, in its order, and tells the workers: both in one commit.
pub(crate) async fn queue(cluster: &Cluster, count: u64) -> Result<(), Failure> {
    cluster
        .execute(&format!(
            "BEGIN; INSERT INTO queue (email_id, tenant_id, priority, due_at) \
             SELECT {ID}, '{TENANT}', 1, now() - interval '1 day' + n * interval '1 millisecond' FROM generate_series(1, {count}) n; \
             NOTIFY selfmx_work; COMMIT"
        ))
        .await
}

/// Ids that were given long ago, so that what is accepted meanwhile is newer.
const ID: &str = "('017f' || lpad(to_hex(n), 28, '0'))::uuid";

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
