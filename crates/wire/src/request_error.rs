//! Why a request's body was refused.

use selfmx_auth::UnknownPermission;
use selfmx_domain::{FieldError, IdError};

use crate::ErrorCode;

/// Why a request's body was refused. Its text is for the caller and never repeats a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The body is no JSON text (RFC 8259).
    #[error("the body is no valid JSON: see line {line}, column {column}")]
    Malformed {
        /// The line, from 1.
        line: usize,
        /// The column within it, from 1.
        column: usize,
    },
    /// Lists and objects nest too deeply.
    #[error("the body nests lists and objects deeper than {limit} levels")]
    TooDeep {
        /// How deep they may nest.
        limit: usize,
    },
    /// A list or an object is too long.
    #[error("a list or an object in the body has more than {limit} members")]
    TooManyMembers {
        /// How many members there may be.
        limit: usize,
    },
    /// There are too many values altogether.
    #[error("the body holds more than {limit} values")]
    TooManyValues {
        /// How many values there may be.
        limit: usize,
    },
    /// A member of an object was given twice, so that readers could differ on which one counts.
    #[error("`{field}` is given twice")]
    Repeated {
        /// The member's name.
        field: String,
    },
    /// No such field exists.
    #[error("there is no field `{field}`")]
    Unknown {
        /// The field's path.
        field: String,
    },
    /// A value is of another kind than its field.
    #[error("{}must be {expected}, and is {found}", named(field))]
    WrongKind {
        /// The field's path; empty for the body as a whole.
        field: String,
        /// What it has to be.
        expected: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// A value breaks a rule of the domain.
    #[error(transparent)]
    Invalid(#[from] FieldError),
    /// A permission that does not exist.
    #[error("{field}: {source}")]
    Permission {
        /// The field's path.
        field: String,
        /// Names those that exist.
        source: UnknownPermission,
    },
    /// An id that is none.
    #[error("{field}: {source}")]
    Id {
        /// The field's path.
        field: String,
        /// What is wrong with it.
        source: IdError,
    },
    /// A time that is none.
    #[error("{field}: is no time of RFC 3339, such as `2026-01-31T08:30:00Z`")]
    Time {
        /// The field's path.
        field: String,
    },
    /// A number that is none of those allowed, or no whole one.
    #[error("{field}: must be a whole number from {least} to {most}")]
    Integer {
        /// The field's path.
        field: String,
        /// The least that is allowed.
        least: u64,
        /// The most that is allowed.
        most: u64,
    },
    /// A text that is no base64.
    #[error("{field}: is no base64 (RFC 4648 section 4: `A-Z a-z 0-9 + /`, no white space)")]
    Base64 {
        /// The field's path.
        field: String,
    },
}

impl RequestError {
    /// The code of the answer.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Unknown { .. } => ErrorCode::UnknownField,
            _ => ErrorCode::InvalidRequest,
        }
    }

    /// The path of the field that it is about, such as `to[1]`; none where it is about the body as a whole.
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        let field = match self {
            Self::Malformed { .. } | Self::TooDeep { .. } | Self::TooManyMembers { .. } | Self::TooManyValues { .. } => "",
            Self::Invalid(error) => &error.field,
            Self::Repeated { field }
            | Self::Unknown { field }
            | Self::WrongKind { field, .. }
            | Self::Permission { field, .. }
            | Self::Id { field, .. }
            | Self::Time { field }
            | Self::Integer { field, .. }
            | Self::Base64 { field } => field,
        };
        (!field.is_empty()).then_some(field)
    }
}

fn named(field: &str) -> String {
    if field.is_empty() {
        return "the body ".to_owned();
    }
    format!("{field}: ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_its_field_and_its_code() {
        let unknown = RequestError::Unknown { field: "form".to_owned() };
        assert_eq!((unknown.code(), unknown.field()), (ErrorCode::UnknownField, Some("form")));
        let whole = RequestError::WrongKind { field: String::new(), expected: "an object", found: "a list" };
        assert_eq!((whole.code(), whole.field()), (ErrorCode::InvalidRequest, None));
        assert_eq!(whole.to_string(), "the body must be an object, and is a list");
        let part = RequestError::WrongKind { field: "to[1]".to_owned(), expected: "a string", found: "a number" };
        assert_eq!(part.to_string(), "to[1]: must be a string, and is a number");
    }
}
