//! `POST /v1/send/batch`: several emails in one request.

use std::str::FromStr;

use selfmx_domain::{Fingerprint, Problem};
use serde::Serialize;

use crate::fields::Fields;
use crate::value::{self, Value};
use crate::{EmailAccepted, ErrorCode, RequestError, SendEmail, fingerprint, path};

/// How many values the body may hold in all: 200 for each email.
const MAX_VALUES: usize = 100_000;

/// What becomes of a batch in which an email is wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BatchMode {
    /// None is accepted.
    #[default]
    Strict,
    /// The others are accepted.
    Permissive,
}

impl FromStr for BatchMode {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        match text {
            "strict" => Ok(Self::Strict),
            "permissive" => Ok(Self::Permissive),
            _ => Err(Problem::NotOneOf("one of: strict, permissive")),
        }
    }
}

/// `POST /v1/send/batch`: `{emails: [...]}`, each as `POST /v1/send` takes it.
#[derive(Clone, Debug)]
pub struct SendBatch {
    /// Each email, or what is wrong with it.
    pub emails: Vec<Result<SendEmail, RequestError>>,
}

impl SendBatch {
    /// The most emails of one request.
    pub const MOST: usize = 500;

    /// Reads the body.
    ///
    /// # Errors
    ///
    /// [`RequestError`] where the body as a whole is wrong.
    pub fn read(body: &[u8]) -> Result<Self, RequestError> {
        Self::of_value(value::parse_up_to(MAX_VALUES, body)?)
    }

    /// Reads the body of a batch in the mode [`Strict`](BatchMode::Strict), and makes of it what is the same for all that ask for the same.
    ///
    /// # Errors
    ///
    /// As for [`read`](Self::read).
    pub fn read_strict(body: &[u8]) -> Result<(Self, Fingerprint), RequestError> {
        Self::read_as("batch", body)
    }

    /// The same in the mode [`Permissive`](BatchMode::Permissive), which asks for something else.
    ///
    /// # Errors
    ///
    /// As for [`read`](Self::read).
    pub fn read_permissive(body: &[u8]) -> Result<(Self, Fingerprint), RequestError> {
        Self::read_as("batch permissive", body)
    }

    fn read_as(kind: &str, body: &[u8]) -> Result<(Self, Fingerprint), RequestError> {
        let value = value::parse_up_to(MAX_VALUES, body)?;
        let fingerprint = fingerprint::of(kind, &value);
        Ok((Self::of_value(value)?, fingerprint))
    }

    fn of_value(body: Value<'_>) -> Result<Self, RequestError> {
        let mut fields = Fields::of_value(body)?;
        let emails = fields.take("emails");
        fields.end()?;
        let emails = emails.required()?.each(|email| Ok(email.object().and_then(SendEmail::of_fields)))?;
        match emails.len() {
            0 => Err(Problem::Empty.at("emails").into()),
            1..=Self::MOST => Ok(Self { emails }),
            _ => Err(Problem::TooMany { limit: Self::MOST, unit: "emails" }.at("emails").into()),
        }
    }
}

/// The path of the email at this place.
fn email(index: usize) -> String {
    path::element("emails", index)
}

/// The path of a field of the email at this place, or of the email.
#[must_use]
pub fn batch_field(index: usize, field: Option<&str>) -> String {
    field.map_or_else(|| email(index), |field| path::member(&email(index), field))
}

/// What has become of a batch: `{data: [...], errors?: [...]}`.
#[derive(Debug, Default, Serialize)]
pub struct BatchAccepted {
    data: Vec<Accepted>,
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<Vec<Refused>>,
}

#[derive(Debug, Serialize)]
struct Accepted {
    index: usize,
    #[serde(flatten)]
    email: EmailAccepted,
}

#[derive(Debug, Serialize)]
struct Refused {
    index: usize,
    error: Reason,
}

#[derive(Debug, Serialize)]
struct Reason {
    code: ErrorCode,
    message: String,
    field: String,
}

impl BatchAccepted {
    /// The answer in this mode: only a permissive one has `errors`.
    #[must_use]
    pub fn in_mode(mode: BatchMode) -> Self {
        Self { data: Vec::new(), errors: (mode == BatchMode::Permissive).then(Vec::new) }
    }

    /// The email at this place was accepted.
    pub fn accept(&mut self, index: usize, email: EmailAccepted) {
        self.data.push(Accepted { index, email });
    }

    /// The email at this place was not; `field` is its path within the body.
    pub fn refuse(&mut self, index: usize, code: ErrorCode, message: String, field: String) {
        self.errors.get_or_insert_default().push(Refused { index, error: Reason { code, message, field } });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(json: &str) -> Vec<Option<String>> {
        let emails = SendBatch::read(json.as_bytes()).unwrap().emails;
        emails.into_iter().map(|email| email.err().map(|error| error.field().unwrap_or_default().to_owned())).collect()
    }

    #[test]
    fn each_email_is_right_or_wrong_by_itself() {
        let right = r#"{"from": "a@x.example", "to": "b@y.example", "subject": "s", "text": "t"}"#;
        let wrong = |from: &str, to: &str| right.replace(from, to);
        let emails = [
            right.to_owned(),
            wrong("b@y.example", "b"),
            wrong("\"to\"", "\"too\""),
            "7".to_owned(),
            wrong("\"b@y.example\"", "[7]"),
            wrong("\"subject\": \"s\", ", ""),
        ];
        let at = |index: usize, field: &str| Some(format!("emails[{index}]{field}"));
        assert_eq!(
            fields(&format!("{{\"emails\": [{}]}}", emails.join(","))),
            [None, at(1, ".to"), at(2, ".too"), at(3, ""), at(4, ".to[0]"), at(5, ".subject")]
        );
    }

    #[test]
    fn a_batch_has_emails_and_not_too_many() {
        let refused = |json: &str| SendBatch::read(json.as_bytes()).unwrap_err().field().map(str::to_owned);
        for (json, field) in
            [("{}", "emails"), (r#"{"emails": []}"#, "emails"), (r#"{"emails": {}}"#, "emails"), (r#"{"emails": [7], "a": 1}"#, "a")]
        {
            assert_eq!(refused(json).as_deref(), Some(field), "{json}");
        }
        let of = |count: usize| format!("{{\"emails\": [{}]}}", vec!["{}"; count].join(","));
        assert_eq!((fields(&of(500)).len(), refused(&of(501)).as_deref()), (500, Some("emails")));
    }

    #[test]
    fn the_modes_ask_for_different_things() {
        let body = br#"{"emails": [{}]}"#;
        assert_ne!(SendBatch::read_strict(body).unwrap().1, SendBatch::read_permissive(body).unwrap().1);
        assert_eq!(SendBatch::read_strict(body).unwrap().1, SendBatch::read_strict(br#" {"emails":[{}]} "#).unwrap().1);
        assert_eq!(("strict".parse(), "permissive".parse()), (Ok(BatchMode::Strict), Ok(BatchMode::Permissive)));
        assert!("Strict".parse::<BatchMode>().is_err());
    }
}
