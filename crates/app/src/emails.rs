//! Accepted emails: list, find, read as sent.

use selfmx_auth::{Permit, needs};
use selfmx_domain::{Email, EmailFilter, EmailId, EmailSummary, Page, PageRequest};

use crate::{App, Error};

impl App {
    /// The tenant's emails, newest first.
    ///
    /// # Errors
    ///
    /// Where the store cannot.
    pub async fn email_list(
        &self,
        permit: &Permit<needs::LogsRead>,
        filter: EmailFilter,
        page: PageRequest<EmailId>,
    ) -> Result<Page<EmailSummary>, Error> {
        Ok(self.store.email_list(permit, &filter, page).await?)
    }

    /// The email with this id.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where the tenant has none.
    pub async fn email_find(&self, permit: &Permit<needs::LogsRead>, id: EmailId) -> Result<Email, Error> {
        self.store.email_find(permit, id).await?.ok_or(Error::NotFound)
    }

    /// The message of the email with this id, as it is handed to the relay.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where the tenant has none.
    pub async fn email_raw(&self, permit: &Permit<needs::LogsRead>, id: EmailId) -> Result<Vec<u8>, Error> {
        self.store.email_raw(permit, id).await?.ok_or(Error::NotFound)
    }
}
