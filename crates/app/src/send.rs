//! Sending: compose the message, then accept all of it at once.

use selfmx_auth::{Consented, Permit, needs};
use selfmx_domain::{Draft, EmailId};
use selfmx_mail::{Identity, Message, compose};
use selfmx_storage::Acceptance;
pub use selfmx_storage::Accepted as AcceptedEmail;

use crate::{App, Error};

/// Up to this many octets of attachments a message is composed at once; beyond, on a thread of its own, so that no other request waits for it.
const COMPOSE_HERE: usize = 256 * 1024;

impl App {
    /// Accepts an email. When this returns, the email is committed, and it will be delivered or its failure recorded.
    ///
    /// # Errors
    ///
    /// [`Error::Denied`] where the key or its tenant may not send this; otherwise where the store cannot. Then nothing was accepted.
    pub async fn email_send(&self, permit: &Permit<needs::Send>, draft: Draft) -> Result<AcceptedEmail, Error> {
        let identity = Identity { id: EmailId::generate(&*self.clock, &*self.entropy), date: self.clock.now() };
        let (consented, message) = composed(permit.consent(draft, None)?, identity).await?;
        let acceptance = Acceptance { id: identity.id, consented, message: message.into_octets() };
        Ok(self.store.email_accept(acceptance).await?)
    }
}

async fn composed(consented: Consented, identity: Identity) -> Result<(Consented, Message), Error> {
    let draft = consented.draft();
    let broken = |source: Box<dyn std::error::Error + Send + Sync>| Error::Internal { source };
    let size = |text: Option<&str>| text.map_or(0, str::len);
    let octets = draft.attachments().iter().map(|attachment| attachment.content.len()).sum::<usize>()
        + size(draft.body().text())
        + size(draft.body().html());
    if octets <= COMPOSE_HERE {
        let message = compose(draft, &identity).map_err(|error| broken(Box::new(error)))?;
        return Ok((consented, message));
    }
    let composing = tokio::task::spawn_blocking(move || compose(consented.draft(), &identity).map(|message| (consented, message)));
    composing.await.map_err(|error| broken(Box::new(error)))?.map_err(|error| broken(Box::new(error)))
}
