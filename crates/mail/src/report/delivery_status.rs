//! `message/delivery-status` (RFC 3464 section 2) and its global form (RFC 6533): a group of fields about the message, and one about each recipient.

use selfmx_domain::{FeedbackKind, ReportedRecipient};

use super::complaint::Read;
use super::diagnosis;
use super::entity::Entity;
use super::{MAX_RECIPIENTS, ReportError, reported};

/// Who failed and by what, who did not, and when the mail arrived.
pub(super) fn read(octets: &[u8]) -> Result<Read, ReportError> {
    let about_message = Entity::read(octets.trim_ascii_start());
    let (mut rest, mut groups, mut recipients) = (about_message.body().trim_ascii_start(), 0..MAX_RECIPIENTS, Vec::new());
    while !rest.is_empty() {
        // Groups that are about nobody count too: each is read as a header, so that millions of empty ones would take minutes.
        groups.next().ok_or(ReportError::TooManyRecipients)?;
        let group = Entity::read(rest);
        recipients.extend(recipient(&group));
        rest = group.body().trim_ascii_start();
    }
    // Some leave out the empty line before the first recipient.
    if recipients.is_empty() {
        recipients.extend(recipient(&about_message));
    }
    let failed = recipients.iter().any(|recipient| recipient.bounce.is_some());
    let kind = if failed { FeedbackKind::Bounce } else { FeedbackKind::Ignored };
    Ok((kind, about_message.date("Arrival-Date"), recipients))
}

/// What a group says; `None` where it is about no recipient.
fn recipient(group: &Entity<'_>) -> Option<ReportedRecipient> {
    let named = ["Original-Recipient", "Final-Recipient"].map(|name| group.field(name));
    if named == [None, None] {
        return None;
    }
    let mut addresses: Vec<_> = named.into_iter().flatten().flat_map(reported::addresses).collect();
    addresses.dedup();
    let status = group.field("Status").and_then(diagnosis::status);
    let failed = match group.field("Action").map(|action| action.trim().to_ascii_lowercase()) {
        Some(action) => action == "failed",
        None => status.is_some_and(|status| status.class == 5),
    };
    let bounce = failed.then(|| diagnosis::reply(status, group.field("Diagnostic-Code")));
    Some(ReportedRecipient { addresses, bounce })
}
