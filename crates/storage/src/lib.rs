//! Keeps everything, in PostgreSQL, through diesel; whole business steps only.
//!
//! A [`Store`] is a handle on the database. Its methods are named noun first ([`email_accept`](Store::email_accept), [`key_revoke`](Store::key_revoke),
//! [`queue_lease`](Store::queue_lease)); each is one commit, so that no caller can interleave wrongly. What touches a tenant's data takes a
//! [`Permit`](selfmx_auth::Permit), and the tenant comes out of it; what the server does of its own accord takes [`System`](selfmx_auth::System).
//!
//! ```no_run
//! # async fn run(vault: selfmx_storage::Vault, clock: std::sync::Arc<dyn selfmx_domain::Clock>, entropy: std::sync::Arc<dyn selfmx_domain::Entropy>) -> Result<(), selfmx_storage::Error> {
//! use selfmx_storage::{DatabaseAddress, PoolSettings, Store, migrate};
//!
//! let address: DatabaseAddress = "postgres://selfmx@db.example/selfmx?sslmode=verify-full".parse()?;
//! migrate(&address).await?;
//! let store = Store::new(&address, PoolSettings::default(), vault, clock, entropy);
//! store.ping().await?;
//! # Ok(())
//! # }
//! ```
//!
//! Invariant: absent is `Ok(None)`, broken is `Err`; a failed query is never reported as "not found".
//!
//! Invariant: no transaction is open while anything but the database is waited for.
//!
//! Invariant: work is settled by its lease's token; a worker whose lease was taken over changes nothing.
//!
//! Invariant: a lease counts against its email until there is a result, or until it is given back; [`Suspicion`] says what follows.
//!
//! Invariant: times come from the database's clock; ours serves for ids.
//!
//! Invariant: what a node remembers of keys and tenants counts for less than a second after it last proved that it hears of all changes; a
//! [`Store`] that nobody lets [listen](Store::listen) asks the database each time.
//!
//! Invariant: what a [`Vault`] sealed opens with its key and in its place only.

mod accept;
mod address;
mod audit;
mod audit_list;
mod changes;
mod claim;
mod claim_rows;
mod counts;
mod details;
mod email_rows;
mod emails;
mod erase;
mod error;
mod event_stream;
mod fault;
mod feedback;
mod health;
mod hold;
mod key_list;
mod key_rows;
mod key_use;
mod keys;
mod lease;
mod listen;
mod loan;
mod logs;
mod memory;
mod migrate;
mod pages;
mod pool;
mod queue;
mod quota;
mod recall;
mod replacement;
mod request_counts;
mod reseal;
mod retention;
mod schema;
mod settle;
mod sign_in;
mod store;
mod suppressions;
mod suspect;
mod template_reach;
mod template_rows;
mod templates;
mod tenant_dkim;
mod tenant_life;
mod tenant_relay;
mod tenant_rows;
mod tenants;
mod tls;
mod tracked;
mod turns;
mod usage;
mod vault;
mod wake;
mod webhook_log;
mod webhook_queue;
mod webhook_rows;
mod webhook_settle;
mod webhook_upkeep;
mod webhook_wake;
mod webhooks;

pub use accept::{Acceptance, Accepted, NoneAccepted};
pub use address::DatabaseAddress;
pub use audit::Refusal;
pub use erase::Erasing;
pub use error::Error;
pub use fault::Fault;
pub use health::Durability;
pub use key_list::RevokedKeys;
pub use key_use::WhichUses;
pub use lease::Lease;
pub use migrate::migrate;
pub use pool::PoolSettings;
pub use queue::{Delivery, LeaseKey, Waiting};
pub use quota::QuotaStanding;
pub use recall::Recalled;
pub use replacement::{Replacement, server_major};
pub use reseal::Resealed;
pub use retention::Purged;
pub use settle::{Outcome, Settlement};
pub use sign_in::FoundKey;
pub use store::Store;
pub use suppressions::Suppressed;
pub use suspect::Suspicion;
pub use template_reach::TemplateHead;
pub use templates::Changed;
pub use tenant_dkim::OpenedDkim;
pub use tenant_relay::{OpenedRelay, RelayVersion};
pub use vault::{KeyId, Place, Sealed, SecretKey, Vault, VaultError};
pub use webhook_queue::{WebhookDue, WebhookLook};
pub use webhook_rows::{Happened, Tidings, WebhookDelivery};
pub use webhook_settle::{Posted, WebhookSettled, WebhookSettlement};
