//! What came of a report.

use selfmx_domain::{FeedbackKind, FeedbackReport, FeedbackResult};
use serde::Serialize;

/// What came of a report: `{type, feedback_type?, results}`.
#[derive(Debug, Serialize)]
pub struct FeedbackView {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    feedback_type: Option<&'static str>,
    results: Vec<ResultView>,
}

#[derive(Debug, Serialize)]
struct ResultView {
    recipient: Option<String>,
    email_id: Option<String>,
    event: Option<&'static str>,
    outcome: &'static str,
}

impl FeedbackView {
    /// The answer to a report.
    #[must_use]
    pub fn new(report: &FeedbackReport, results: &[FeedbackResult]) -> Self {
        let feedback_type = match report.kind {
            FeedbackKind::Complaint(feedback) => Some(feedback.as_str()),
            FeedbackKind::Bounce | FeedbackKind::Ignored => None,
        };
        Self { kind: report.kind.as_str(), feedback_type, results: results.iter().map(ResultView::from).collect() }
    }
}

impl From<&FeedbackResult> for ResultView {
    fn from(result: &FeedbackResult) -> Self {
        Self {
            recipient: result.recipient.as_ref().map(ToString::to_string),
            email_id: result.email.map(|id| id.to_string()),
            event: result.event.map(selfmx_domain::EventKind::as_str),
            outcome: result.outcome.as_str(),
        }
    }
}

#[cfg(test)]
mod tests {
    use selfmx_domain::{EventKind, FeedbackOutcome, FeedbackType};
    use serde_json::json;

    use super::*;

    #[test]
    fn each_recipient_is_told_of_with_what_was_done() {
        let kind = FeedbackKind::Complaint(FeedbackType::OptOut);
        let report = FeedbackReport { kind, email: None, at: None, recipients: Vec::new() };
        let recorded = FeedbackResult {
            recipient: "a@x.example".parse().ok(),
            email: "msg_01h455vb4pex5vsknk084sn02q".parse().ok(),
            event: Some(EventKind::Complained),
            outcome: FeedbackOutcome::Recorded,
        };
        let unknown = FeedbackResult { recipient: None, email: None, event: None, outcome: FeedbackOutcome::NoMatch };
        let expected = json!({"type": "complaint", "feedback_type": "opt-out", "results": [
            {"recipient": "a@x.example", "email_id": "msg_01h455vb4pex5vsknk084sn02q", "event": "complained", "outcome": "recorded"},
            {"recipient": null, "email_id": null, "event": null, "outcome": "no_match"},
        ]});
        assert_eq!(serde_json::to_value(FeedbackView::new(&report, &[recorded, unknown])).unwrap(), expected);
        let report = FeedbackReport { kind: FeedbackKind::Bounce, ..report };
        assert_eq!(serde_json::to_value(FeedbackView::new(&report, &[])).unwrap(), json!({"type": "bounce", "results": []}));
    }
}
