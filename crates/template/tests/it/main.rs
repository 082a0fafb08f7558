//! What templates can say, what they cannot, and that none of them does harm.

#![expect(clippy::unwrap_used, reason = "a test says what went wrong by failing")]

mod bounds;
mod hostile;
mod oracle;
mod renders;
mod support;
mod wrong;
