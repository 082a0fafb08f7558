//! What the crate does, against parsers and servers that are not ours.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test says what went wrong by failing")]

mod corpus;
mod drafts;
mod mime;
mod support;
