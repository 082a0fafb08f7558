//! The store against a PostgreSQL of the tests' own: each rule of the crate's documentation, on a database per test.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail the test, as tests themselves do"
)]

mod accept;
mod emails;
mod erase;
mod event_stream;
mod fault;
mod feedback;
mod gather;
mod health;
mod hold;
mod keys;
mod logs;
mod memory;
mod migrate;
mod node;
mod place;
mod plans;
mod pool;
mod queue;
mod quota;
mod repeat;
mod retention;
mod schedule;
mod server;
mod settle;
mod suppressions;
mod suspect;
mod templates;
mod tenant_dkim;
mod tenant_relay;
mod tenants;
mod tls;
mod tracked;
mod turns;
mod usage;
mod wake;
mod webhooks;
