//! `postmaster.pid`: PostgreSQL's own record of a running server (its `src/include/utils/pidfile.h`).

use std::fs;
use std::path::{Path, PathBuf};

/// How far the postmaster says that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Starting,
    Ready,
    /// Stopping, or a word that we do not know.
    Other,
}

/// A running server, as it describes itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Postmaster {
    pub(crate) pid: i32,
    /// Its data folder, as it was told it.
    pub(crate) data_dir: PathBuf,
    /// Seconds since 1970 when it started.
    started: u64,
    pub(crate) port: u16,
    pub(crate) socket_dir: PathBuf,
    pub(crate) status: Status,
}

impl Postmaster {
    /// Reads the record in a cluster; `None` while there is none or PostgreSQL has not finished writing it.
    pub(crate) fn read(cluster: &Path) -> Option<Self> {
        Self::parse(&fs::read_to_string(path(cluster)).ok()?)
    }

    /// The socket itself.
    pub(crate) fn socket(&self) -> PathBuf {
        self.socket_dir.join(format!(".s.PGSQL.{}", self.port))
    }

    /// Lines: pid, data folder, start time, port, first socket folder, TCP address, shared memory key, status.
    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let pid: i32 = lines.next()?.trim().parse().ok()?;
        let data_dir = PathBuf::from(lines.next()?);
        let started = lines.next()?.trim().parse().ok()?;
        let port = lines.next()?.trim().parse().ok()?;
        let socket_dir = PathBuf::from(lines.next()?);
        let status = match lines.nth(2)?.trim() {
            "starting" => Status::Starting,
            "ready" => Status::Ready,
            _ => Status::Other,
        };
        Some(Self { pid, data_dir, started, port, socket_dir, status }).filter(|postmaster| postmaster.pid > 0)
    }
}

/// Where the record is.
pub(crate) fn path(cluster: &Path) -> PathBuf {
    cluster.join("postmaster.pid")
}

/// Where PostgreSQL records who has a socket, in the same form.
pub(crate) fn socket_path(socket_dir: &Path, port: u16) -> PathBuf {
    socket_dir.join(format!(".s.PGSQL.{port}.lock"))
}

/// The process id on a record's first line, however much of the rest is there.
pub(crate) fn pid(record: &Path) -> Option<i32> {
    let text = fs::read_to_string(record).ok()?;
    text.lines().next()?.trim().parse().ok().filter(|pid| *pid > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "4711\n/d/cluster\n1700000000\n5432\n/d/socket\n\n   123456    7\nready   \n";

    #[test]
    fn reads_what_postgres_writes() {
        let postmaster = Postmaster::parse(WHOLE).unwrap();
        assert_eq!((postmaster.pid, postmaster.status), (4711, Status::Ready));
        assert_eq!(postmaster.socket(), Path::new("/d/socket/.s.PGSQL.5432"));
        let word = |word: &str| Postmaster::parse(&WHOLE.replace("ready   ", word)).unwrap().status;
        assert_eq!(word("starting"), Status::Starting);
        assert_eq!(word("stopping"), Status::Other);
    }

    #[test]
    fn a_record_that_is_not_whole_is_none() {
        for length in 0..WHOLE.find("ready").unwrap() {
            assert_eq!(Postmaster::parse(&WHOLE[..length]), None, "{length}");
        }
        assert_eq!(Postmaster::parse(&WHOLE.replace("4711", "-4711")), None);
        assert_eq!(Postmaster::parse("no number\n"), None);
    }
}
