//! Posts events to webhooks: leases what is due, posts it, records what came of it.

use std::sync::Arc;
use std::time::Duration;

use selfmx_auth::System;
use selfmx_domain::{Entropy, Jitter, PostOutcome, WebhookId, WebhookRetry};
use selfmx_storage::{Happened, Lease, Posted, Store, Tidings, WebhookDelivery};
use selfmx_webhook::{Post, Poster};
use selfmx_wire::{EventPost, PostedData};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::WebhookCounts;

/// How often a result is offered to a database that does not take it, once a second; then its lease runs out, and the event is posted again.
const OFFERS: usize = 30;

/// How a [`WebhookWorker`] works.
#[derive(Clone, Copy, Debug)]
pub struct WebhookSettings {
    /// How many events are posted at once.
    pub posting: u16,
    /// How long a lease lasts: longer than the poster's time and what recording may take.
    pub lease: Duration,
    /// How often it looks for what is due.
    pub poll: Duration,
}

impl Default for WebhookSettings {
    /// 64 events at once, leases of 60 s, a look twice a second.
    fn default() -> Self {
        Self { posting: 64, lease: Duration::from_secs(60), poll: Duration::from_millis(500) }
    }
}

/// Posts what is queued for webhooks.
#[derive(Clone)]
pub struct WebhookWorker {
    store: Store,
    system: System,
    poster: Arc<Poster>,
    entropy: Arc<dyn Entropy>,
    settings: WebhookSettings,
    counts: Arc<WebhookCounts>,
}

impl WebhookWorker {
    /// A worker that posts by `poster`.
    #[must_use]
    pub fn new(store: Store, system: System, poster: Poster, entropy: Arc<dyn Entropy>, settings: WebhookSettings) -> Self {
        Self { store, system, poster: Arc::new(poster), entropy, settings, counts: Arc::default() }
    }

    /// What it and its clones count.
    #[must_use]
    pub fn counts(&self) -> Arc<WebhookCounts> {
        Arc::clone(&self.counts)
    }

    /// Works until `stop`; then begins nothing more, and returns when all that was begun is recorded.
    pub async fn run(self, stop: CancellationToken) {
        let (places, attempts) = (Arc::new(Semaphore::new(usize::from(self.settings.posting.max(1)))), TaskTracker::new());
        let mut after = None;
        loop {
            let place = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                place = Arc::clone(&places).acquire_owned() => place,
            };
            drop(place);
            let leases = self.lease(u16::try_from(places.available_permits()).unwrap_or(u16::MAX), &mut after).await;
            if leases.is_empty() {
                tokio::select! {
                    () = stop.cancelled() => break,
                    () = sleep(self.settings.poll) => {}
                }
                continue;
            }
            for lease in leases {
                // It is there: no more was leased than places were free.
                let (worker, place) = (self.clone(), Arc::clone(&places).acquire_owned().await);
                attempts.spawn(async move {
                    let _place = place;
                    worker.attempt(lease).await;
                });
            }
        }
        attempts.close();
        attempts.wait().await;
    }

    /// What is due, from where the last look ended; at the end of all webhooks it begins again.
    async fn lease(&self, count: u16, after: &mut Option<WebhookId>) -> Vec<Lease<WebhookDelivery>> {
        match self.store.webhook_lease(&self.system, count, self.settings.lease, *after).await {
            Ok(leases) => {
                *after = leases.iter().map(|lease| lease.work().webhook_id).max().filter(|_| leases.len() == usize::from(count));
                leases
            }
            Err(error) => {
                tracing::warn!(%error, "what is queued for webhooks cannot be read");
                Vec::new()
            }
        }
    }

    async fn attempt(&self, lease: Lease<WebhookDelivery>) {
        let posted = self.posted(lease.work()).await;
        self.counts.posted(&posted);
        for _ in 0..OFFERS {
            match self.store.webhook_settle(&self.system, &lease, &posted).await {
                Ok(recorded) => {
                    if let Some(Some(fault)) = recorded {
                        self.counts.add_disabled();
                        tracing::warn!(webhook_id = %lease.work().webhook_id, %fault, "a webhook is disabled");
                    }
                    return;
                }
                Err(error) => tracing::warn!(%error, "an attempt to post an event cannot be recorded yet"),
            }
            sleep(Duration::from_secs(1)).await;
        }
    }

    /// Posts once. What cannot be posted at all is not tried again.
    async fn posted(&self, work: &WebhookDelivery) -> Posted {
        let never = |error: &str| Posted {
            accepted: false,
            gone: false,
            retry_after: None,
            status: None,
            error: Some(error.to_owned()),
            answer: None,
            took: Duration::ZERO,
        };
        let event = match &work.tidings {
            Tidings::Erased => return never("the email is erased"),
            Tidings::Test => EventPost { id: work.event_id, kind: "test", created_at: work.created_at, data: None },
            Tidings::Happened(happened) => event(work, happened),
        };
        let Ok(body) = event.to_json() else { return never("the event cannot be written") };
        let (at, began) = (work.leased_at, Instant::now());
        let post = Post {
            url: &work.url,
            event: work.event_id,
            at,
            body: body.into(),
            secret: &work.secret,
            previous_secret: work.previous_secret.as_ref(),
        };
        let result = self.poster.post(&post).await;
        let outcome = result.as_ref().map_or(PostOutcome::Failed { retry_after: None }, |answer| answer.outcome());
        let retry_after = match outcome {
            PostOutcome::Failed { retry_after } => WebhookRetry::delay(work.attempts.saturating_add(1), retry_after, self.jitter()),
            PostOutcome::Accepted | PostOutcome::Gone => None,
        };
        let (status, answer, error) = match result {
            Ok(answer) => (Some(answer.status), Some(answer.excerpt), None),
            Err(error) => (None, None, Some(error.to_string())),
        };
        let (accepted, gone) = (outcome == PostOutcome::Accepted, outcome == PostOutcome::Gone);
        Posted { accepted, gone, retry_after, status, error, answer, took: began.elapsed() }
    }

    fn jitter(&self) -> Jitter {
        let mut bytes = [0; 2];
        self.entropy.fill(&mut bytes);
        Jitter::from_bytes(bytes)
    }
}

fn event<'a>(work: &WebhookDelivery, happened: &'a Happened) -> EventPost<'a> {
    let data = PostedData {
        email_id: happened.email_id,
        from: &happened.from,
        to: &happened.to,
        subject: &happened.subject,
        tags: &happened.tags,
        metadata: &happened.metadata,
        recipient: happened.recipient.as_deref(),
        response: happened.response.as_deref(),
        bounce_type: happened.bounce_type.as_deref(),
        bounce_code: happened.reply_code,
    };
    EventPost { id: work.event_id, kind: &happened.kind, created_at: happened.at, data: Some(data) }
}
