//! The handlers, one file per noun.

pub(crate) mod audit;
pub(crate) mod batch;
pub(crate) mod docs;
pub(crate) mod emails;
pub(crate) mod events;
pub(crate) mod feedback;
pub(crate) mod health;
pub(crate) mod keys;
pub(crate) mod logs;
pub(crate) mod metrics;
pub(crate) mod send;
pub(crate) mod smtp;
pub(crate) mod suppressions;
pub(crate) mod templates;
pub(crate) mod tenants;
pub(crate) mod tracking;
pub(crate) mod usage;
pub(crate) mod webhooks;
