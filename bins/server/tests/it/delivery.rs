//! From the queue to a relay: results by recipient, retries, and what the API tells of them.

mod fair;
mod real;
mod refused;
mod results;
mod secured;
