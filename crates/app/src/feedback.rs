//! Feedback: reports of mail that came back and of complaints.

use std::time::Duration;

use selfmx_auth::{Permit, needs};
use selfmx_domain::{FeedbackReport, FeedbackResult, Unchangeable};
use tokio::time::sleep;

use crate::{App, Error};

/// A relay may give mail back before it is recorded that it took it: so often it is looked whether that is done by now.
const LOOKS: usize = 20;
const BETWEEN_LOOKS: Duration = Duration::from_millis(250);

impl App {
    /// Reads a report from the message that it came in: nothing of the store is asked for that.
    ///
    /// # Errors
    ///
    /// [`Error::Report`] where it is none.
    pub fn feedback_read(octets: &[u8]) -> Result<FeedbackReport, Error> {
        Ok(selfmx_mail::read_report(octets)?)
    }

    /// Records a report on mail that the permit reaches: a tenant's own, or everybody's for the platform.
    ///
    /// # Errors
    ///
    /// [`Error::StillSending`] where mail that came back goes on being sent, [`Error::Denied`] where the permit's key may not do that any more; otherwise
    /// where the store cannot.
    pub async fn feedback_record(&self, permit: &Permit<needs::All>, report: &FeedbackReport) -> Result<Vec<FeedbackResult>, Error> {
        for _ in 0..LOOKS {
            match self.store.feedback_record(permit, report).await {
                Err(selfmx_storage::Error::Unchangeable(Unchangeable::Sending)) => sleep(BETWEEN_LOOKS).await,
                recorded => return Ok(recorded?),
            }
        }
        Err(Error::StillSending)
    }
}
