//! The worker on a real database: what it is given it delivers, records, retries, or gives back.

mod work;
mod world;
