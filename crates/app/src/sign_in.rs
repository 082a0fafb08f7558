//! From a secret to a principal.

use selfmx_auth::{Principal, Secret, StoredKey, Unrecognised};
use time::OffsetDateTime;

use crate::{App, Error};

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// The secret is of no key that is to be recognised.
    #[error(transparent)]
    Unrecognised(#[from] Unrecognised),
    /// It could not be found out.
    #[error(transparent)]
    Broken(Error),
}

impl App {
    /// Recognises the key that `secret` belongs to, and notes that it was used.
    ///
    /// # Errors
    ///
    /// [`SignInError::Unrecognised`] does not say why; [`SignInError::Broken`] where the store cannot be asked.
    pub async fn sign_in(&self, secret: &Secret) -> Result<Principal, SignInError> {
        let (stored, now) = self.key_of(secret).await?;
        let principal = Principal::recognise(secret, stored, now)?;
        self.store.key_used(principal.key().id, now);
        Ok(principal)
    }

    async fn key_of(&self, secret: &Secret) -> Result<(StoredKey, OffsetDateTime), SignInError> {
        let digest = secret.digest();
        if let Some(own) = self.environment_key.as_ref().filter(|own| own.digest.matches(&digest)) {
            return Ok((own.clone(), self.clock.now()));
        }
        // A mistyped or made-up key is in no store: it costs no query.
        if !secret.is_made() {
            return Err(Unrecognised.into());
        }
        let found = self.store.key_find_by_digest(digest).await.map_err(|error| SignInError::Broken(error.into()))?;
        let found = found.ok_or(Unrecognised)?;
        Ok((found.stored, found.at))
    }
}
