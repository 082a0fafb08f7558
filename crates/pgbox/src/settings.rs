//! What a caller may choose about the private server.

use std::path::PathBuf;
use std::time::Duration;

/// Whether the server outlives the process that started it.
///
/// It counts for a server that [`PgBox::open`](crate::PgBox::open) starts; one that it finds running keeps
/// the lifetime that it was started with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Lifetime {
    /// It runs until it is stopped, through our death too, and is found again. For servers.
    #[default]
    Detached,
    /// It stops by itself as soon as the [`PgBox`](crate::PgBox) is dropped or its process ends, even by
    /// `kill -9`. It then stops as in a power cut: nothing committed is lost, and the next start recovers. For tests.
    Tethered,
}

/// What is done where the folder holds no cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Absent {
    /// It is made. For servers.
    #[default]
    Make,
    /// [`Error::NoCluster`](crate::Error::NoCluster) tells so, and nothing is made. For commands on a server's data: an empty database
    /// in a folder that was named by mistake would answer them all.
    Refuse,
}

/// Where the private server lives and how it is run.
#[derive(Debug, Clone)]
pub struct Settings {
    pub(crate) data_dir: PathBuf,
    pub(crate) bin_dir: Option<PathBuf>,
    pub(crate) lifetime: Lifetime,
    pub(crate) absent: Absent,
    pub(crate) start_limit: Duration,
}

impl Settings {
    /// Settings for the server in `data_dir`, which is made if it does not exist; a relative path counts from
    /// the working directory.
    ///
    /// By default the programs are [searched for](crate::programs), the server is [detached](Lifetime::Detached)
    /// and has 10 minutes to start.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        let (lifetime, absent) = (Lifetime::default(), Absent::default());
        Self { data_dir: data_dir.into(), bin_dir: None, lifetime, absent, start_limit: Duration::from_secs(600) }
    }

    /// Takes PostgreSQL's programs from this folder and nowhere else; `None` searches for them.
    #[must_use]
    pub fn bin_dir(mut self, bin_dir: Option<PathBuf>) -> Self {
        self.bin_dir = bin_dir;
        self
    }

    /// Says how long the server lives.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Lifetime) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// Says what is done where the folder holds no cluster.
    #[must_use]
    pub fn absent(mut self, absent: Absent) -> Self {
        self.absent = absent;
        self
    }

    /// Bounds how long [`PgBox::open`](crate::PgBox::open) waits in all, crash recovery included.
    #[must_use]
    pub fn start_limit(mut self, start_limit: Duration) -> Self {
        self.start_limit = start_limit;
        self
    }
}
