//! What a suspended or deleted tenant has queued is set aside, and brought back once the tenant may send again.
//!
//! Claims set aside what they meet, by what they know of the tenant at that moment, which may be out of date a moment later. So what is set aside is
//! brought back not by whoever resumes a tenant but by looking again and again for what is set aside and should not be: nothing is lost, whoever dies.

use diesel_async::RunQueryDsl;
use selfmx_auth::System;

use crate::store::change;
use crate::{Error, Store};

/// Sets aside what is due among the first of each priority and belongs to a tenant that may not send. What is locked is in somebody's hands.
const SET_ASIDE: &str = "WITH head AS MATERIALIZED (SELECT ARRAY(SELECT q.email_id FROM (VALUES (0::smallint), (1::smallint), (2::smallint)) AS p(priority), \
LATERAL (SELECT email_id, tenant_id FROM queue WHERE NOT held AND priority = p.priority AND due_at <= now() ORDER BY due_at LIMIT 1000) AS q \
WHERE (SELECT t.status <> 'active' FROM tenants t WHERE t.id = q.tenant_id)) AS ids), \
locked AS MATERIALIZED (SELECT email_id FROM queue WHERE email_id = ANY((SELECT ids FROM head)::uuid[]) ORDER BY email_id FOR UPDATE SKIP LOCKED) \
UPDATE queue SET held = true WHERE email_id = ANY(ARRAY(SELECT email_id FROM locked))";

/// Brings back up to 200 emails of each of ten tenants that may send. `found` goes from one tenant that has something set aside to the next, whatever each has.
const BRING_BACK: &str = "WITH RECURSIVE found AS ((SELECT tenant_id FROM queue WHERE held ORDER BY tenant_id LIMIT 1) UNION ALL \
SELECT (SELECT q.tenant_id FROM queue q WHERE q.held AND q.tenant_id > f.tenant_id ORDER BY q.tenant_id LIMIT 1) FROM found f WHERE f.tenant_id IS NOT NULL), \
active AS MATERIALIZED (SELECT f.tenant_id FROM found f WHERE f.tenant_id IS NOT NULL \
AND coalesce((SELECT t.status = 'active' FROM tenants t WHERE t.id = f.tenant_id), true) LIMIT 10), \
due AS MATERIALIZED (SELECT ARRAY(SELECT q.email_id FROM active a, LATERAL (SELECT email_id FROM queue WHERE held AND tenant_id = a.tenant_id \
ORDER BY priority, due_at LIMIT 200 FOR UPDATE SKIP LOCKED) AS q) AS ids) \
UPDATE queue SET held = false WHERE email_id = ANY((SELECT ids FROM due)::uuid[])";

impl Store {
    /// Brings back some of what was set aside and belongs to tenants that may send again, of each the first in first, and tells how many emails: while
    /// that is not 0 there may be more. Any number of nodes may do so at once.
    ///
    /// # Errors
    ///
    /// Where the database cannot; then the same call finds the rest later.
    pub async fn queue_resume(&self, _system: &System) -> Result<usize, Error> {
        let brought_back = change!(self, connection => diesel::sql_query(BRING_BACK).execute(connection).await).await?;
        if brought_back > 0 {
            self.wake.accepted();
        }
        Ok(brought_back)
    }

    pub(crate) async fn queue_set_aside(&self) -> Result<(), Error> {
        change!(self, connection => diesel::sql_query(SET_ASIDE).execute(connection).await).await.map(|_| ())
    }
}
