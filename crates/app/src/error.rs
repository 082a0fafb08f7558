//! Why a caller did not get what it asked for.

use std::time::Duration;

use selfmx_auth::{Denied, GrantError, Unrecognised};
use selfmx_domain::{FieldError, Problem, Unchangeable};

/// Why a caller did not get what it asked for. The text is for the caller; causes are behind it, for the log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no such thing, or it is another tenant's: the two are not told apart.
    #[error("there is no such object")]
    NotFound,
    /// The message of the email was deleted because it was old.
    #[error("this email's message is kept no longer: the server deletes bodies and events after the days that its operator has set")]
    Purged,
    /// A field of the request is wrong.
    #[error(transparent)]
    Invalid(#[from] FieldError),
    /// The key may not do this.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The key is not valid any more.
    #[error(transparent)]
    Unrecognised(#[from] Unrecognised),
    /// The tenant has had as many emails accepted as it may in a day.
    #[error("this tenant has sent as many emails as it may today")]
    QuotaExceeded {
        /// How long the day still lasts.
        retry_after: Duration,
    },
    /// The idempotency key was used for something else.
    #[error(
        "this `Idempotency-Key` was used for another request within 24 hours: take another one for a new request, and repeat the old one as it was"
    )]
    IdempotencyConflict,
    /// Another request with the idempotency key is not done yet.
    #[error("another request with this `Idempotency-Key` is not done yet: repeat this one in a moment")]
    IdempotencyInFlight,
    /// The wanted key would do more than its maker.
    #[error(transparent)]
    Grant(GrantError),
    /// The environment's key cannot be changed through the API.
    #[error(
        "this key is set by the environment variable API_KEY: to change or revoke it, change or unset the variable and restart the server"
    )]
    EnvironmentKey,
    /// The default tenant cannot be deleted.
    #[error(
        "the default tenant is the one on which platform keys act, and cannot be deleted: to end its mail suspend it, with POST /v1/tenants/tenant_default/suspend"
    )]
    DefaultTenant,
    /// A template cannot be used.
    #[error(transparent)]
    Template(#[from] selfmx_template::TemplateError),
    /// Another template of the tenant has the name.
    #[error("another template has this name")]
    NameTaken,
    /// Others changed it at the same time, again and again.
    #[error("this was changed by somebody else at the same time: look at it, and try again")]
    ChangedMeanwhile,
    /// The place from which a stream of events was to go on is of a state of the database that is gone.
    #[error(
        "the stream has begun anew, since the database was restored or another server took its place: open it without `Last-Event-ID`, and look into GET /v1/logs for what happened before"
    )]
    StreamReset,
    /// The tenant has as many streams of events open as it may.
    #[error("too many event streams of this tenant are open: close one, or try again in a few seconds")]
    TooManyStreams,
    /// As many streams of events are open as there may be.
    #[error("too many event streams are open: try again in a few seconds")]
    StreamsFull,
    /// What came in is no report.
    #[error(transparent)]
    Report(#[from] selfmx_mail::ReportError),
    /// Mail that came back goes on being sent.
    #[error("the email that this report is about is being sent at this moment: report it again in a minute")]
    StillSending,
    /// The email can be neither canceled nor rescheduled any more.
    #[error(transparent)]
    Unchangeable(#[from] Unchangeable),
    /// The relay did not do what it was asked; the text is its last answer.
    #[error("{0}")]
    Relay(String),
    /// The store cannot be reached at present.
    #[error("the store cannot be reached at present: try again in a few seconds")]
    Unavailable {
        /// Why.
        source: selfmx_storage::Error,
    },
    /// The tenant's DKIM key, which has to sign the mail, cannot be used.
    #[error(
        "this tenant's DKIM key cannot be opened by the server, and its mail does not go out unsigned: set the key again, or ask the operator"
    )]
    Unsigned {
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Something is broken on our side.
    #[error("something went wrong on the server: its log has the details under this request id")]
    Internal {
        /// What.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl From<selfmx_storage::Error> for Error {
    fn from(error: selfmx_storage::Error) -> Self {
        match error {
            selfmx_storage::Error::NoSuchTenant => Self::Invalid(Problem::NoSuchTenant.at("tenant_id")),
            selfmx_storage::Error::DefaultTenant => Self::DefaultTenant,
            selfmx_storage::Error::Invalid(error) => Self::Invalid(error),
            selfmx_storage::Error::NameTaken => Self::NameTaken,
            selfmx_storage::Error::Denied(denied) => Self::Denied(denied),
            selfmx_storage::Error::QuotaExceeded { retry_after } => Self::QuotaExceeded { retry_after },
            selfmx_storage::Error::Unchangeable(reason) => Self::Unchangeable(reason),
            selfmx_storage::Error::IdempotencyConflict => Self::IdempotencyConflict,
            selfmx_storage::Error::IdempotencyInFlight => Self::IdempotencyInFlight,
            selfmx_storage::Error::Grant(error) => error.into(),
            error if error.is_transient() => Self::Unavailable { source: error },
            error => Self::Internal { source: Box::new(error) },
        }
    }
}

impl From<GrantError> for Error {
    fn from(error: GrantError) -> Self {
        match error {
            GrantError::Invalid { field, problem } => Self::Invalid(problem.at(field)),
            GrantError::Tenant(denied) => Self::Denied(denied),
            error => Self::Grant(error),
        }
    }
}
