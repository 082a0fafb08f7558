//! The worker on a real database: what it is given it delivers, records, retries, or gives back.

mod own_relay;
mod poison;
mod suspects;
mod tasks;
mod webhooks;
mod work;
mod world;
