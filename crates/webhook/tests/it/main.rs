//! Posts to real listeners on this machine.

#![expect(clippy::unwrap_used, reason = "a test says what went wrong by failing")]

mod answers;
mod kept;
mod reach;
mod requests;
mod support;
mod tls;
