//! What is counted, for whoever watches the server.

use std::sync::{Arc, Mutex, PoisonError};

use selfmx_auth::Secret;
use selfmx_mail::SmtpCounts;
use selfmx_metrics::{Exposition, Source};

use crate::{App, Health};

/// Those beside the application who count.
#[derive(Default)]
pub(crate) struct Sources(Mutex<Vec<Arc<dyn Source>>>);

impl App {
    /// From now on the [metrics](Self::metrics) hold what `source` tells.
    pub fn watch(&self, source: Arc<dyn Source>) {
        self.sources.0.lock().unwrap_or_else(PoisonError::into_inner).push(source);
    }

    /// Whether whoever shows this may read the metrics: all may where the operator has set no token. It is compared in constant time.
    #[must_use]
    pub fn may_watch(&self, shown: Option<&Secret>) -> bool {
        self.metrics_token.as_ref().is_none_or(|token| shown.is_some_and(|shown| shown.digest().matches(token)))
    }

    /// All that is counted, in Prometheus' text format. The database is asked no more than for [`health`](Self::health).
    pub async fn metrics(&self) -> String {
        let mut exposition = Exposition::default();
        let mut build = exposition.gauges("selfmx_build_info", "Which version this is.");
        build.sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);
        queue(&self.health().await, &mut exposition);
        self.store.tell(&mut exposition);
        let none = SmtpCounts::default();
        let own = self.relay.as_ref().map_or(&none, |relay| relay.counts());
        SmtpCounts::tell(&[("server", own), ("tenants", &self.terms.counts)], &mut exposition);
        let sources = self.sources.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        sources.iter().for_each(|source| source.tell(&mut exposition));
        exposition.into_text()
    }
}

/// What only the database knows; nothing where it does not answer, since a number from before would look like one of now.
fn queue(health: &Health, exposition: &mut Exposition) {
    let depth = health.queue_depth;
    exposition.gauge("selfmx_database_up", "Whether the database answers.", u8::from(depth.is_some()));
    let (Some(depth), Some(lag)) = (depth, health.queue_lag) else { return };
    exposition.gauge(
        "selfmx_emails_queued",
        "Emails with something left to do, on all nodes together; scheduled and held ones too.",
        depth,
    );
    let help = "For how long the email has been due and waits that has done so for longest, on all nodes together.";
    exposition.gauge("selfmx_queue_age_seconds", help, lag.as_secs_f64());
}
