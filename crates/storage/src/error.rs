//! Why the store could not do what it was asked.

use std::time::Duration;

use diesel::result::{DatabaseErrorKind, Error as DieselError};
use selfmx_auth::{Denied, GrantError};
use selfmx_domain::{FieldError, Unchangeable};

use crate::vault::VaultError;

/// Why the store could not do what it was asked. What is merely absent is no error: it is `Ok(None)`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The database cannot be reached, or not in time. Trying again later may help.
    #[error("the database cannot be reached: {0}")]
    Unavailable(String),
    /// More emails wait to be written than this node keeps for it.
    #[error("too many emails wait to be accepted")]
    Full,
    /// The database refused a statement.
    #[error("the database refused a statement")]
    Database(#[source] DieselError),
    /// A row holds what no version of this program writes.
    #[error("the database holds a value that this version cannot read: {0}")]
    Unreadable(&'static str),
    /// A secret cannot be sealed, or one that lies in the database cannot be opened.
    #[error("a secret of the database cannot be sealed or opened")]
    Vault(#[from] VaultError),
    /// The key that asks may not do this any more, or never could.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The wanted key would do more than the key that asks.
    #[error(transparent)]
    Grant(#[from] GrantError),
    /// The tenant that a key was to be made for, or that an email is of, does not exist or is deleted.
    #[error("there is no such tenant")]
    NoSuchTenant,
    /// The default tenant, on which platform keys act, cannot be deleted.
    #[error("the default tenant cannot be deleted")]
    DefaultTenant,
    /// What would be there after a change does not fit together.
    #[error(transparent)]
    Invalid(#[from] FieldError),
    /// Another template of the tenant has the name.
    #[error("another template has this name")]
    NameTaken,
    /// The tenant has had as many emails accepted as it may in a day.
    #[error("the tenant has sent as many emails as it may today")]
    QuotaExceeded {
        /// How long the day still lasts, by the database's clock.
        retry_after: Duration,
    },
    /// The idempotency key was used for something else within the last 24 hours.
    #[error("this idempotency key was used for another request within 24 hours")]
    IdempotencyConflict,
    /// The idempotency key was another request's whenever it was tried, and nothing was accepted under it.
    #[error("another request with this idempotency key is not done yet")]
    IdempotencyInFlight,
    /// The email can be neither canceled nor rescheduled any more.
    #[error(transparent)]
    Unchangeable(#[from] Unchangeable),
    /// `DATABASE_URL` cannot be used.
    #[error("DATABASE_URL cannot be used: {0}")]
    Address(String),
    /// A migration failed.
    #[error("the database's schema cannot be brought up to date: {0}")]
    Migration(String),
}

impl Error {
    /// Whether the same call may succeed a little later.
    ///
    /// The driver gives no kind to time-outs, deadlocks, full disks and the like: what has no kind counts as passing.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable(_) | Self::Full => true,
            Self::Database(DieselError::DatabaseError(kind, _)) => is_passing(kind),
            _ => false,
        }
    }

    /// Whether the error says neither what happened nor that the connection is gone: that has to be looked at.
    pub(crate) const fn is_of_no_kind(&self) -> bool {
        matches!(self, Self::Database(DieselError::DatabaseError(DatabaseErrorKind::Unknown, _)))
    }
}

impl From<DieselError> for Error {
    fn from(error: DieselError) -> Self {
        if is_disconnect(&error) {
            return Self::Unavailable(error.to_string());
        }
        Self::Database(error)
    }
}

const fn is_passing(kind: &DatabaseErrorKind) -> bool {
    matches!(kind, DatabaseErrorKind::SerializationFailure | DatabaseErrorKind::ReadOnlyTransaction | DatabaseErrorKind::Unknown)
}

/// Whether the connection is gone, so that nothing can be said about the statement. The driver calls it "unable to send a command".
const fn is_disconnect(error: &DieselError) -> bool {
    use DatabaseErrorKind::{ClosedConnection, UnableToSendCommand};
    matches!(error, DieselError::DatabaseError(ClosedConnection | UnableToSendCommand, _) | DieselError::BrokenTransactionManager)
}
