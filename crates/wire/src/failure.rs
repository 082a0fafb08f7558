//! The one shape of an error: `{"error": {...}}`.

use serde::Serialize;

use crate::ErrorCode;

/// The body of every answer that is an error.
#[derive(Debug, Serialize)]
pub struct ErrorBody<'a> {
    error: Details<'a>,
}

#[derive(Debug, Serialize)]
struct Details<'a> {
    code: ErrorCode,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    docs: String,
    request_id: &'a str,
    #[serde(flatten)]
    place: Option<TemplatePlace<'a>>,
}

/// Where in a template an error is.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct TemplatePlace<'a> {
    /// The template's name.
    pub template: &'a str,
    /// The part: `subject`, `html`, `text`, `from` or `reply_to`.
    pub part: &'a str,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl<'a> ErrorBody<'a> {
    /// An error as the caller sees it; `field` is the path of the field that it is about.
    #[must_use]
    pub fn new(code: ErrorCode, message: &'a str, field: Option<&'a str>, request_id: &'a str) -> Self {
        Self { error: Details { code, message, field, docs: format!("/docs/errors#{code}"), request_id, place: None } }
    }

    /// The same with where in a template it is.
    #[must_use]
    pub fn with_place(mut self, place: Option<TemplatePlace<'a>>) -> Self {
        self.error.place = place;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shape_is_the_contract_s() {
        let body = ErrorBody::new(ErrorCode::InvalidRequest, "m", Some("to[1]"), "req_1");
        assert_eq!(
            serde_json::to_string(&body).unwrap(),
            r##"{"error":{"code":"invalid_request","message":"m","field":"to[1]","docs":"/docs/errors#invalid_request","request_id":"req_1"}}"##
        );
        let body = ErrorBody::new(ErrorCode::Internal, "m", None, "req_1");
        assert!(!serde_json::to_string(&body).unwrap().contains("field"));
    }
}
