//! A message for more recipients than the relay takes in one transaction: the others follow in the next (RFC 5321 section 4.5.3.1.10).

use std::time::Duration;

use selfmx_domain::{Deferral, EnhancedCode, Reply, Verdict};

use crate::Envelope;
use crate::connection::Connection;
use crate::transaction::{self, Fate, MaySend, Outcome};

/// Hands `message` over, in one transaction unless the relay asks for more of them. Each that follows had one before it that got the message to somebody.
pub(crate) async fn run(
    connection: &mut Connection,
    envelope: &Envelope,
    message: &[u8],
    may_send: MaySend<'_>,
    final_timeout: Duration,
) -> Outcome {
    let mut outcome = transaction::run(connection, envelope, message, may_send, final_timeout).await;
    let mut left = left_over(&outcome.verdicts);
    while outcome.fate == Fate::Reusable && !left.is_empty() {
        let next = transaction::run(connection, &only(envelope, &left), message, may_send, final_timeout).await;
        let still_left = left_over(&next.verdicts).into_iter().filter_map(|place| left.get(place).copied()).collect();
        join(&mut outcome, &left, next);
        left = still_left;
    }
    outcome
}

/// The places of those whom the relay wants in another transaction; none where this one got the message to nobody, since the next would not either.
fn left_over(verdicts: &[Verdict]) -> Vec<usize> {
    if !verdicts.iter().any(|verdict| matches!(verdict, Verdict::Delivered(_))) {
        return Vec::new();
    }
    let places = verdicts.iter().enumerate();
    places
        .filter(|(_, verdict)| matches!(verdict, Verdict::Deferred(Deferral::Reply(reply)) if is_too_many(reply)))
        .map(|(place, _)| place)
        .collect()
}

/// Whether a reply to RCPT says that there are too many recipients, or may say so: 452, and 552 by RFC 821.
pub(crate) const fn is_too_many(reply: &Reply) -> bool {
    matches!(reply.code(), 452 | 552) && matches!(reply.enhanced(), None | Some(EnhancedCode { subject: 5, detail: 3, .. }))
}

fn only(envelope: &Envelope, places: &[usize]) -> Envelope {
    let recipients = places.iter().filter_map(|place| envelope.recipients.get(*place).cloned()).collect();
    Envelope { sender: envelope.sender.clone(), recipients, smtputf8: envelope.smtputf8 }
}

/// What became of those that were left. What became of the others stands: a message that is with somebody is not begun anew, and was not taken back.
fn join(outcome: &mut Outcome, left: &[usize], next: Outcome) {
    if next.fate == Fate::Withdrawn {
        outcome.fate = Fate::Spent;
        return;
    }
    for (place, verdict) in left.iter().zip(next.verdicts) {
        if let Some(before) = outcome.verdicts.get_mut(*place) {
            *before = verdict;
        }
    }
    outcome.fate = if next.fate == Fate::Stale { Fate::Spent } else { next.fate };
}
