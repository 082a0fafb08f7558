//! What can go wrong with a request, and the one place that makes a status, a code and headers of it.

use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{ALLOW, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use selfmx_app::{Error, Limited, NotReady, Standing, TooManyFailures};
use selfmx_auth::{Denied, GrantError, Permission};
use selfmx_wire::{ErrorBody, ErrorCode, RequestError, TemplatePlace, batch_field};

use crate::{HeadFault, Reply, rate_headers};

/// What went wrong with a request. Its text is for the caller; a cause is behind [`source`](std::error::Error::source), for the log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The head is wrong.
    #[error(transparent)]
    Head(#[from] HeadFault),
    /// The body or a parameter is wrong.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// A query parameter does not exist.
    #[error("there is no query parameter `{name}` here")]
    UnknownParameter {
        /// Its name.
        name: String,
    },
    /// No key was presented.
    #[error("an API key is required: send it as `Authorization: Bearer <key>`")]
    MissingKey,
    /// What was presented is no valid key; it is not said why.
    #[error("the API key is not valid")]
    InvalidKey,
    /// The operator's token was not presented.
    #[error("a token is required: send what METRICS_TOKEN is as `Authorization: Bearer <token>`")]
    MissingToken,
    /// Something else was presented.
    #[error("the token is not valid: it is what METRICS_TOKEN is, and no API key")]
    WrongToken,
    /// The key is valid, and may not be used from where it was presented.
    #[error("this API key may not be used from this address")]
    Misplaced,
    /// The key may not do this.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// There is nothing, or nothing that the key may see: the two are not told apart.
    #[error("there is nothing here, or nothing that this API key may see")]
    NotFound,
    /// The path does not take the method.
    #[error("this path does not take this method: it takes {}", allow.join(", "))]
    Method {
        /// The methods that it takes.
        allow: Vec<&'static str>,
    },
    /// The body is too large.
    #[error("the body is larger than the {limit} octets that this path takes")]
    TooLarge {
        /// How large it may be.
        limit: usize,
    },
    /// The body is not said to be what it has to be.
    #[error("the body must be {}: send `Content-Type: {wanted}`", what_is(wanted))]
    MediaType {
        /// The media type that it has to be of.
        wanted: &'static str,
    },
    /// The body is compressed.
    #[error("a body with a Content-Encoding is not accepted: send it as it is")]
    Encoding,
    /// The body did not arrive in time.
    #[error("the body did not arrive in time")]
    BodyTooSlow,
    /// The body broke off, or its framing is malformed.
    #[error("the body broke off, or its chunks are malformed")]
    Body(#[source] hyper::Error),
    /// The key or its tenant makes too many requests.
    #[error(transparent)]
    RateLimited(#[from] Limited),
    /// Too many wrong keys came from the client's address.
    #[error(transparent)]
    TooManyFailures(#[from] TooManyFailures),
    /// The tenant has sent as many emails as it may in a day.
    #[error("this tenant has sent as many emails as it may today; try again after the seconds that `Retry-After` tells")]
    QuotaExceeded {
        /// How long to wait until it may send again.
        retry_after: Duration,
    },
    /// Too many octets of bodies, or too many requests of one connection, are worked on.
    #[error("the server is busy: try again in a moment")]
    Busy,
    /// The server should get no requests.
    #[error(transparent)]
    NotReady(NotReady),
    /// The application did not do it.
    #[error(transparent)]
    App(Error),
    /// An email of a batch cannot be accepted, and so none was.
    #[error("{field}: {failure}")]
    InBatch {
        /// The path of its field, or of the email.
        field: String,
        /// Why.
        failure: Box<Self>,
    },
    /// The handler panicked.
    #[error("something went wrong on the server: its log has the details under this request id")]
    Panicked,
    /// An answer could not be written as JSON.
    #[error("something went wrong on the server: its log has the details under this request id")]
    Unwritable(#[source] serde_json::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Self::NotFound,
            Error::Denied(denied) => Self::Denied(denied),
            Error::Unrecognised(_) => Self::InvalidKey,
            Error::QuotaExceeded { retry_after } => Self::QuotaExceeded { retry_after },
            error => Self::App(error),
        }
    }
}

impl From<NotReady> for Failure {
    fn from(reason: NotReady) -> Self {
        Self::NotReady(reason)
    }
}

impl Failure {
    /// The same of the email at this place of a batch.
    #[must_use]
    pub fn of_batch(index: usize, failure: Self) -> Self {
        let field = batch_field(index, failure.field());
        match failure {
            // It names its field itself.
            Self::App(Error::Invalid(error)) => Self::App(Error::Invalid(error.problem.at(field))),
            failure => Self::InBatch { field, failure: Box::new(failure) },
        }
    }

    /// The code of the answer.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Head(fault) => fault.code(),
            Self::Request(error) => error.code(),
            Self::UnknownParameter { .. } => ErrorCode::UnknownField,
            Self::Body(_) => ErrorCode::InvalidRequest,
            Self::MissingKey | Self::MissingToken => ErrorCode::MissingApiKey,
            Self::InvalidKey | Self::WrongToken => ErrorCode::InvalidApiKey,
            Self::Misplaced => ErrorCode::IpNotAllowed,
            Self::Denied(denied) => of_denied(denied),
            Self::NotFound => ErrorCode::NotFound,
            Self::Method { .. } => ErrorCode::MethodNotAllowed,
            Self::TooLarge { .. } => ErrorCode::PayloadTooLarge,
            Self::MediaType { .. } | Self::Encoding => ErrorCode::UnsupportedMediaType,
            Self::BodyTooSlow => ErrorCode::RequestTimeout,
            Self::RateLimited(_) | Self::TooManyFailures(_) => ErrorCode::RateLimited,
            Self::QuotaExceeded { .. } => ErrorCode::QuotaExceeded,
            Self::Busy | Self::NotReady(_) => ErrorCode::Unavailable,
            Self::App(error) => of_app(error),
            Self::InBatch { failure, .. } => failure.code(),
            Self::Panicked | Self::Unwritable(_) => ErrorCode::Internal,
        }
    }

    /// Whether a valid key was refused something: it may not, or what is there does not allow it.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(status(self.code()), StatusCode::FORBIDDEN | StatusCode::CONFLICT)
    }

    /// The path of the field, or the name of the parameter, that it is about.
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::Request(error) => error.field(),
            Self::UnknownParameter { name } => Some(name),
            Self::InBatch { field, .. } => Some(field),
            Self::App(Error::Invalid(error)) => Some(&error.field),
            Self::App(Error::Grant(error)) => grant_field(error),
            Self::App(Error::NameTaken) => Some("name"),
            _ => None,
        }
    }

    /// How the limit stands that it went beyond.
    pub(crate) const fn standing(&self) -> Option<Standing> {
        match self {
            Self::RateLimited(limited) => Some(limited.standing),
            _ => None,
        }
    }

    /// The answer, under the request's id.
    pub(crate) fn reply(&self, request_id: &str) -> Reply {
        let message = self.to_string();
        let body = ErrorBody::new(self.code(), &message, self.field(), request_id).with_place(self.place());
        let reply = Reply::json(status(self.code()), &body);
        let reply = reply
            .unwrap_or_else(|_| Reply { status: StatusCode::INTERNAL_SERVER_ERROR, ..Reply::octets("application/json", b"{}".to_vec()) });
        match self.header() {
            Some((name, value)) => reply.with(name, value),
            None => reply,
        }
    }

    fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        match self {
            Self::InBatch { failure, .. } => failure.header(),
            Self::MissingKey | Self::MissingToken => Some((WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"selfmx\""))),
            Self::InvalidKey | Self::WrongToken => {
                Some((WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"selfmx\", error=\"invalid_token\"")))
            }
            Self::Method { allow } => Some((ALLOW, HeaderValue::from_str(&allow.join(", ")).ok()?)),
            _ if self.code() == ErrorCode::PermissionDenied => Some((WWW_AUTHENTICATE, insufficient_scope(self.permission())?)),
            Self::RateLimited(Limited { retry_after, .. })
            | Self::TooManyFailures(TooManyFailures { retry_after })
            | Self::QuotaExceeded { retry_after } => Some((RETRY_AFTER, rate_headers::retry_after(*retry_after))),
            Self::Busy | Self::App(Error::IdempotencyInFlight) => Some((RETRY_AFTER, HeaderValue::from_static("1"))),
            Self::App(Error::TooManyStreams) => Some((RETRY_AFTER, HeaderValue::from_static("5"))),
            _ if self.code() == ErrorCode::Unavailable => Some((RETRY_AFTER, HeaderValue::from_static("5"))),
            _ => None,
        }
    }

    /// Where in a template it is.
    fn place(&self) -> Option<TemplatePlace<'_>> {
        match self {
            Self::InBatch { failure, .. } => failure.place(),
            Self::App(Error::Template(error)) => {
                let (template, part) = (error.template.as_str(), error.part.as_str());
                Some(TemplatePlace { template, part, line: error.place.line, column: error.place.column })
            }
            _ => None,
        }
    }

    /// The permission that was missing.
    fn permission(&self) -> Option<Permission> {
        match self {
            Self::Denied(denied) => denied.permission(),
            Self::App(Error::Grant(GrantError::Permission(permission))) => Some(*permission),
            _ => None,
        }
    }
}

