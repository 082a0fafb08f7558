//! Sending: compose and sign the message, then accept all of it at once.

use std::sync::Arc;

use selfmx_auth::{Consented, Permit, Unrecognised, needs};
use selfmx_domain::{EmailId, Idempotency};
use selfmx_mail::{Identity, Signer, Tracks, compose, compose_tracked};
pub use selfmx_storage::Accepted as AcceptedEmail;
use selfmx_storage::{Acceptance, Error as StoreError};

use crate::made::Named;
use crate::{App, EmailRequest, Error};

/// Up to this many octets a message is composed and signed at once; beyond, or with a slow key, on a thread of its own, so that no other request waits for it.
const COMPOSE_HERE: usize = 256 * 1024;

impl App {
    /// Accepts an email. When this returns, the email is committed, and it will be delivered or its failure recorded.
    ///
    /// What repeats an earlier request of the tenant's, as `idempotency` has it, is told what that one accepted. Whoever repeats it has to be allowed to send
    /// it, as for a new one; what is left of the tenant's quota makes no difference.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] where it is no email, [`Error::Template`] where its template makes none of it, [`Error::Denied`] where the key or its tenant may not send this, [`Error::QuotaExceeded`] where the tenant may send no more today,
    /// [`Error::IdempotencyConflict`] where the idempotency key was used for something else. Where the tenant was deleted meanwhile,
    /// [`Error::Unrecognised`] to a key of its own and [`Error::NotFound`] to the platform's, which is what their next requests are told. [`Error::Unsigned`]
    /// where the tenant's DKIM key cannot be opened. Otherwise where the store cannot. In each case nothing was accepted, and the idempotency key is
    /// still free.
    pub async fn email_send(
        &self,
        permit: &Permit<needs::Send>,
        request: EmailRequest,
        idempotency: Option<Idempotency>,
    ) -> Result<AcceptedEmail, Error> {
        let prepared = self.prepared(permit, request, idempotency, &mut Named::default()).await?;
        let acceptance = if prepared.is_quick() {
            prepared.composed()?
        } else {
            tokio::task::spawn_blocking(move || prepared.composed()).await.map_err(broken)??
        };
        self.store.email_accept(acceptance).await.map_err(|error| refused(error, permit))
    }

    /// What the email says, whether its key may send it, and with whose DKIM key it is signed.
    pub(crate) async fn prepared(
        &self,
        permit: &Permit<needs::Send>,
        request: EmailRequest,
        idempotency: Option<Idempotency>,
        named: &mut Named,
    ) -> Result<Prepared, Error> {
        let (draft, template) = self.made(permit, request, named).await?;
        let identity = Identity { id: EmailId::generate(&*self.clock, &*self.entropy), date: self.clock.now() };
        let consented = permit.consent(draft, template)?;
        let signer = self.signer(permit, consented.draft().from().address().domain()).await?;
        let tracks = self.tracks(permit, consented.draft(), identity.id);
        Ok(Prepared { consented, identity, tracks, signer, idempotency })
    }
}

/// An email that its key may send, not composed yet.
pub(crate) struct Prepared {
    consented: Consented,
    identity: Identity,
    tracks: Option<Tracks>,
    signer: Option<Arc<Signer>>,
    idempotency: Option<Idempotency>,
}

impl Prepared {
    /// Whether nobody is kept waiting while it is composed.
    fn is_quick(&self) -> bool {
        let draft = self.consented.draft();
        let size = |text: Option<&str>| text.map_or(0, str::len);
        let octets = draft.attachments().iter().map(|attachment| attachment.content.len()).sum::<usize>()
            + size(draft.body().text())
            + size(draft.body().html());
        octets <= COMPOSE_HERE && self.signer.as_deref().is_none_or(Signer::is_quick)
    }

    /// Composes and signs it.
    pub(crate) fn composed(self) -> Result<Acceptance, Error> {
        let Self { consented, identity, tracks, signer, idempotency } = self;
        let message = match tracks {
            Some(tracks) => compose_tracked(consented.draft(), &identity, &tracks),
            None => compose(consented.draft(), &identity),
        };
        let message = message.map_err(broken)?;
        let message = match signer {
            Some(signer) => signer.sign(message, identity.date).map_err(broken)?,
            None => message,
        };
        Ok(Acceptance { id: identity.id, consented, message: message.into_octets(), idempotency })
    }
}

/// Why the store did not accept what this permit asked for.
pub(crate) fn refused(error: StoreError, permit: &Permit<needs::Send>) -> Error {
    match (error, permit.key_tenant()) {
        (StoreError::NoSuchTenant, Some(_)) => Unrecognised.into(),
        (StoreError::NoSuchTenant, None) => Error::NotFound,
        (error, _) => error.into(),
    }
}

pub(crate) fn broken(source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Internal { source: Box::new(source) }
}
