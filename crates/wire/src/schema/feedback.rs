//! What came of a report.

use selfmx_domain::{EventKind, FeedbackOutcome, FeedbackType};
use serde_json::Value;

use super::Named;
use super::shape::{Object, address, id, list, nullable, said, word};

/// All that is shown of feedback. What is asked is no JSON.
pub(super) fn shapes() -> Vec<Named> {
    let event = word([EventKind::Complained.as_str(), EventKind::Bounced.as_str()]);
    let result = Object::new("What was done with what the report says of one recipient.")
        .has("recipient", nullable(said(address(), "Of the email where one was found, else as the report has it.")))
        .has("email_id", nullable(id("msg")))
        .has("event", nullable(event))
        .has("outcome", word(FeedbackOutcome::ALL.map(FeedbackOutcome::as_str)));
    let feedback = Object::new("What came of a report.")
        .has("type", word(["complaint", "bounce", "ignored"]))
        .may("feedback_type", feedback_type())
        .has("results", list(result.into_json()));
    vec![("Feedback", feedback.into_json())]
}

/// What a complaint is of.
pub(super) fn feedback_type() -> Value {
    word(FeedbackType::ALL.map(FeedbackType::as_str))
}
