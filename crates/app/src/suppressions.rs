//! Suppression lists: put an address there, find it, list them, take it away.

use selfmx_auth::{Permit, needs};
use selfmx_domain::{Address, Page, PageRequest, Suppression, SuppressionId, SuppressionReason};
pub use selfmx_storage::Suppressed;

use crate::{App, Error};

impl App {
    /// Puts an address on the list of the permit's tenant; one that stands there already stays as it is.
    ///
    /// # Errors
    ///
    /// [`Error::Denied`] where the permit's key may not do that any more; otherwise where the store cannot.
    pub async fn suppression_create(
        &self,
        permit: &Permit<needs::SuppressionsWrite>,
        address: &Address,
        reason: SuppressionReason,
    ) -> Result<Suppressed, Error> {
        Ok(self.store.suppression_create(permit, address, reason).await?)
    }

    /// The list of the permit's tenant, newest first, of one reason or of all.
    ///
    /// # Errors
    ///
    /// Where the store cannot.
    pub async fn suppression_list(
        &self,
        permit: &Permit<needs::SuppressionsRead>,
        reason: Option<SuppressionReason>,
        page: PageRequest<SuppressionId>,
    ) -> Result<Page<Suppression>, Error> {
        Ok(self.store.suppression_list(permit, reason, page).await?)
    }

    /// What stands on the list for this address.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where it does not stand there.
    pub async fn suppression_find(&self, permit: &Permit<needs::SuppressionsRead>, address: &Address) -> Result<Suppression, Error> {
        self.store.suppression_find(permit, address).await?.ok_or(Error::NotFound)
    }

    /// Takes an address off the list: mail that is accepted from now on is sent to it again.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where it does not stand there, [`Error::Denied`] where the permit's key may not do that any more.
    pub async fn suppression_delete(&self, permit: &Permit<needs::SuppressionsWrite>, address: &Address) -> Result<(), Error> {
        self.store.suppression_delete(permit, address).await?.then_some(()).ok_or(Error::NotFound)
    }
}
