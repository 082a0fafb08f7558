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
    /// Commits are answered before they are on the disk.
    AsynchronousCommit,
}

impl Weakness {
    /// What has to be done to the database.
    pub(crate) fn statements(self) -> String {
        let (when, body) = match self {
            Self::NoFence => (
                "BEFORE UPDATE ON queue FOR EACH ROW WHEN (NEW.lease_token IS NOT NULL)",
                "NEW.lease_token := '00000000-0000-4000-8000-000000000000'; RETURN NEW;",
            ),
            Self::EndlessLeases => {
                ("BEFORE UPDATE ON queue FOR EACH ROW WHEN (NEW.lease_token IS NOT NULL)", "NEW.due_at := 'infinity'; RETURN NEW;")
            }
            Self::NoHeartBeat => (
                "BEFORE UPDATE ON queue FOR EACH ROW WHEN (NEW.lease_token = OLD.lease_token AND NEW.due_at > OLD.due_at)",
                "NEW.due_at := OLD.due_at; RETURN NEW;",
            ),
            Self::AsynchronousCommit => (
                "BEFORE INSERT OR UPDATE OR DELETE ON queue FOR EACH STATEMENT",
                "PERFORM set_config('synchronous_commit', 'off', true); RETURN NULL;",
            ),
        };
        format!(
            "CREATE FUNCTION weakened() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$; \
             CREATE TRIGGER weakened {when} EXECUTE FUNCTION weakened()"
        )
    }
}
