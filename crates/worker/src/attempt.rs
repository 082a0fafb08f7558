//! One attempt to hand over one email.

use std::time::Duration;

use selfmx_domain::{Entropy, Jitter, RetryPolicy, Verdict};
use selfmx_mail::{Envelope, Transport};
use selfmx_storage::{Delivery, Lease, Outcome, Settlement};
use tokio::time::Instant;

/// Hands the message over and works out what follows for each recipient.
///
/// # Errors
///
/// The lease, where its mail might not be sent any more when it came to its last octets: the relay delivers nothing then.
pub(crate) async fn attempt(
    lease: Lease<Delivery>,
    message: &[u8],
    transport: &Transport,
    may_send: &(dyn Fn() -> bool + Sync),
    policy: &RetryPolicy,
    entropy: &dyn Entropy,
) -> Result<Settlement, Lease<Delivery>> {
    let delivery = lease.work();
    let envelope = Envelope {
        sender: delivery.sender.clone(),
        recipients: delivery.waiting.iter().map(|waiting| waiting.address.clone()).collect(),
        smtputf8: delivery.smtputf8,
    };
    let began = Instant::now();
    let Some(verdicts) = transport.deliver_if(&envelope, message, may_send).await else { return Err(lease) };
    let took = began.elapsed();
    report(delivery, &verdicts, took);
    Ok(conclude(lease, verdicts, policy, entropy).took(took))
}

/// What follows when the same is true for every recipient, without anything having been sent.
pub(crate) fn refuse(lease: Lease<Delivery>, verdict: &Verdict, policy: &RetryPolicy, entropy: &dyn Entropy) -> Settlement {
    let verdicts = vec![verdict.clone(); lease.work().waiting.len()];
    conclude(lease, verdicts, policy, entropy)
}

fn conclude(lease: Lease<Delivery>, verdicts: Vec<Verdict>, policy: &RetryPolicy, entropy: &dyn Entropy) -> Settlement {
    let mut random = [0; 2];
    entropy.fill(&mut random);
    // One draw for the whole email, so that its recipients stay together.
    let jitter = Jitter::from_bytes(random);
    let waiting = lease.work().waiting.clone();
    let outcomes = waiting.into_iter().zip(verdicts).map(|(waiting, verdict)| Outcome {
        ordinal: waiting.ordinal,
        attempts_before: waiting.queued.attempts(),
        step: waiting.queued.settle(verdict, policy, jitter),
    });
    let outcomes = outcomes.collect();
    lease.settle(outcomes)
}

/// One line in the log for each attempt, without addresses.
fn report(delivery: &Delivery, verdicts: &[Verdict], took: Duration) {
    let count = |wanted: fn(&Verdict) -> bool| verdicts.iter().filter(|verdict| wanted(verdict)).count();
    tracing::info!(
        email_id = %delivery.email_id,
        tenant_id = %delivery.tenant,
        trace_id = delivery.trace.map(tracing::field::display),
        delivered = count(|verdict| matches!(verdict, Verdict::Delivered(_))),
        deferred = count(|verdict| matches!(verdict, Verdict::Deferred(_))),
        bounced = count(|verdict| matches!(verdict, Verdict::Bounced(_) | Verdict::Rejected(_))),
        failed = count(|verdict| matches!(verdict, Verdict::Undeliverable(_))),
        held = count(|verdict| matches!(verdict, Verdict::Held(_))),
        duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        "attempt"
    );
}
