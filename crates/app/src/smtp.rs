//! A conversation with the relay that sends nothing.

use selfmx_auth::{Permit, needs};

use crate::{App, Error};

impl App {
    /// Connects to the relay, encrypts and authenticates as for a mail, and hangs up. It answers what the relay said last.
    ///
    /// # Errors
    ///
    /// [`Error::Relay`] where one of the steps failed.
    pub async fn smtp_test(&self, _permit: &Permit<needs::All>) -> Result<String, Error> {
        let Some(relay) = &self.relay else {
            return Ok("no relay is configured: mail is captured, and GET /v1/emails/{id}/raw shows it".to_owned());
        };
        match relay.probe().await {
            Ok(reply) => Ok(format!("the relay answered: {reply}")),
            Err(error) => Err(Error::Relay(error.to_string())),
        }
    }
}
