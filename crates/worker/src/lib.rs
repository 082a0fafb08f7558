//! Leases due work, does it, settles it.
//!
//! A [`Worker`] runs until it is told to stop. Each of its runners leases emails from the queue in batches, hands each to the relay and passes what came of
//! it to a recorder, which settles many at once. Work that is claimed is renewed while it lasts.
//! How many a runner claims at once follows from how fast they go out, so that whoever comes later waits for a moment's work at most.
//!
//! Invariant: nothing is sent under a lease that may have run out.
//!
//! Invariant: nothing new is claimed while results cannot be recorded: a claim's place is free only when its result is in the database,
//! and after a result was refused nothing is claimed until one is taken.
//!
//! Invariant: a worker does not claim its own work again while it still works on it: leases that may run out are renewed before anything is claimed.
//!
//! A tenant with a relay of its own has its mail handed to that one and to no other, over connections of its own and within bounds of its own
//! ([`RelayTerms`](selfmx_mail::RelayTerms)).
//!
//! Invariant: mail of a tenant with a relay of its own never goes over the server's, whatever is wrong with its own.
//!
//! Invariant: however many tenants' relays hang, the server's has all its places.
//!
//! A [`WebhookWorker`] posts events to webhooks, each within a time that is shorter than its lease.
//!
//! Invariant: an endpoint that does not answer has one post under way, and all such together at most a quarter of the places; a post that takes long has none.
//!
//! Invariant: an attempt that breaks down counts as one and breaks nothing else.
//!
//! Invariant: of the emails whose leases have ended without a result three times, one at a time is between its beginning and its recorded result. What
//! ends the process then counts as an attempt at that email, and at no other.
//!
//! Invariant: none of its own tasks stands still unheard: where one breaks down the worker begins nothing more, records what is under way, and ends with
//! an [`Error`].
//!
//! Invariant: no connection to the database is held while the relay is waited for.

mod attempt;
mod claims;
mod condition;
mod counts;
mod endpoints;
mod pace;
mod recorder;
mod relays;
mod runner;
mod settings;
mod shares;
mod suspects;
mod watch;
mod webhook_counts;
mod webhook_post;
mod webhook_recorder;
mod webhooks;
mod work;

pub use condition::{Condition, Error, Task};
pub use counts::WorkerCounts;
pub use runner::{Routes, Worker};
pub use settings::WorkerSettings;
pub use webhook_counts::WebhookCounts;
pub use webhooks::{WebhookSettings, WebhookWorker};
