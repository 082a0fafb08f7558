//! Why the server did not start, or did not stop well.

use crate::environment::SettingError;

/// Why the server did not start, or did not stop well. Its text is what the operator reads.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The command line makes no sense.
    #[error("{0}\n\n{usage}", usage = crate::USAGE)]
    Usage(String),
    /// A variable has a wrong value.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// The private PostgreSQL cannot be had.
    #[error(transparent)]
    Private(#[from] selfmx_pgbox::Error),
    /// The store cannot be used.
    #[error("{}", chain(.0))]
    Store(#[from] selfmx_storage::Error),
    /// The schema is older than the program, and migrating was switched off.
    #[error("the database is not migrated and DB_AUTO_MIGRATE=false: run `selfmx migrate` first")]
    NotMigrated,
    /// The relay's settings cannot be used together.
    #[error("SMTP_HOST, SMTP_TLS, SMTP_USER and SMTP_PASS cannot be used together: {0}")]
    Relay(#[from] selfmx_mail::RelayError),
    /// The route table contradicts itself.
    #[error("the routes cannot be served: {0}")]
    Routes(#[from] selfmx_http::TableError),
    /// The port cannot be had.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Where.
        address: std::net::SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The runtime or a signal handler cannot be had.
    #[error("the operating system refused: {0}")]
    System(#[from] std::io::Error),
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
