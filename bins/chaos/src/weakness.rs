//! Negative controls: each takes one defence away, in the database and not in the product, so that a run can be seen to fail.

/// What is taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weakness {
    /// All leases have the same token: a stale worker's result counts.
    NoFence,
    /// Leases never run out: what a dead worker held is nobody's.
    EndlessLeases,
    /// Leases are not renewed, and nobody is told.
    NoHeartBeat,
    /// Leases end by a clock that is an hour behind the database's.
    SlowClock,
    /// Commits are answered before they are on the disk.
    AsynchronousCommit,
    /// What an endpoint refused is not posted again.
    NoSecondPost,
}

/// When a lease begins, is renewed or is kept.
const LEASED: &str = "BEFORE UPDATE ON queue FOR EACH ROW WHEN (NEW.lease_token IS NOT NULL)";
const RENEWED: &str = "BEFORE UPDATE ON queue FOR EACH ROW WHEN (NEW.lease_token = OLD.lease_token AND NEW.due_at > OLD.due_at)";

/// When a post that failed is to be tried again.
const REFUSED: &str = "BEFORE UPDATE ON webhook_deliveries FOR EACH ROW WHEN (OLD.lease_token IS NOT NULL AND NEW.lease_token IS NULL AND NEW.status = 'pending')";

impl Weakness {
    /// What has to be done to the database.
    pub(crate) fn statements(self) -> String {
        let (when, body) = match self {
            Self::NoFence => (LEASED, "NEW.lease_token := '00000000-0000-4000-8000-000000000000'; RETURN NEW;"),
            Self::EndlessLeases => (LEASED, "NEW.due_at := 'infinity'; RETURN NEW;"),
            Self::NoHeartBeat => (RENEWED, "NEW.due_at := OLD.due_at; RETURN NEW;"),
            Self::SlowClock => (LEASED, "NEW.due_at := NEW.due_at - interval '1 hour'; RETURN NEW;"),
            Self::NoSecondPost => (REFUSED, "NEW.status := 'failed'; NEW.due_at := NULL; RETURN NEW;"),
            Self::AsynchronousCommit => return asynchronous_commit(),
        };
        format!("{} CREATE TRIGGER weakened {when} EXECUTE FUNCTION weakened()", function(body))
    }
}

/// Whatever is written is not waited for: one commit that waits would take all before it to the disk.
fn asynchronous_commit() -> String {
    let tables = ["emails", "queue", "recipients", "events", "api_keys", "usage_months", "audit_logs"];
    let trigger = |table| {
        format!(" CREATE TRIGGER weakened BEFORE INSERT OR UPDATE OR DELETE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION weakened();")
    };
    let function = function("PERFORM set_config('synchronous_commit', 'off', true); RETURN NULL;");
    [function].into_iter().chain(tables.map(trigger)).collect()
}

fn function(body: &str) -> String {
    format!("CREATE FUNCTION weakened() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$;")
}
