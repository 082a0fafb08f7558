//! Counts what happens, and writes it as Prometheus reads it.
//!
//! | noun | what it is |
//! |---|---|
//! | [`Counter`], [`Gauge`], [`Histogram`] | what is counted where it happens, without a lock |
//! | [`Source`] | whoever counts, and tells it when it is asked |
//! | [`Exposition`] | what was told, in Prometheus' text format (version 0.0.4) |
//!
//! ```
//! use selfmx_metrics::{Counter, Exposition, Source};
//!
//! #[derive(Default)]
//! struct Post {
//!     letters: Counter,
//! }
//!
//! impl Source for Post {
//!     fn tell(&self, exposition: &mut Exposition) {
//!         exposition.counter("post_letters_total", "Letters that came.", &self.letters);
//!     }
//! }
//!
//! let post = Post::default();
//! post.letters.add(2);
//! let mut exposition = Exposition::default();
//! post.tell(&mut exposition);
//! assert_eq!(exposition.into_text(), "# HELP post_letters_total Letters that came.\n# TYPE post_letters_total counter\npost_letters_total 2\n");
//! ```
//!
//! Invariant: a label's values are words of the program's own, so that there are only so many series, whatever is asked of a server.
//!
//! Invariant: to count never waits for anybody who reads.

mod counter;
mod exposition;
mod gauge;
mod histogram;

pub use counter::Counter;
pub use exposition::{Exposition, Family};
pub use gauge::{Gauge, Held};
pub use histogram::Histogram;

/// Whoever counts.
pub trait Source: Send + Sync {
    /// Tells all that was counted, each family of series once.
    fn tell(&self, exposition: &mut Exposition);
}
