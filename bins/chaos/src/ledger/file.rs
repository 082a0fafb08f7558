//! A ledger on the disk: a line counts once it is there.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, oneshot};

use crate::failure::Failure;

/// How many lines one flush takes to the disk at most.
const AT_ONCE: usize = 256;

/// A file of JSON lines that is flushed to the disk line by line, or for many at once where many wait.
#[derive(Clone, Debug)]
pub(crate) struct LedgerFile {
    path: Arc<Path>,
    lines: mpsc::Sender<Line>,
}

struct Line {
    octets: Vec<u8>,
    written: oneshot::Sender<std::io::Result<()>>,
}

impl LedgerFile {
    /// A new file.
    pub(crate) fn create(path: PathBuf) -> Result<Self, Failure> {
        let file = OpenOptions::new().create_new(true).append(true).open(&path).map_err(Failure::file(&path))?;
        let (lines, waiting) = mpsc::channel(AT_ONCE);
        // A thread of its own: a flush blocks.
        thread::spawn(move || write_all(file, waiting));
        Ok(Self { path: path.into(), lines })
    }

    /// Writes a line; returns when it is on the disk.
    pub(crate) async fn note(&self, entry: &impl Serialize) -> Result<(), Failure> {
        let mut octets = serde_json::to_vec(entry)?;
        octets.push(b'\n');
        let (written, on_disk) = oneshot::channel();
        let gone = || Failure::File { path: self.path.to_path_buf(), source: std::io::ErrorKind::BrokenPipe.into() };
        self.lines.send(Line { octets, written }).await.map_err(|_closed| gone())?;
        on_disk.await.map_err(|_closed| gone())?.map_err(Failure::file(&*self.path))
    }
}

fn write_all(mut file: File, mut waiting: mpsc::Receiver<Line>) {
    let mut lines = Vec::new();
    while waiting.blocking_recv_many(&mut lines, AT_ONCE) > 0 {
        let octets: Vec<u8> = lines.iter().flat_map(|line| line.octets.iter().copied()).collect();
        let done = file.write_all(&octets).and_then(|()| file.sync_data());
        for line in lines.drain(..) {
            let result = done.as_ref().copied().map_err(|error| std::io::Error::from(error.kind()));
            // Who does not wait any more does not count it either.
            drop(line.written.send(result));
        }
    }
}

/// Reads a ledger back.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, Failure> {
    let text = std::fs::read_to_string(path).map_err(Failure::file(path))?;
    text.lines().map(|line| serde_json::from_str(line).map_err(Failure::from)).collect()
}
