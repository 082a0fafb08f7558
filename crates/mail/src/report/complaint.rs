//! `message/feedback-report` (RFC 5965 section 3): one group of fields.

use selfmx_domain::{FeedbackKind, FeedbackType, ReportedRecipient};
use time::OffsetDateTime;

use super::entity::Entity;
use super::{MAX_RECIPIENTS, ReportError, reported};

pub(super) type Read = (FeedbackKind, Option<OffsetDateTime>, Vec<ReportedRecipient>);

/// What is complained of, when the mail arrived, and whom it was to as far as that is told.
///
/// A type that is no complaint (`not-spam`, `auth-failure`, `dmarc`, one that is not known) changes nothing.
pub(super) fn read(octets: &[u8]) -> Result<Read, ReportError> {
    let fields = Entity::read(octets);
    let of_type = fields.field("Feedback-Type").unwrap_or_default().trim().parse::<FeedbackType>();
    let kind = of_type.map_or(FeedbackKind::Ignored, FeedbackKind::Complaint);
    let at = fields.date("Arrival-Date").or_else(|| fields.date("Received-Date"));
    let named = fields.fields("Original-Rcpt-To").take(MAX_RECIPIENTS + 1).map(reported::addresses);
    let recipients: Vec<_> = named.map(|addresses| ReportedRecipient { addresses, bounce: None }).collect();
    if recipients.len() > MAX_RECIPIENTS {
        return Err(ReportError::TooManyRecipients);
    }
    Ok((kind, at, recipients))
}
