//! A private PostgreSQL server in a folder: make, start, find, stop.
//!
//! SelfMX keeps everything in PostgreSQL. Where nobody runs one for it, this crate runs one: from
//! the machine's own PostgreSQL programs, in a folder, reachable over a unix socket by one operating
//! system user (and root) and by nobody else, over no network at all.
//!
//! # Nouns
//!
//! - [`Settings`]: which folder, which programs, how long the server lives.
//! - [`PgBox`]: a running server, started or found, with the [connection string](PgBox::connection_string)
//!   that reaches it.
//! - [`Lifetime`]: whether the server outlives the process that started it.
//! - [`Absent`]: whether a cluster is made where there is none.
//! - [`Programs`]: one installation of PostgreSQL's programs.
//!
//! # Example
//!
//! ```no_run
//! use selfmx_pgbox::{PgBox, Settings};
//!
//! # async fn run() -> Result<(), selfmx_pgbox::Error> {
//! let server = PgBox::open(Settings::new("/var/lib/selfmx/postgres")).await?;
//! println!("{}", server.connection_string(selfmx_pgbox::DATABASE));
//! // Serve until told to stop, then:
//! server.stop().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # The folder
//!
//! | name | mode | what |
//! |---|---|---|
//! | `cluster/` | 0700 | PostgreSQL's data directory |
//! | `cluster.new/` | 0700 | the same while it is being made; renamed when it is whole |
//! | `socket/` | 0700 | the unix socket, unless its path is too long (below) |
//! | `operator.conf` | yours | read by PostgreSQL if it exists, never written by us |
//! | `postgres.log` | 0600 | PostgreSQL's log; `postgres.log.old` is the one before |
//! | `door.lock`, `alive.lock`, `users.lock` | 0600 | empty files that carry locks |
//!
//! A unix socket's path may have 107 bytes. Where `socket/` would exceed that, the socket is in
//! `/tmp/selfmx-<device>-<inode>`, named after the folder's own numbers and of mode 0700; another process finds it by
//! PostgreSQL's own record of it, `cluster/postmaster.pid`.
//!
//! # As root
//!
//! PostgreSQL refuses to run as root. It then runs as the folder's owner or, where that is root too, as
//! the user `postgres`. That user must be able to traverse every parent of the folder:
//! [`Error::Untraversable`] names the first that stands in the way.
//!
//! # Under systemd
//!
//! Use `KillMode=mixed`: the default sends SIGTERM to PostgreSQL as well, which then refuses new connections
//! while the server above it still drains.
//!
//! # Invariants
//!
//! Invariant: at most one PostgreSQL runs on a folder, however many processes open it at once.
//!
//! Invariant: a cluster that exists is whole: it is made beside its place and renamed into it.
//!
//! Invariant: `fsync`, `full_page_writes` and `synchronous_commit` are on, and no TCP port is open, whatever any file says.
//!
//! Invariant: [`PgBox::stop`] never takes the server from another process that uses it; the last of them stops it.
//!
//! Invariant: with [`Absent::Refuse`] no cluster is made, and nothing at all in a folder that has no trace of one.
//!
//! Not here: databases other than [`DATABASE`], schemas, back-ups, queries.

mod account;
mod config;
mod error;
mod folder;
mod launch;
mod lock;
mod log;
mod make;
mod open;
mod pace;
mod pidfile;
mod programs;
mod server;
mod settings;
mod sight;

pub use error::Error;
pub use programs::{Programs, of_major, of_major_with, programs};
pub use server::{PgBox, Stopped};
pub use settings::{Absent, Lifetime, Settings};

/// The PostgreSQL role that [`PgBox::connection_string`] signs in as.
///
/// It is the superuser of this private cluster. A lesser role would protect nothing: whoever can reach
/// the socket is the operating system user that owns the files, and the cluster holds nothing but
/// this product's data. In return tests may make databases from templates, and an operator has one
/// role to know.
pub const ROLE: &str = "selfmx";

/// The database that every cluster has from its first start on, owned by [`ROLE`].
pub const DATABASE: &str = "selfmx";
