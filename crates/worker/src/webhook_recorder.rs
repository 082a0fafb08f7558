//! Records what came of posts, many in one commit.

use std::sync::Arc;
use std::time::Duration;

use selfmx_auth::System;
use selfmx_storage::{Store, WebhookSettlement};
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::WebhookCounts;
use crate::endpoints::Place;

/// How many results one commit holds at most.
const AT_ONCE: usize = 200;

/// How often results are offered to a database that does not take them, once a second; then their leases run out, and the events are posted again.
const OFFERS: usize = 30;

/// A result with what is given back once it is recorded.
pub(crate) struct Done {
    pub(crate) settlement: WebhookSettlement,
    pub(crate) place: Place,
}

/// What records.
pub(crate) struct WebhookRecorder {
    pub(crate) store: Store,
    pub(crate) system: System,
    pub(crate) counts: Arc<WebhookCounts>,
}

impl WebhookRecorder {
    /// Records until the last sender is gone. While one commit is under way the next results gather.
    pub(crate) async fn run(self, mut results: mpsc::Receiver<Done>) {
        let mut gathered = Vec::new();
        while results.recv_many(&mut gathered, AT_ONCE).await > 0 {
            let (settlements, places): (Vec<_>, Vec<_>) = gathered.drain(..).map(|Done { settlement, place }| (settlement, place)).unzip();
            self.record(&settlements).await;
            drop(places);
        }
    }

    async fn record(&self, settlements: &[WebhookSettlement]) {
        for _ in 0..OFFERS {
            match self.store.webhook_settle(&self.system, settlements).await {
                Ok(settled) => {
                    for (webhook_id, fault) in settled.disabled {
                        self.counts.add_disabled();
                        tracing::warn!(%webhook_id, %fault, "a webhook is disabled");
                    }
                    return;
                }
                Err(error) => {
                    tracing::warn!(%error, results = settlements.len(), "attempts to post events cannot be recorded yet");
                }
            }
            sleep(Duration::from_secs(1)).await;
        }
    }
}
