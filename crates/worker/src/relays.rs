//! Tenants' own relays: made when they are first needed, made anew when they have changed, forgotten when nobody needs them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use selfmx_auth::System;
use selfmx_domain::TenantId;
use selfmx_mail::{Relay, RelayTerms};
use selfmx_metrics::Held;
use selfmx_storage::{Error, OpenedRelay, RelayVersion, Store};
use tokio::time::{Instant, timeout};
use tokio_util::task::TaskTracker;

/// How many are kept: each may have connections that nobody uses at present.
const MOST: usize = 100;
/// How long one is kept that nobody uses.
const UNUSED: Duration = Duration::from_secs(60);
/// How long one that cannot be used is left alone before it is looked at again.
const HOLD: Duration = Duration::from_secs(30);
/// How long all of them have to say goodbye in the end.
const GOODBYE: Duration = Duration::from_secs(2);

/// The relays of tenants' own.
pub(crate) struct Relays {
    store: Store,
    system: System,
    terms: RelayTerms,
    known: Mutex<HashMap<TenantId, Known>>,
    closing: TaskTracker,
}

struct Known {
    version: RelayVersion,
    /// The relay, or why it cannot be used.
    relay: Result<Arc<Relay>, Unusable>,
    /// When it was last used, or was found not to be usable.
    at: Instant,
}

/// Why a relay cannot be used; it counts as paused.
struct Unusable {
    reason: String,
    _counted: Held,
}

/// What there is for a tenant's mail.
pub(crate) enum Found {
    /// Its own relay.
    Relay(Arc<Relay>),
    /// Its own relay cannot be used until somebody changes something. The text is for the tenant.
    Unusable(String),
    /// It has no relay of its own any more.
    Gone,
}

impl Relays {
    pub(crate) fn new(store: Store, system: System, terms: RelayTerms) -> Self {
        Self { store, system, terms, known: Mutex::default(), closing: TaskTracker::new() }
    }

    /// The tenant's own relay, this one or a later one; without a version, as it is now.
    ///
    /// # Errors
    ///
    /// Where the database cannot tell.
    pub(crate) async fn of(&self, tenant: TenantId, version: Option<RelayVersion>) -> Result<Found, Error> {
        if let Some(found) = version.and_then(|version| self.remembered(tenant, version)) {
            return Ok(found);
        }
        match self.store.tenant_relay(&self.system, tenant).await {
            Ok(Some(opened)) => Ok(self.remembered(tenant, opened.version).unwrap_or_else(|| self.made(tenant, &opened))),
            Ok(None) => Ok(Found::Gone),
            Err(Error::Vault(cause)) => {
                tracing::error!(tenant_id = %tenant, error = %cause, "the password for a tenant's relay cannot be opened: its mail is held");
                let reason = "the password for the tenant's relay cannot be opened by the server: set it again, or ask the operator";
                if let Some(version) = version {
                    self.remember(tenant, version, Err(self.unusable(reason)));
                }
                Ok(Found::Unusable(reason.to_owned()))
            }
            Err(error) => Err(error),
        }
    }

    /// Forgets those that nobody has used for a while.
    pub(crate) fn forget_unused(&self) {
        let unused =
            |known: &Known| known.at.elapsed() > UNUSED && known.relay.as_ref().map_or(true, |relay| Arc::strong_count(relay) == 1);
        let forgotten: Vec<_> = self.known().extract_if(|_, known| unused(known)).collect();
        forgotten.into_iter().for_each(|(_, known)| self.close_one(known));
    }

    /// Forgets all, and says goodbye.
    pub(crate) async fn close(&self) {
        let all: Vec<_> = self.known().drain().collect();
        all.into_iter().for_each(|(_, known)| self.close_one(known));
        self.closing.close();
        if timeout(GOODBYE, self.closing.wait()).await.is_err() {
            tracing::debug!("some tenants' relays did not say goodbye");
        }
    }

    /// What is known of this version or a later one, where it still counts.
    fn remembered(&self, tenant: TenantId, version: RelayVersion) -> Option<Found> {
        let mut all = self.known();
        let known = all.get_mut(&tenant).filter(|known| known.version >= version)?;
        match &known.relay {
            Ok(relay) => {
                known.at = Instant::now();
                Some(Found::Relay(Arc::clone(relay)))
            }
            Err(unusable) if known.at.elapsed() < HOLD => Some(Found::Unusable(unusable.reason.clone())),
            Err(_) => None,
        }
    }

    fn made(&self, tenant: TenantId, opened: &OpenedRelay) -> Found {
        match Relay::new(self.terms.settings(&opened.relay, opened.password.as_ref())) {
            Ok(relay) => {
                let relay = Arc::new(relay);
                self.remember(tenant, opened.version, Ok(Arc::clone(&relay)));
                Found::Relay(relay)
            }
            Err(error) => {
                tracing::warn!(tenant_id = %tenant, error = %error, "a tenant's relay cannot be used: its mail is held");
                self.remember(tenant, opened.version, Err(self.unusable(&error.to_string())));
                Found::Unusable(error.to_string())
            }
        }
    }

    fn unusable(&self, reason: &str) -> Unusable {
        Unusable { reason: reason.to_owned(), _counted: self.terms.counts.paused().hold() }
    }

    /// Remembers what there is in place of what there was; where there are too many, the one that was not used for longest goes.
    fn remember(&self, tenant: TenantId, version: RelayVersion, relay: Result<Arc<Relay>, Unusable>) {
        let mut all = self.known();
        let replaced = all.insert(tenant, Known { version, relay, at: Instant::now() });
        let oldest = all.iter().min_by_key(|(_, known)| known.at).map(|(tenant, _)| *tenant).filter(|_| all.len() > MOST);
        let displaced = oldest.and_then(|oldest| all.remove(&oldest));
        drop(all);
        replaced.into_iter().chain(displaced).for_each(|known| self.close_one(known));
    }

    /// Says goodbye in the background; messages that are under way finish first, each on its connection.
    fn close_one(&self, known: Known) {
        if let Ok(relay) = known.relay {
            self.closing.spawn(async move { relay.close().await });
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<TenantId, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
