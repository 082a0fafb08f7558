//! The binary as its users meet it: started as a process, asked over HTTP, killed.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot be set up, or that gets what is not there, has failed"
)]

mod access;
mod acting;
mod audit;
mod batch;
mod canary;
mod changes;
mod conventions;
mod copies;
mod crash;
mod curl;
mod deadly;
mod delivery;
mod described;
mod dkim;
mod emails;
mod event_stream;
mod feedback;
mod forms;
mod health;
mod home;
mod keys;
mod keys_command;
mod limits;
mod logs;
mod metrics;
mod operation;
mod process;
mod quota;
mod repeated;
mod retention;
mod scheduled;
mod seed;
mod send;
mod smtp;
mod suppressions;
mod templates;
mod tenant_relay;
mod tenants;
mod timing;
mod tracking;
mod two_nodes;
mod usage;
mod walks;
mod webhooks;
mod world;
