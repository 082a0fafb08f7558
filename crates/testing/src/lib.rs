//! What tests run against: databases, SMTP sinks, clocks. A dev-dependency only.

mod clock;
mod database;
mod entropy;

pub use clock::{ManualClock, SystemClock};
pub use database::Database;
pub use entropy::{OsEntropy, SeededEntropy};
