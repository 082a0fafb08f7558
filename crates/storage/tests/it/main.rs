//! The store against a PostgreSQL of the tests' own: each rule of the crate's documentation, on a database per test.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests fail the test, as tests themselves do")]

mod accept;
mod emails;
mod keys;
mod place;
mod queue;
mod settle;
mod tenants;
