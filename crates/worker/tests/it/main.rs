//! The worker on a real database: what it is given it delivers, records, retries, or gives back.

mod own_relay;
mod work;
mod world;
