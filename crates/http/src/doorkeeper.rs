//! Who lets a caller in: what the transport needs of the application.

use std::future::Future;
use std::sync::Arc;

use selfmx_app::{App, SignInError};
use selfmx_auth::{Origin, Principal, Secret};
use selfmx_domain::{Clock, Entropy};

/// What the transport needs of the state that handlers work on. [`App`] is one; a test may have its own.
pub trait Doorkeeper: Send + Sync + 'static {
    /// Tells the time, for request ids.
    fn clock(&self) -> &dyn Clock;

    /// Draws random bytes, for request ids.
    fn entropy(&self) -> &dyn Entropy;

    /// Recognises the key that `secret` belongs to, presented from `origin`.
    fn sign_in(&self, secret: &Secret, origin: Arc<Origin>) -> impl Future<Output = Result<Principal, SignInError>> + Send;
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
}
