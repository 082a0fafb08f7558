//! PostgreSQL's log file: opened for a start, kept short, and quoted when a start fails.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use crate::Error;
use crate::folder::Folder;

/// A log longer than this is set aside at the next start, in place of the one set aside before.
const LONG: u64 = 10 * 1024 * 1024;
/// As much of the log as an error quotes.
const LINES: usize = 12;
const BYTES: u64 = 8 * 1024;

/// Opens the log to append to it, and says where this start's part begins.
pub(crate) fn open(folder: &Folder) -> Result<(File, u64), Error> {
    let path = folder.log();
    let length = fs::metadata(&path).map_or(0, |log| log.len());
    if length > LONG {
        fs::rename(&path, folder.path("postgres.log.old")).map_err(Error::file("set aside", &path))?;
    }
    let mut log = folder.file("postgres.log")?;
    let from = log.seek(SeekFrom::End(0)).map_err(Error::file("read", &path))?;
    Ok((log, from))
}

/// The log's last lines, none from before `from`; says so when there are none.
pub(crate) fn tail(path: &Path, from: u64) -> String {
    let text = read(path, from).unwrap_or_default();
    match last_lines(&String::from_utf8_lossy(&text)) {
        lines if lines.is_empty() => "(nothing was logged)".to_owned(),
        lines => lines,
    }
}

/// The last lines of what a program printed.
pub(crate) fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let quoted = lines.len().saturating_sub(LINES);
    lines.get(quoted..).unwrap_or_default().join("\n")
}

fn read(path: &Path, from: u64) -> std::io::Result<Vec<u8>> {
    let mut log = File::open(path)?;
    let end = log.seek(SeekFrom::End(0))?;
    log.seek(SeekFrom::Start(from.max(end.saturating_sub(BYTES))))?;
    let mut text = Vec::new();
    log.read_to_end(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_only_the_end_and_only_this_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        fs::write(&path, "old\nnew 1\n\nnew 2\n").unwrap();
        assert_eq!(tail(&path, 4), "new 1\nnew 2");
        assert_eq!(tail(&path, 17), "(nothing was logged)");
        assert_eq!(tail(&folder.path().join("none"), 0), "(nothing was logged)");
        let many: String = (0..100).map(|n| format!("{n}\n")).collect();
        assert_eq!(last_lines(&many).lines().count(), LINES);
        assert!(last_lines(&many).ends_with("99"));
    }
}
