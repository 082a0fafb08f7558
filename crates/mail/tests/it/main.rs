//! What the crate does, against parsers and servers that are not ours.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test says what went wrong by failing")]

mod corpus;
mod dkim;
mod drafts;
mod faults;
mod kept;
mod mime;
mod reach;
mod real;
mod rounds;
mod support;
mod tls;
mod transaction;
