//! A conversation with the relay that sends nothing.

use selfmx_auth::{Permit, needs};
use selfmx_domain::Deferral;
use selfmx_mail::{Relay, RelayError};
use selfmx_storage::OpenedRelay;
use tokio::time::timeout;

use crate::{App, Error};

impl App {
    /// Connects to the tenant's own relay, or to the server's where it has none, encrypts and authenticates as for a mail, and hangs up. It answers what
    /// the relay said last.
    ///
    /// # Errors
    ///
    /// [`Error::Relay`] where one of the steps failed.
    pub async fn smtp_test(&self, permit: &Permit<needs::All>) -> Result<String, Error> {
        match self.store.tenant_own_relay(permit).await {
            Ok(Some(own)) => self.own_relay_test(&own).await,
            Ok(None) => self.server_relay_test().await,
            Err(selfmx_storage::Error::Vault(cause)) => {
                tracing::error!(tenant_id = %permit.tenant(), error = %cause, "the password for a tenant's relay cannot be opened");
                Err(Error::Relay("the password for the relay cannot be opened by the server: set it again, or ask the operator".to_owned()))
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn server_relay_test(&self) -> Result<String, Error> {
        let Some(relay) = &self.relay else {
            return Ok("no relay is configured: mail is captured, and GET /v1/emails/{id}/raw shows it".to_owned());
        };
        let reply = relay.probe().await.map_err(|error| refused(&error))?;
        Ok(format!("the relay answered: {reply}"))
    }

    /// As its mail would be handed over, on the same terms; the whole conversation within the time that a reply may take.
    async fn own_relay_test(&self, own: &OpenedRelay) -> Result<String, Error> {
        let relay = Relay::new(self.terms.settings(&own.relay, own.password.as_ref())).map_err(|error| refused(&error))?;
        match timeout(self.terms.timeout, relay.probe()).await {
            Ok(Ok(reply)) => Ok(format!("the tenant's own relay answered: {reply}")),
            Ok(Err(error)) => Err(refused(&error)),
            Err(_) => Err(Error::Relay("the relay did not answer in time".to_owned())),
        }
    }
}

/// What went wrong, as one bounded line: some of it may be the relay's words.
fn refused(error: &RelayError) -> Error {
    Error::Relay(Deferral::network(&error.to_string()).to_string())
}
