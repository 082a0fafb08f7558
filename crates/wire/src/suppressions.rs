//! Suppression lists: the request that puts an address there, and what is shown of them.

use selfmx_domain::{Address, Suppression, SuppressionReason};
use serde::Serialize;

use crate::RequestError;
use crate::fields::{Field, Fields};
use crate::timestamp::Timestamp;

/// `POST /v1/suppressions`: `{address, reason?}`.
#[derive(Clone, Debug)]
pub struct CreateSuppression {
    /// The address.
    pub address: Address,
    /// Why; `manual` unless given.
    pub reason: SuppressionReason,
}

impl CreateSuppression {
    /// Reads the body.
    ///
    /// # Errors
    ///
    /// [`RequestError`] names the field that is unknown, missing or wrong.
    pub fn read(body: &[u8]) -> Result<Self, RequestError> {
        let mut fields = Fields::of_body(body)?;
        let (address, reason) = (fields.take("address"), fields.take("reason"));
        fields.end()?;
        let reason = reason.optional(Field::parsed)?.unwrap_or(SuppressionReason::Manual);
        Ok(Self { address: address.required()?.parsed()?, reason })
    }
}

/// An address on a suppression list.
#[derive(Debug, Serialize)]
pub struct SuppressionView<'a> {
    address: String,
    reason: &'static str,
    created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    email_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    smtp_response: Option<&'a str>,
}

/// An address that was taken off: `{address, deleted: true}`.
#[derive(Debug, Serialize)]
pub struct SuppressionDeleted {
    address: String,
    deleted: bool,
}

impl SuppressionDeleted {
    /// The answer for an address that is on the list no more.
    #[must_use]
    pub fn new(address: &Address) -> Self {
        Self { address: address.to_string(), deleted: true }
    }
}

impl<'a> From<&'a Suppression> for SuppressionView<'a> {
    fn from(suppression: &'a Suppression) -> Self {
        Self {
            address: suppression.address.to_string(),
            reason: suppression.reason.as_str(),
            created_at: Timestamp(suppression.created_at),
            email_id: suppression.email_id.map(|id| id.to_string()),
            smtp_response: suppression.response.as_deref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use selfmx_domain::Problem;
    use serde_json::json;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn an_address_is_suppressed_by_hand_unless_it_says_why() {
        let read = |json: &str| CreateSuppression::read(json.as_bytes());
        let plain = read(r#"{"address": "a@BÜCHER.example"}"#).unwrap();
        assert_eq!((plain.address.to_string(), plain.reason), ("a@xn--bcher-kva.example".to_owned(), SuppressionReason::Manual));
        assert_eq!(read(r#"{"address": "a@x.example", "reason": "complaint"}"#).unwrap().reason, SuppressionReason::Complaint);
        assert_eq!(read("{}").unwrap_err(), Problem::Missing.at("address").into());
        assert!(read(r#"{"address": "a@x.example", "reason": "Manual"}"#).is_err());
        assert_eq!(read(r#"{"address": "a@x.example", "a": 1}"#).unwrap_err(), RequestError::Unknown { field: "a".to_owned() });
    }

    #[test]
    fn a_suppression_is_shown_with_the_bounce_that_made_it() {
        let mut suppression = Suppression {
            id: "sup_01h455vb4pex5vsknk084sn02q".parse().unwrap(),
            address: "a@x.example".parse().unwrap(),
            reason: SuppressionReason::Bounce,
            email_id: Some("msg_01h455vb4pex5vsknk084sn02q".parse().unwrap()),
            response: Some("550 5.1.1 no".to_owned()),
            created_at: datetime!(2026-01-02 03:04 UTC),
        };
        let shown = |suppression: &Suppression| serde_json::to_value(SuppressionView::from(suppression)).unwrap();
        let expected = json!({
            "address": "a@x.example", "reason": "bounce", "created_at": "2026-01-02T03:04:00.000Z",
            "email_id": "msg_01h455vb4pex5vsknk084sn02q", "smtp_response": "550 5.1.1 no",
        });
        assert_eq!(shown(&suppression), expected);
        (suppression.email_id, suppression.response, suppression.reason) = (None, None, SuppressionReason::Manual);
        assert_eq!(shown(&suppression), json!({"address": "a@x.example", "reason": "manual", "created_at": "2026-01-02T03:04:00.000Z"}));
    }
}
