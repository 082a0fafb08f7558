//! One leased delivery: what is posted, and what its endpoint makes of it.

use std::pin::pin;

use selfmx_domain::{Entropy, Jitter, PostOutcome, TraceId, WebhookRetry};
use selfmx_storage::{Happened, Posted, Tidings, WebhookDelivery};
use selfmx_webhook::{Answer, Post, PostError, Poster};
use selfmx_wire::{EventPost, PostedData};
use tokio::time::{Duration, Instant, timeout};

use crate::endpoints::{Place, SLOW, Taken};

/// Posts once, and tells the place how the endpoint took it. What cannot be posted at all is not tried again.
pub(crate) async fn posted(work: &WebhookDelivery, poster: &Poster, entropy: &dyn Entropy, place: &mut Place) -> Posted {
    let event = match &work.tidings {
        Tidings::Erased => return never("the email is erased"),
        Tidings::Test => EventPost { id: work.event_id, kind: "test", created_at: work.created_at, data: None },
        Tidings::Happened(happened) => event(work, happened),
    };
    let Ok(body) = event.to_json() else { return never("the event cannot be written") };
    let trace = work.trace.unwrap_or_else(|| TraceId::generate(entropy));
    let post = Post {
        webhook: work.webhook_id,
        url: &work.url,
        event: work.event_id,
        at: work.leased_at,
        body: body.into(),
        secret: &work.secret,
        previous_secret: work.previous_secret.as_ref(),
        traceparent: &trace.traceparent(entropy),
    };
    let began = Instant::now();
    let result = patient(poster, &post, place).await;
    let posted = judged(work, result, began.elapsed(), entropy);
    place.heard(taken(&posted));
    tell(work, trace, &posted);
    posted
}

/// The answer, however long it takes; after a while the place is given back.
async fn patient(poster: &Poster, post: &Post<'_>, place: &mut Place) -> Result<Answer, PostError> {
    let mut posting = pin!(poster.post(post));
    if let Ok(result) = timeout(SLOW, &mut posting).await {
        return result;
    }
    place.is_slow();
    posting.await
}

fn judged(work: &WebhookDelivery, result: Result<Answer, PostError>, took: Duration, entropy: &dyn Entropy) -> Posted {
    let outcome = result.as_ref().map_or(PostOutcome::Failed { retry_after: None }, Answer::outcome);
    let retry_after = match outcome {
        PostOutcome::Failed { retry_after } => WebhookRetry::delay(work.attempts.saturating_add(1), retry_after, jitter(entropy)),
        PostOutcome::Accepted | PostOutcome::Gone => None,
    };
    let (status, answer, error) = match result {
        Ok(answer) => (Some(answer.status), Some(answer.excerpt), None),
        Err(error) => (None, None, Some(error.to_string())),
    };
    let (accepted, gone) = (outcome == PostOutcome::Accepted, outcome == PostOutcome::Gone);
    Posted { asked: true, accepted, gone, retry_after, status, error, answer, took }
}

const fn taken(posted: &Posted) -> Taken {
    match (posted.accepted, posted.status) {
        (true, _) if posted.took.as_millis() < SLOW.as_millis() => Taken::Soon,
        (true, _) => Taken::Late,
        (false, Some(_)) => Taken::Refused,
        (false, None) => Taken::Unanswered,
    }
}

fn tell(work: &WebhookDelivery, trace: TraceId, posted: &Posted) {
    let email_id = match &work.tidings {
        Tidings::Happened(happened) => Some(happened.email_id),
        Tidings::Test | Tidings::Erased => None,
    };
    tracing::info!(
        webhook_id = %work.webhook_id,
        tenant_id = %work.tenant,
        delivery_id = %work.id,
        event_id = %work.event_id,
        email_id = email_id.map(tracing::field::display),
        trace_id = %trace,
        attempt = work.attempts.saturating_add(1),
        accepted = posted.accepted,
        status = posted.status,
        duration_ms = u64::try_from(posted.took.as_millis()).unwrap_or(u64::MAX),
        "post"
    );
}

fn never(error: &str) -> Posted {
    Posted {
        asked: false,
        accepted: false,
        gone: false,
        retry_after: None,
        status: None,
        error: Some(error.to_owned()),
        answer: None,
        took: Duration::ZERO,
    }
}

fn jitter(entropy: &dyn Entropy) -> Jitter {
    let mut bytes = [0; 2];
    entropy.fill(&mut bytes);
    Jitter::from_bytes(bytes)
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
        url: happened.url.as_deref(),
    };
    EventPost { id: work.event_id, kind: &happened.kind, created_at: happened.at, data: Some(data) }
}
