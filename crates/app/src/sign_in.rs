//! From a secret to a principal.

use std::sync::Arc;

use selfmx_auth::{KeyDigests, Moment, Origin, PlatformPermit, Principal, Refused, Secret, StoredKey, Unrecognised, needs};
use selfmx_domain::TenantId;
use time::OffsetDateTime;

use crate::{App, Error};

/// The code under which the refusal of a key's address stands in the audit log.
const MISPLACED: &str = "ip_not_allowed";

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// The secret is of no key that is to be recognised.
    #[error(transparent)]
    Unrecognised(#[from] Unrecognised),
    /// The key is valid, and may not be used from where it was presented.
    #[error("this API key may not be used from this address")]
    Address,
    /// It could not be found out.
    #[error(transparent)]
    Broken(Error),
}

impl App {
    /// Recognises the key that `secret` belongs to, and notes that it was used.
    ///
    /// # Errors
    ///
    /// [`SignInError::Unrecognised`] does not say why; [`SignInError::Address`] where the key may not be used from there, which is noted in the
    /// audit log; [`SignInError::Broken`] where the store cannot be asked.
    pub async fn sign_in(&self, secret: &Secret, origin: Arc<Origin>) -> Result<Principal, SignInError> {
        let (stored, now) = self.key_of(secret).await?;
        let moment = Moment { now, origin, usual_rate: self.usual_rate };
        let refused = match Principal::recognise(secret, &stored, &moment) {
            Ok(principal) => {
                self.store.key_used(principal.key().id, principal.origin(), now);
                self.store.request_counted(principal.tenant().id, now);
                return Ok(principal);
            }
            Err(refused) => refused,
        };
        let Refused::Address { key, tenant } = refused else { return Err(Unrecognised.into()) };
        // As many as from elsewhere are failures: who has a key that is of no use to him shall not fill the log.
        if self.sign_in_failed(moment.origin.address).is_err() {
            return Err(SignInError::Address);
        }
        if let Err(error) = self.store.audit_misplaced(key, tenant, &moment.origin, MISPLACED).await {
            tracing::error!(error = %error, key_id = %key, "that a key was presented where it may not be used could not be noted");
        }
        Err(SignInError::Address)
    }

    /// Recognises the key once more for what goes on after it was signed in: that counts as no use, and is noted nowhere.
    ///
    /// # Errors
    ///
    /// As for [`sign_in`](Self::sign_in).
    pub async fn sign_in_again(&self, secret: &Secret, origin: Arc<Origin>) -> Result<Principal, SignInError> {
        let (stored, now) = self.key_of(secret).await?;
        let moment = Moment { now, origin, usual_rate: self.usual_rate };
        Principal::recognise(secret, &stored, &moment).map_err(|refused| match refused {
            Refused::Address { .. } => SignInError::Address,
            _ => Unrecognised.into(),
        })
    }

    /// Whether a text is a secret that the operator chose: the key or the metrics' token, of which nothing tells but their digests.
    #[must_use]
    pub fn is_operators(&self, text: &str) -> bool {
        let own = self.environment_key.as_ref().map(|(own, _)| own).into_iter().chain(&self.metrics_token);
        Secret::presented(text).is_some_and(|secret| {
            let digest = secret.digest();
            own.fold(false, |found, own| found | own.matches(&digest))
        })
    }

    /// The platform's key, acting for a tenant: it may there what a key of that tenant with `*` may.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where there is no such tenant.
    pub async fn tenant_act(&self, permit: &PlatformPermit<needs::All>, id: TenantId) -> Result<Principal, Error> {
        let tenant = self.store.tenant_find(permit, id).await?.ok_or(Error::NotFound)?;
        Ok(Principal::acting_for(permit, Arc::new(tenant)))
    }

    async fn key_of(&self, secret: &Secret) -> Result<(Arc<StoredKey>, OffsetDateTime), SignInError> {
        let digest = secret.digest();
        let broken = |error: selfmx_storage::Error| SignInError::Broken(error.into());
        if let Some((own, key)) = self.environment_key.as_ref().filter(|(own, _)| own.matches(&digest)) {
            let tenant = self.store.tenant_default().await.map_err(broken)?;
            return Ok((Arc::new(StoredKey { digests: KeyDigests::only(*own), key: key.clone(), tenant }), self.clock.now()));
        }
        // A mistyped or made-up key is in no store: it costs no query.
        if !secret.is_made() {
            return Err(Unrecognised.into());
        }
        let found = self.store.key_find_by_digest(digest).await.map_err(broken)?;
        let found = found.ok_or(Unrecognised)?;
        Ok((found.stored, found.at))
    }
}