/// The status of a code: each has one.
pub(crate) const fn status(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::InvalidRequest | ErrorCode::InvalidIdempotencyKey | ErrorCode::UnknownField | ErrorCode::TemplateError => {
            StatusCode::BAD_REQUEST
        }
        ErrorCode::MissingApiKey | ErrorCode::InvalidApiKey => StatusCode::UNAUTHORIZED,
        ErrorCode::PermissionDenied
        | ErrorCode::SenderNotAllowed
        | ErrorCode::IpNotAllowed
        | ErrorCode::TenantSuspended
        | ErrorCode::TemplateNotAllowed => StatusCode::FORBIDDEN,
        ErrorCode::NotFound => StatusCode::NOT_FOUND,
        ErrorCode::Purged | ErrorCode::StreamReset => StatusCode::GONE,
        ErrorCode::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        ErrorCode::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
        ErrorCode::IdempotencyConflict | ErrorCode::IdempotencyInFlight | ErrorCode::Conflict => StatusCode::CONFLICT,
        ErrorCode::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ErrorCode::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        ErrorCode::RateLimited | ErrorCode::QuotaExceeded => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        ErrorCode::RelayFailed => StatusCode::BAD_GATEWAY,
        ErrorCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    }
}

const fn of_denied(denied: &Denied) -> ErrorCode {
    match denied {
        Denied::Permission(_) | Denied::Platform(_) => ErrorCode::PermissionDenied,
        Denied::Sender | Denied::Domain(_) => ErrorCode::SenderNotAllowed,
        Denied::Template => ErrorCode::TemplateNotAllowed,
        Denied::Suspended => ErrorCode::TenantSuspended,
    }
}

