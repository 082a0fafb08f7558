//! What the store counts for whoever watches it.

use selfmx_domain::EmailStatus;
use selfmx_metrics::{Counter, Exposition, Source};

use crate::Store;

/// Emails by what has become of them here.
#[derive(Debug, Default)]
pub(crate) struct EmailCounts {
    pub(crate) accepted: Counter,
    delivered: Counter,
    bounced: Counter,
    failed: Counter,
    pub(crate) complained: Counter,
    pub(crate) returned: Counter,
}

impl EmailCounts {
    /// An email has this status after an attempt.
    pub(crate) fn note(&self, status: EmailStatus) {
        match status {
            EmailStatus::Delivered => self.delivered.increment(),
            EmailStatus::Bounced => self.bounced.increment(),
            EmailStatus::Failed => self.failed.increment(),
            EmailStatus::Scheduled | EmailStatus::Queued | EmailStatus::Sending | EmailStatus::Canceled => {}
        }
    }
}

impl Source for Store {
    fn tell(&self, exposition: &mut Exposition) {
        let EmailCounts { accepted, delivered, bounced, failed, complained, returned } = &*self.email_counts;
        exposition.counter("selfmx_emails_total", "Emails accepted by this node.", accepted);
        exposition.counter("selfmx_emails_delivered_total", "Emails that this node delivered to all of their recipients.", delivered);
        exposition.counter("selfmx_emails_bounced_total", "Emails that ended on this node with a recipient refused for good.", bounced);
        exposition.counter("selfmx_emails_failed_total", "Emails that ended on this node undelivered, with none refused.", failed);
        let about = "Complaints of emails that were reported to this node and recorded.";
        exposition.counter("selfmx_emails_complained_total", about, complained);
        let about = "Recipients whose mail came back after a relay had taken it, as reported to this node and recorded.";
        exposition.counter("selfmx_emails_bounced_late_total", about, returned);
        self.tracked_notes.tell(exposition);
        let pool = self.pool.in_use();
        let mut connections = exposition.gauges("selfmx_database_connections", "Connections of the pool to the database.");
        connections.sample(&[("state", "in_use")], pool.borrowed);
        connections.sample(&[("state", "idle")], pool.idle);
        exposition.gauge("selfmx_database_connections_max", "The most connections of the pool to the database.", pool.most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_end_counts() {
        let counts = EmailCounts::default();
        EmailStatus::ALL.into_iter().for_each(|status| counts.note(status));
        counts.note(EmailStatus::Delivered);
        assert_eq!((counts.delivered.value(), counts.bounced.value(), counts.failed.value()), (2, 1, 1));
    }
}
