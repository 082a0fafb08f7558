//! What goes of webhooks in the background: deliveries that nobody needs any more, and secrets whose grace is over.

use diesel::sql_types::{BigInt, Integer};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use selfmx_auth::System;

use crate::store::change;
use crate::{Error, Store};

/// What is still to be posted to a webhook that is deleted, or has been off for five days, is not posted any more.
const CANCEL: &str = "UPDATE webhook_deliveries c SET status = 'canceled', due_at = NULL, lease_token = NULL \
FROM (SELECT d.webhook_id, d.id FROM webhook_deliveries d LEFT JOIN webhooks w ON w.id = d.webhook_id \
WHERE d.due_at IS NOT NULL AND (w.id IS NULL OR (NOT w.active AND greatest(w.updated_at, w.disabled_at) < now() - interval '5 days')) \
ORDER BY d.webhook_id, d.id LIMIT $1 FOR UPDATE OF d SKIP LOCKED) AS o WHERE c.webhook_id = o.webhook_id AND c.id = o.id";

/// What has come to its end, and of it all attempts.
const FORGET: &str = "WITH old AS (SELECT webhook_id, id FROM webhook_deliveries WHERE created_at < now() - $2 * interval '1 day' AND due_at IS NULL \
ORDER BY created_at LIMIT $1 FOR UPDATE SKIP LOCKED), \
told AS (DELETE FROM webhook_attempts a USING old o WHERE a.webhook_id = o.webhook_id AND a.delivery_id = o.id) \
DELETE FROM webhook_deliveries d USING old o WHERE d.webhook_id = o.webhook_id AND d.id = o.id";

const SECRETS: &str = "UPDATE webhooks SET previous_secret = NULL, previous_until = NULL WHERE previous_until < now()";

impl Store {
    /// Takes a step: cancels deliveries of at most `count` that will not be posted, deletes as many that came to their end `days` ago, and secrets whose grace
    /// is over. Gives how many deliveries there were: there may be more where there was any.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn webhooks_forget(&self, _system: &System, count: u32, days: u32) -> Result<usize, Error> {
        let days = i32::try_from(days).unwrap_or(i32::MAX);
        let step = async |connection: &mut AsyncPgConnection| {
            let canceled = diesel::sql_query(CANCEL).bind::<BigInt, _>(i64::from(count)).execute(connection).await?;
            let forget = diesel::sql_query(FORGET).bind::<BigInt, _>(i64::from(count)).bind::<Integer, _>(days);
            let forgotten = forget.execute(connection).await?;
            diesel::sql_query(SECRETS).execute(connection).await?;
            Ok::<_, Error>(canceled + forgotten)
        };
        change!(self, connection => step(connection).await).await
    }
}
