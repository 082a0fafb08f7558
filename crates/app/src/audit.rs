//! The audit log: list, and note what was refused.

use selfmx_auth::{Permit, Principal, needs};
use selfmx_domain::{AuditEntry, AuditFilter, AuditId, Page, PageRequest};
pub use selfmx_storage::Refusal;

use crate::{App, Error};

impl App {
    /// The entries that the permit reaches, newest first: a tenant's own, or all for the platform.
    ///
    /// # Errors
    ///
    /// Where the store cannot.
    pub async fn audit_list(
        &self,
        permit: &Permit<needs::All>,
        filter: AuditFilter,
        page: PageRequest<AuditId>,
    ) -> Result<Page<AuditEntry>, Error> {
        Ok(self.store.audit_list(permit, &filter, page).await?)
    }

    /// Notes that a management call was refused. Where that cannot be written, the log says so: the refusal stands.
    pub async fn audit_refused(&self, principal: &Principal, refusal: Refusal) {
        let action = refusal.action;
        if let Err(error) = self.store.audit_refused(principal, refusal).await {
            tracing::error!(error = %error, %action, key_id = %principal.key().id, "a refusal could not be noted in the audit log");
        }
    }
}
