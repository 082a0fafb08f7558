//! Every way in which the private server can fail, each with what to do about it.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

/// Why the private server could not be made, started, found or stopped. The text is for the operator and says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// PostgreSQL's programs are not on this machine.
    #[error(
        "PostgreSQL's programs (`postgres`, `initdb`) are not in {looked}. Install them: `sudo apt-get install -y postgresql`. \
         Or name a PostgreSQL that you run yourself: `DATABASE_URL=postgres://user:pass@host:5432/db`"
    )]
    NoPrograms {
        /// Where they were looked for.
        looked: String,
    },

    /// The only programs on this machine are too old.
    #[error(
        "{} is PostgreSQL {major}; 14 or later is needed. Install a newer one (`sudo apt-get install -y postgresql`) and, \
         if it is in a folder of its own, name that with `POSTGRES_BIN_DIR`",
        program.display()
    )]
    TooOld {
        /// The `postgres` that was found.
        program: PathBuf,
        /// Its major version.
        major: u32,
    },

    /// The cluster was made by another major version than the programs at hand, and its own are not installed.
    #[error(
        "the database in {folder} was made by PostgreSQL {cluster}, and this machine has PostgreSQL {programs} ({bin_dir}). Nothing was changed. \
         Install PostgreSQL {cluster}'s programs (Debian: `sudo apt-get install -y postgresql-{cluster}`): they are then found and used as before. \
         To move the data to {programs}: (1) with {cluster} in use and the server running, `pg_dump -Fc -h {socket} -U selfmx -f selfmx.dump selfmx`; \
         (2) stop the server, move {folder} away and start it with `POSTGRES_BIN_DIR={bin_dir}`; \
         (3) `pg_restore --clean --if-exists -h {socket} -U selfmx -d selfmx selfmx.dump`; run (1) and (3) as {user}. \
         `pg_upgrade` does it as well, with both versions' programs and the server stopped",
        folder = folder.display(), bin_dir = bin_dir.display(), socket = socket.display()
    )]
    WrongVersion {
        /// The cluster.
        folder: PathBuf,
        /// The major version that made it.
        cluster: u32,
        /// The major version of the programs at hand.
        programs: u32,
        /// Where those programs are.
        bin_dir: PathBuf,
        /// The folder of the server's socket.
        socket: PathBuf,
        /// The operating system user that the server runs as.
        user: String,
    },

    /// A program could not be run at all.
    #[error("cannot run {}: {source}", program.display())]
    Run {
        /// The program.
        program: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },

    /// A program could not be run as the server's user.
    #[error("cannot run {} as the user `{user}`, whom PostgreSQL runs as: {source}", program.display())]
    RunAs {
        /// The program.
        program: PathBuf,
        /// The operating system user that it was to run as.
        user: String,
        /// The operating system's reason.
        source: io::Error,
    },

    /// A program ran and failed.
    #[error("{} failed ({status}): {output}", program.display())]
    Failed {
        /// The program.
        program: PathBuf,
        /// How it ended.
        status: ExitStatus,
        /// The last lines that it printed.
        output: String,
    },

    /// `postgres --version` printed something that names no version.
    #[error("{} does not say which PostgreSQL it is: `--version` printed {output:?}", program.display())]
    UnknownVersion {
        /// The program.
        program: PathBuf,
        /// What it printed.
        output: String,
    },

    /// A file or folder could not be read, made or changed.
    #[error("cannot {act} {}: {source}", path.display())]
    File {
        /// What was tried.
        act: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },

    /// We are root, and there is no user that PostgreSQL could run as.
    #[error(
        "PostgreSQL refuses to run as root, and this machine has no user `postgres`: make one (`useradd --system postgres`), \
         or give {} to an ordinary user (`chown`), whom it will then run as",
        folder.display()
    )]
    NoAccount {
        /// The folder whose owner is root.
        folder: PathBuf,
    },

    /// The operating system's user table has no entry for the server's user.
    #[error("user id {uid} has no name in /etc/passwd, which PostgreSQL needs: run as a user that has one")]
    Nameless {
        /// The user id.
        uid: u32,
    },

    /// The user table could not be read.
    #[error("cannot look up a user: {source}")]
    Users {
        /// The operating system's reason.
        source: nix::Error,
    },

    /// We are root, and the server's user cannot get to its folder.
    #[error(
        "PostgreSQL runs as the user `{user}`, since it refuses root, and that user cannot traverse {}: \
         choose another place (`DATA_DIR=/var/lib/selfmx`) or open this one (`chmod o+x {}`)",
        folder.display(), folder.display()
    )]
    Untraversable {
        /// The first parent that the user cannot traverse.
        folder: PathBuf,
        /// The user.
        user: String,
    },

    /// The folder belongs to another user than the one that we are.
    #[error(
        "{} belongs to user id {owner}, and we are `{user}`: run as its owner or as root, or choose another `DATA_DIR`",
        folder.display()
    )]
    WrongOwner {
        /// The folder.
        folder: PathBuf,
        /// Its owner's user id.
        owner: u32,
        /// The user that we are.
        user: String,
    },

    /// The folder holds things that are not ours, and we would have to change its owner and mode.
    #[error("{} holds other things than a private PostgreSQL: choose another `DATA_DIR`, or empty it", folder.display())]
    NotOurs {
        /// The folder.
        folder: PathBuf,
    },

    /// There is no cluster in the folder, and none was to be made.
    #[error(
        "there is no database in {}, and none was made. Name the server's own by `DATA_DIR`, or by `DATABASE_URL` where it uses another \
         PostgreSQL than its private one",
        folder.display()
    )]
    NoCluster {
        /// The folder.
        folder: PathBuf,
    },

    /// There is something in the cluster's place that PostgreSQL did not make.
    #[error("{} is not a PostgreSQL data folder (it has no readable PG_VERSION): move it away and start again, or restore it", folder.display())]
    NotACluster {
        /// The folder.
        folder: PathBuf,
    },

    /// Another user holds the folder that the socket needs.
    #[error(
        "the socket needs the folder {}, which exists but is not a folder of the user `{user}` with mode 0700: \
         remove it, or choose a shorter `DATA_DIR`",
        folder.display()
    )]
    SocketFolder {
        /// The folder.
        folder: PathBuf,
        /// The user that it should belong to.
        user: String,
    },

    /// Another process has been opening or stopping the server for too long.
    #[error("another process has been starting or stopping the server in {} for {} s: see what it waits for", folder.display(), waited.as_secs())]
    Busy {
        /// The folder.
        folder: PathBuf,
        /// How long we waited.
        waited: Duration,
    },

    /// PostgreSQL ended instead of starting.
    #[error("PostgreSQL did not start. The end of its log, {}:\n{tail}", log.display())]
    StartFailed {
        /// The log.
        log: PathBuf,
        /// Its last lines.
        tail: String,
    },

    /// PostgreSQL is still not ready. It goes on, and the next start finds it.
    #[error(
        "PostgreSQL is not ready after {} s. It was left to go on; start again to wait for it again. The end of its log, {}:\n{tail}",
        waited.as_secs(), log.display()
    )]
    StartTimedOut {
        /// How long we waited.
        waited: Duration,
        /// The log.
        log: PathBuf,
        /// Its last lines.
        tail: String,
    },

    /// PostgreSQL could not be told to stop.
    #[error("cannot signal PostgreSQL (process {pid}): {source}")]
    Signal {
        /// The postmaster's process id.
        pid: i32,
        /// The operating system's reason.
        source: nix::Error,
    },

    /// PostgreSQL was told to stop, twice, and still runs.
    #[error("PostgreSQL still runs {} s after it was told to stop; see {}", waited.as_secs(), log.display())]
    StopTimedOut {
        /// How long we waited.
        waited: Duration,
        /// The log.
        log: PathBuf,
    },
}

impl Error {
    /// Wraps what the operating system said about a file: for `map_err`.
    pub(crate) fn file(act: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { act, path, source }
    }
}
