//! Suppression lists.

use selfmx_domain::SuppressionReason;
use serde_json::Value;

use super::Named;
use super::shape::{Object, address, always, id, string, time, word};

/// All that is asked and shown of suppression lists.
pub(super) fn shapes() -> Vec<Named> {
    let create = Object::new("An address that is not to be written to.").has("address", address()).option("reason", reason());
    let shown = Object::new("An address that is not written to.")
        .has("address", address())
        .has("reason", reason())
        .has("created_at", time())
        .may("email_id", id("msg"))
        .may("smtp_response", string());
    let deleted = Object::new("It may be written to again.").has("address", address()).has("deleted", always(true));
    vec![("CreateSuppression", create.into_json()), ("Suppression", shown.into_json()), ("SuppressionDeleted", deleted.into_json())]
}

fn reason() -> Value {
    word(SuppressionReason::ALL.map(SuppressionReason::as_str))
}
