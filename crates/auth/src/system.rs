//! The server's own authority, for work that no key asked for at that moment.

/// What the queue's worker and the housekeeping hold instead of a permit: it reaches every tenant.
///
/// The server's binary assumes it once, at the start, and hands it to its own tasks; a lint forbids the call everywhere else. No request gets it.
#[derive(Clone, Copy, Debug)]
pub struct System(());

impl System {
    /// Assumes the authority.
    #[must_use]
    pub const fn assume() -> Self {
        Self(())
    }
}
