//! `selfmx db backup FILE`: all of the database as it is at one moment, while servers work on it.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::programs::Tools;
use crate::failure::Failure;
use crate::output;
use crate::signals::Signals;

const DUMP: [&str; 4] = ["--format=custom", "--no-owner", "--no-privileges", "--file"];

const SECRET_KEY: &str = "SECRET_KEY is not in it: keep a copy of it elsewhere (DATA_DIR/secret.key, where no other was set). Without it the secrets in this copy, \
                          passwords of relays and keys for DKIM, cannot be opened";

/// A file that is not whole yet: gone with this, unless it was put in its place.
struct Partial(PathBuf);

/// Writes the copy beside its place and puts it there when it is whole.
pub(super) async fn backup(tools: &Tools, file: &Path, signals: &mut Signals) -> Result<(), Failure> {
    if file.symlink_metadata().is_ok() {
        return Err(Failure::Exists(file.to_path_buf()));
    }
    let partial = Partial::beside(file)?;
    tools.run("pg_dump", &DUMP, &partial.0, signals).await?;
    partial.publish(file)?;
    output::note(SECRET_KEY);
    output::tell(&format!("{} holds the database as it was when the copy began", file.display()))
}

impl Partial {
    /// An empty file that nobody else may read.
    fn beside(file: &Path) -> Result<Self, Failure> {
        let mut name = file.file_name().map(|name| name.to_os_string()).unwrap_or_default();
        name.push(format!(".{}.partial", std::process::id()));
        let path = file.with_file_name(name);
        let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        opened.map_err(|source| Failure::File { path: path.clone(), source })?;
        Ok(Self(path))
    }

    /// Puts it in its place, durably, where nothing is.
    fn publish(self, file: &Path) -> Result<(), Failure> {
        let failed = |source| Failure::File { path: file.to_path_buf(), source };
        File::open(&self.0).and_then(|written| written.sync_all()).map_err(failed)?;
        // Unlike a renaming, a link replaces nothing.
        fs::hard_link(&self.0, file).map_err(|source| match source.kind() {
            std::io::ErrorKind::AlreadyExists => Failure::Exists(file.to_path_buf()),
            _ => failed(source),
        })?;
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // Nobody could be told that it failed.
        drop(fs::remove_file(&self.0));
    }
}
