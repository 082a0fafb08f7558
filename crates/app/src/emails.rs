//! Accepted emails: list, find, read as sent, cancel, reschedule.

use selfmx_auth::{Permit, needs};
use selfmx_domain::{Email, EmailFilter, EmailId, EmailSummary, Page, PageRequest};
pub use selfmx_storage::Recalled as RecalledEmail;
use time::OffsetDateTime;

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
    /// [`Error::NotFound`] where the tenant has none, [`Error::Purged`] where its message is gone because it was old.
    pub async fn email_raw(&self, permit: &Permit<needs::LogsRead>, id: EmailId) -> Result<Vec<u8>, Error> {
        self.store.email_raw(permit, id).await?.ok_or(Error::NotFound)?.ok_or(Error::Purged)
    }

    /// Makes sure that there is an email with this id that the permit reaches.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where there is none.
    pub async fn email_expect(&self, permit: &Permit<needs::Send>, id: EmailId) -> Result<(), Error> {
        if !self.store.email_is_reached(permit, id).await? {
            return Err(Error::NotFound);
        }
        Ok(())
    }

    /// Cancels the email with this id: nobody gets it who has not got it by now. One that is canceled already stays so.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where the permit reaches none, [`Error::Unchangeable`] where an attempt is under way, somebody has it, or nothing is left to do.
    pub async fn email_cancel(&self, permit: &Permit<needs::Send>, id: EmailId) -> Result<RecalledEmail, Error> {
        self.store.email_cancel(permit, id).await?.ok_or(Error::NotFound)
    }

    /// Changes when the email with this id is to be sent.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where the permit reaches none, [`Error::Unchangeable`] where an attempt is under way or was made, or nothing is left to do;
    /// [`Error::Invalid`] where the time is past or too far ahead.
    pub async fn email_reschedule(&self, permit: &Permit<needs::Send>, id: EmailId, at: OffsetDateTime) -> Result<RecalledEmail, Error> {
        self.store.email_reschedule(permit, id, at).await?.ok_or(Error::NotFound)
    }
}
