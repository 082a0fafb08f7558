//! What relays count for whoever watches them.

use std::time::Duration;

use selfmx_domain::{Deferral, Verdict};
use selfmx_metrics::{Counter, Exposition, Gauge, Histogram};

use crate::{RelayError, transaction};

/// What is counted of one relay, or of several together.
#[derive(Debug, Default)]
pub struct SmtpCounts {
    /// The connections that are open, in use or kept.
    pub(crate) connections: Gauge,
    /// The relays that cannot be used until somebody changes something.
    pub(crate) paused: Gauge,
    /// How long each message took from its turn to its last verdict.
    sending: Histogram,
    unreachable: Counter,
    deferred: Counter,
    broken: Counter,
    bounced: Counter,
    undeliverable: Counter,
    held: Counter,
}

impl SmtpCounts {
    /// The gauge of relays that cannot be used, for one that is not even made.
    #[must_use]
    pub const fn paused(&self) -> &Gauge {
        &self.paused
    }

    /// Tells of several relays in the same families of series, each under its name.
    pub fn tell(all: &[(&str, &Self)], exposition: &mut Exposition) {
        let mut connections = exposition.gauges("selfmx_smtp_connections", "Open connections to SMTP relays, in use or kept.");
        all.iter().for_each(|(relay, counts)| connections.sample(&[("relay", relay)], counts.connections.value()));
        let mut paused = exposition.gauges("selfmx_relays_paused", "SMTP relays that cannot be used until somebody changes something.");
        all.iter().for_each(|(relay, counts)| paused.sample(&[("relay", relay)], counts.paused.value()));
        let help = "How long a message took from its turn to the last verdict, a new connection included.";
        let mut sending = exposition.histograms("selfmx_smtp_send_duration_seconds", help);
        all.iter().for_each(|(relay, counts)| sending.histogram(&[("relay", relay)], &counts.sending));
        let help = "What did not go well: unreachable counts connections, the other kinds recipients.";
        let mut errors = exposition.counters("selfmx_smtp_errors_total", help);
        for (relay, counts) in all {
            for (kind, counter) in counts.errors() {
                errors.sample(&[("relay", relay), ("kind", kind)], counter.value());
            }
        }
    }

    /// An attempt at a message for so many recipients took so long, and ended so. One that was withdrawn says nothing of the relay.
    pub(crate) fn attempted(&self, took: Duration, ended: Result<&[Verdict], &RelayError>, recipients: usize) {
        match ended {
            Ok(verdicts) => self.judged(verdicts),
            Err(RelayError::Withdrawn) => return,
            Err(error) => self.judged(&vec![transaction::verdict_on(error); recipients]),
        }
        self.sending.observe(took);
    }

    /// No connection could be opened.
    pub(crate) fn unreachable(&self) {
        self.unreachable.increment();
    }

    /// What became of a message's recipients.
    fn judged(&self, verdicts: &[Verdict]) {
        for verdict in verdicts {
            match verdict {
                Verdict::Delivered(_) => {}
                Verdict::Deferred(Deferral::Reply(_)) => self.deferred.increment(),
                Verdict::Deferred(Deferral::Network(_) | Deferral::Ambiguous(_)) => self.broken.increment(),
                Verdict::Bounced(_) | Verdict::Rejected(_) => self.bounced.increment(),
                Verdict::Undeliverable(_) => self.undeliverable.increment(),
                Verdict::Held(_) => self.held.increment(),
            }
        }
    }

    const fn errors(&self) -> [(&'static str, &Counter); 6] {
        [
            ("unreachable", &self.unreachable),
            ("deferred", &self.deferred),
            ("broken", &self.broken),
            ("bounced", &self.bounced),
            ("undeliverable", &self.undeliverable),
            ("held", &self.held),
        ]
    }
}

#[cfg(test)]
mod tests {
    use selfmx_domain::Reply;

    use super::*;

    #[test]
    fn each_verdict_is_of_one_kind_and_success_of_none() {
        let counts = SmtpCounts::default();
        let reply = || Reply::new(450, None, "later");
        counts.judged(&[
            Verdict::Delivered(reply()),
            Verdict::Deferred(Deferral::Reply(reply())),
            Verdict::Deferred(Deferral::network("gone")),
            Verdict::Deferred(Deferral::ambiguous("gone")),
            Verdict::Bounced(reply()),
            Verdict::Rejected(reply()),
            Verdict::Undeliverable(String::new()),
            Verdict::Held(String::new()),
        ]);
        let kinds = counts.errors().map(|(kind, counter)| (kind, counter.value()));
        assert_eq!(kinds, [("unreachable", 0), ("deferred", 1), ("broken", 2), ("bounced", 2), ("undeliverable", 1), ("held", 1)]);
    }
}
