//! Time and chance as arguments, so that every rule can be tested at any hour and with any luck.

use time::OffsetDateTime;

/// Tells the time. The real one lives in the server's binary, a settable one in the tests.
pub trait Clock: Send + Sync {
    /// The current time, in UTC.
    fn now(&self) -> OffsetDateTime;
}

/// Draws random bytes that nobody can predict.
pub trait Entropy: Send + Sync {
    /// Fills `bytes` from a cryptographically secure source.
    ///
    /// It does not return where it cannot: a predictable secret is worse than a stopped process.
    fn fill(&self, bytes: &mut [u8]);
}
