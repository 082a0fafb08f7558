//! Why the server did not start, or did not stop well.

use std::path::PathBuf;
use std::time::Duration;

use selfmx_domain::ApiKeyId;

use crate::arguments::Misuse;
use crate::environment::SettingError;

/// Why the server did not start, or did not stop well. Its text is what the operator reads.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The command line makes no sense.
    #[error(transparent)]
    Misuse(#[from] Misuse),
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
    /// The schema is older than the program, whose command does not touch it.
    #[error(
        "the database's schema is older than this program: run `selfmx migrate` first, or use the program that the server runs. Nothing was done"
    )]
    OldSchema,
    /// A signal came before anything was done.
    #[error("stopped by a signal; nothing was done")]
    Interrupted,
    /// The database did not say whether it did what it was asked.
    #[error("the database did not answer within {} s; `selfmx keys list --revoked` tells what was done", .0.as_secs())]
    Unanswered(Duration),
    /// There is no key with this id.
    #[error("there is no key with the id {0}; `selfmx keys list --revoked` shows all that there are")]
    NoSuchKey(ApiKeyId),
    /// A signal came while secrets were sealed again.
    #[error("stopped by a signal: what was sealed again stays so; run it again for the rest")]
    Unfinished,
    /// Some secrets cannot be sealed again: the text says how many and why.
    #[error("{0}. They stay as they are: give the missing key in SECRET_KEYS_OLD, or set the secrets anew")]
    Unopened(String),
    /// Standard output took no answer.
    #[error("cannot write to standard output: {0}")]
    Output(#[source] std::io::Error),
    /// Standard output took no secret, which nobody can see a second time.
    #[error("cannot write the secret to standard output: {source}. The key {id} was revoked again")]
    Unshown {
        /// The key.
        id: ApiKeyId,
        /// Why.
        source: std::io::Error,
    },
    /// The relay's settings cannot be used together.
    #[error("SMTP_HOST, SMTP_TLS, SMTP_USER and SMTP_PASS cannot be used together: {0}")]
    Relay(#[from] selfmx_mail::RelayError),
    /// Events cannot be posted to webhooks.
    #[error("webhooks: {0}")]
    Webhooks(#[from] selfmx_webhook::PostError),
    /// Mail could not be delivered any more.
    #[error("{0}. The server has stopped, since mail would go out without a record: start it again, nothing that was accepted is lost")]
    Delivery(#[from] selfmx_worker::Error),
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
    /// What is not overwritten.
    #[error("{} is there already, and is not overwritten: name another file", .0.display())]
    Exists(PathBuf),
    /// A file cannot be had.
    #[error("the file {}: {source}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A program of PostgreSQL's did not do its work.
    #[error("{name}: {said}")]
    Program {
        /// Its name.
        name: &'static str,
        /// What it said.
        said: String,
    },
    /// A file that is no copy of ours.
    #[error("{} is no copy that `selfmx db backup` made", .0.display())]
    NoCopy(PathBuf),
    /// The database is not only ours.
    #[error("others are connected to the database ({0}): stop all servers first. Nothing was done")]
    InUse(String),
    /// The database holds something.
    #[error("the database is not empty, and nothing was done: `--force` deletes ALL that it holds and puts the copy in its place")]
    NotEmpty,
    /// The runtime or a signal handler cannot be had.
    #[error("the operating system refused: {0}")]
    System(#[from] std::io::Error),
}

impl Failure {
    /// What the program ends with: 2 where it was asked for what cannot be, 1 where it could not do it.
    pub(crate) const fn exit_code(&self) -> u8 {
        match self {
            Self::Misuse(_) | Self::Setting(_) | Self::Relay(_) => 2,
            _ => 1,
        }
    }
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