fn of_app(error: &Error) -> ErrorCode {
    match error {
        Error::Report(_) => ErrorCode::InvalidRequest,
        Error::Purged => ErrorCode::Purged,
        Error::StreamReset => ErrorCode::StreamReset,
        Error::TooManyStreams => ErrorCode::RateLimited,
        Error::NotFound => ErrorCode::NotFound,
        Error::Invalid(_) | Error::Grant(GrantError::Invalid { .. } | GrantError::Grace) => ErrorCode::InvalidRequest,
        Error::Grant(GrantError::Revoked) => ErrorCode::Conflict,
        Error::Denied(denied) => of_denied(denied),
        Error::Grant(_) => ErrorCode::PermissionDenied,
        Error::IdempotencyConflict => ErrorCode::IdempotencyConflict,
        Error::IdempotencyInFlight => ErrorCode::IdempotencyInFlight,
        Error::Template(_) => ErrorCode::TemplateError,
        Error::EnvironmentKey | Error::DefaultTenant | Error::Unchangeable(_) | Error::NameTaken | Error::ChangedMeanwhile => {
            ErrorCode::Conflict
        }
        Error::Relay(_) => ErrorCode::RelayFailed,
        Error::Unavailable { .. } | Error::Unsigned { .. } | Error::StreamsFull | Error::StillSending => ErrorCode::Unavailable,
        _ => ErrorCode::Internal,
    }
}

/// A media type in words.
fn what_is(media_type: &str) -> &'static str {
    if media_type == "application/json" { "JSON" } else { "a mail" }
}

const fn grant_field(error: &GrantError) -> Option<&'static str> {
    match error {
        GrantError::Permission(_) => Some("permissions"),
        GrantError::Tenant(_) => Some("tenant_id"),
        GrantError::Expiry(_) => Some("expires_at"),
        GrantError::Mode => Some("mode"),
        GrantError::Ips => Some("allowed_ips"),
        GrantError::Senders => Some("allowed_senders"),
        GrantError::Templates => Some("allowed_templates"),
        GrantError::Rate(_) => Some("rate_limit"),
        GrantError::Grace => Some("grace_period_seconds"),
        GrantError::Revoked => None,
        GrantError::Invalid { field, .. } => Some(field),
    }
}

/// RFC 6750 section 3.1; without a scope where no permission would help.
fn insufficient_scope(permission: Option<Permission>) -> Option<HeaderValue> {
    let scope = permission.map(|permission| format!(", scope=\"{permission}\"")).unwrap_or_default();
    HeaderValue::from_str(&format!("Bearer realm=\"selfmx\", error=\"insufficient_scope\"{scope}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_has_the_contract_s_status() {
        let of = |wanted: u16| {
            let codes = ErrorCode::ALL.iter().filter(|code| status(**code).as_u16() == wanted);
            codes.map(|code| code.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(of(401), ["missing_api_key", "invalid_api_key"]);
        assert_eq!(of(403), ["permission_denied", "sender_not_allowed", "ip_not_allowed", "tenant_suspended", "template_not_allowed"]);
        assert_eq!(of(409), ["idempotency_conflict", "idempotency_in_flight", "conflict"]);
        assert_eq!(of(429), ["rate_limited", "quota_exceeded"]);
        assert_eq!(of(503), ["unavailable"]);
    }

    #[test]
    fn what_is_too_much_is_told_when_to_come_back() {
        let retry_after = Duration::from_millis(1_500);
        let standing = Standing { limit: 5, remaining: 0, whole_in: Duration::from_secs(60) };
        for (failure, code, told) in [
            (Limited { standing, retry_after }.into(), "rate_limited", Some(standing)),
            (TooManyFailures { retry_after }.into(), "rate_limited", None),
            (Failure::QuotaExceeded { retry_after }, "quota_exceeded", None),
        ] {
            let reply = failure.reply("req_1");
            assert_eq!((reply.status.as_u16(), &reply.headers[RETRY_AFTER]), (429, &HeaderValue::from_static("2")), "{code}");
            assert_eq!((failure.code().as_str(), failure.standing()), (code, told));
        }
    }
}
