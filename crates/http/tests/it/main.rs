//! The transport over real sockets, with a small route table of its own.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

mod auth;
mod bodies;
mod connections;
mod drain;
mod http2;
mod methods;
mod raw;
mod server;
mod slow;
mod smuggling;
mod tls;
mod traces;
