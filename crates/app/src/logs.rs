//! The log: list.

use selfmx_auth::{Permit, needs};
use selfmx_domain::{LogFilter, LogId, LogPage, PageRequest};

use crate::{App, Error};

impl App {
    /// The tenant's log, newest first: what happened to its emails, and where a key or a management call is asked for, management calls.
    ///
    /// # Errors
    ///
    /// Where the store cannot.
    pub async fn log_list(&self, permit: &Permit<needs::LogsRead>, filter: LogFilter, page: PageRequest<LogId>) -> Result<LogPage, Error> {
        Ok(self.store.log_list(permit, &filter, page).await?)
    }
}
