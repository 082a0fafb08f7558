//! One file per thing a caller may ask for; each takes a permit.
//!
//! An [`App`] is what stands between the protocols above and the store below: it knows the rules that are neither a matter of a key's rights (`selfmx-auth`
//! decides those) nor of a table. Its methods are named noun first, verb last, as the store's are.
//!
//! Invariant: every method that touches a tenant's data takes a [`Permit`](selfmx_auth::Permit); what spans tenants takes a
//! [`PlatformPermit`](selfmx_auth::PlatformPermit).
//!
//! Invariant: [`Error`]'s text is for the caller; a cause is behind [`source`](std::error::Error::source), for the log alone.

mod audit;
mod batch;
mod emails;
mod error;
mod event_stream;
mod failures;
mod feedback;
mod health;
mod keys;
mod limits;
mod logs;
mod made;
mod metrics;
mod rates;
mod send;
mod sign_in;
mod signing;
mod smtp;
mod suppressions;
mod template_cache;
mod template_render;
mod templates;
mod tenants;
mod tracking;
mod usage;
mod webhooks;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use selfmx_auth::{ApiKey, Digest, Secret};
use selfmx_domain::{Clock, Entropy, Limits, RateLimit, Reach};
use selfmx_mail::{Relay, RelayTerms, Signer, Tracker};
use selfmx_storage::Store;

use self::event_stream::Streams;
use self::signing::Signers;
use self::template_cache::TemplateCache;
pub use audit::Refusal;
pub use batch::NoneSent;
pub use emails::RecalledEmail;
pub use error::Error;
pub use event_stream::StreamPlace;
pub use failures::{Failures, TooManyFailures};
pub use health::{Health, HealthStatus, NotReady};
pub use keys::{CreatedKey, KeyList};
pub use made::EmailRequest;
pub use rates::{Bucket, Limited, Rates, Standing};
pub use selfmx_storage::{QuotaStanding, RevokedKeys};
pub use send::AcceptedEmail;
pub use sign_in::SignInError;
pub use suppressions::Suppressed;
pub use template_render::RenderedTemplate;
pub use webhooks::{WebhookMade, WebhookWanted};

/// What an [`App`] is made of.
pub struct Parts {
    /// Where everything is kept.
    pub store: Store,
    /// The relay that mail is handed to; `None`: mail is captured.
    pub relay: Option<Arc<Relay>>,
    /// What signs mail that no tenant's own key signs; `None`: nothing does.
    pub signer: Option<Signer>,
    /// What tracks mail.
    pub tracker: Tracker,
    /// On what terms tenants' own relays are used.
    pub terms: RelayTerms,
    /// The key that the operator set.
    pub environment_key: Option<Secret>,
    /// How much one email may hold.
    pub limits: Limits,
    /// The rate of a key for which neither the key nor its tenant says another.
    pub usual_rate: RateLimit,
    /// How many wrong keys an address may present in a minute; 0: any number.
    pub failures_per_minute: u32,
    /// Which addresses webhooks may have.
    pub webhook_reach: Reach,
    /// What has to be shown for the metrics; `None`: nothing.
    pub metrics_token: Option<Secret>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Draws secrets and ids.
    pub entropy: Arc<dyn Entropy>,
}

/// All that a caller may ask for.
pub struct App {
    store: Store,
    relay: Option<Arc<Relay>>,
    signers: Signers,
    tracker: Arc<Tracker>,
    terms: RelayTerms,
    environment_key: Option<(Digest, ApiKey)>,
    limits: Limits,
    usual_rate: RateLimit,
    rates: Rates,
    failures: Failures,
    webhook_reach: Reach,
    templates: TemplateCache,
    streams: Streams,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    draining: AtomicBool,
    health: health::Cache,
    metrics_token: Option<Digest>,
    sources: metrics::Sources,
}

impl App {
    /// Puts the parts together. Of the operator's key only the digest is kept.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let created_at = parts.clock.now();
        let environment_key = parts.environment_key.map(|secret| (secret.digest(), ApiKey::environment(created_at)));
        Self {
            store: parts.store,
            relay: parts.relay,
            signers: Signers::new(parts.signer),
            tracker: Arc::new(parts.tracker),
            terms: parts.terms,
            environment_key,
            limits: parts.limits,
            usual_rate: parts.usual_rate,
            rates: Rates::new(),
            failures: Failures::new(parts.failures_per_minute),
            webhook_reach: parts.webhook_reach,
            templates: TemplateCache::default(),
            streams: Streams::default(),
            clock: parts.clock,
            entropy: parts.entropy,
            draining: AtomicBool::new(false),
            health: health::Cache::default(),
            metrics_token: parts.metrics_token.map(|token| token.digest()),
            sources: metrics::Sources::default(),
        }
    }

    /// Tells the time.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Draws random bytes.
    #[must_use]
    pub fn entropy(&self) -> &dyn Entropy {
        &*self.entropy
    }

    /// How much one email may hold.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// From now on the server is [not ready](Self::ready): it is about to stop.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }
}
