//! Who lets a caller in: what the transport needs of the application.

use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;

use selfmx_app::{App, Error, Limited, Refusal, SignInError, Standing, TooManyFailures};
use selfmx_auth::{Origin, PlatformPermit, Principal, Secret, needs};
use selfmx_domain::{Clock, Entropy, TenantId};
use selfmx_metrics::Source;

/// What the transport needs of the state that handlers work on. [`App`] is one; a test may have its own.
pub trait Doorkeeper: Send + Sync + 'static {
    /// Tells the time, for request ids.
    fn clock(&self) -> &dyn Clock;

    /// Draws random bytes, for request ids.
    fn entropy(&self) -> &dyn Entropy;

    /// Recognises the key that `secret` belongs to, presented from `origin`.
    fn sign_in(&self, secret: &Secret, origin: Arc<Origin>) -> impl Future<Output = Result<Principal, SignInError>> + Send;

    /// Whether a text is a secret that the operator chose, whose form tells nothing.
    fn is_operators(&self, text: &str) -> bool;

    /// Counts a failed authentication from `client`.
    ///
    /// # Errors
    ///
    /// [`TooManyFailures`] where it is one too many.
    fn sign_in_failed(&self, client: IpAddr) -> Result<(), TooManyFailures>;

    /// The platform's key, acting for a tenant.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where there is no such tenant.
    fn acting_for(&self, permit: &PlatformPermit<needs::All>, tenant: TenantId) -> impl Future<Output = Result<Principal, Error>> + Send;

    /// Takes one request out of what the key may make, and tells what is left; nothing where it is not limited.
    ///
    /// # Errors
    ///
    /// [`Limited`] where it is one too many.
    fn spend(&self, principal: &Principal) -> Result<Option<Standing>, Limited>;

    /// Has the metrics hold what the transport counts.
    fn watch(&self, _source: Arc<dyn Source>) {}

    /// Notes that a management call was refused.
    fn refused(&self, principal: &Principal, refusal: Refusal) -> impl Future<Output = ()> + Send;
}

impl Doorkeeper for App {
    fn clock(&self) -> &dyn Clock {
        Self::clock(self)
    }

    fn entropy(&self) -> &dyn Entropy {
        Self::entropy(self)
    }

    async fn sign_in(&self, secret: &Secret, origin: Arc<Origin>) -> Result<Principal, SignInError> {
        Self::sign_in(self, secret, origin).await
    }

    fn is_operators(&self, text: &str) -> bool {
        Self::is_operators(self, text)
    }

    async fn acting_for(&self, permit: &PlatformPermit<needs::All>, tenant: TenantId) -> Result<Principal, Error> {
        self.tenant_act(permit, tenant).await
    }

    fn sign_in_failed(&self, client: IpAddr) -> Result<(), TooManyFailures> {
        Self::sign_in_failed(self, client)
    }

    fn spend(&self, principal: &Principal) -> Result<Option<Standing>, Limited> {
        Self::spend(self, principal)
    }

    fn watch(&self, source: Arc<dyn Source>) {
        Self::watch(self, source);
    }

    async fn refused(&self, principal: &Principal, refusal: Refusal) {
        self.audit_refused(principal, refusal).await;
    }
}
