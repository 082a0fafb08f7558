//! The folder that a private server lives in: its places, owner and modes.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown, fchown};
use std::path::{Path, PathBuf, absolute};

use nix::fcntl::OFlag;

use crate::account::Account;
use crate::{Error, config, lock};

/// As many bytes as a unix socket's path may have.
const SOCKET_PATH: usize = 107;
/// Asks, as the server's user, which of the folders given it cannot traverse; the exit status counts them from 1.
const TRAVERSE: &str = r#"n=0; for folder; do n=$((n + 1)); [ -x "$folder" ] || exit $n; done; exit 0"#;

/// A prepared folder: it exists, is the server's user's own, and that user can get to it.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    root: PathBuf,
    pub(crate) account: Account,
}

impl Folder {
    /// Finds the folder, and makes nothing where it holds neither a cluster nor the door behind which one may be in the making.
    pub(crate) fn find(data_dir: &Path) -> Result<Self, Error> {
        let root = resolved(data_dir)?;
        // Of another's folder we could not see what it holds.
        if let Ok(metadata) = fs::metadata(&root) {
            check_owner(&root, metadata.uid(), &chosen(&root)?)?;
        }
        for name in ["cluster", lock::DOOR] {
            let path = root.join(name);
            if path.try_exists().map_err(Error::file("look at", path))? {
                return Self::prepare(data_dir);
            }
        }
        Err(Error::NoCluster { folder: root })
    }

    /// Finds or makes the folder, after it is clear that the server's user can get there.
    pub(crate) fn prepare(data_dir: &Path) -> Result<Self, Error> {
        let root = resolved(data_dir)?;
        if root.as_os_str().as_bytes().contains(&b'\n') {
            let source = io::Error::new(io::ErrorKind::InvalidInput, "its path has a line break");
            return Err(Error::file("use", root)(source));
        }
        let parent = root.parent().unwrap_or(&root);
        let account = chosen(&root)?;
        if account.dropped {
            check_traversable(&root, &account)?;
        }
        check_ours(&root, &account)?;
        make_parents(parent, &account)?;
        let folder = Self { root, account };
        folder.private(&folder.root)?;
        folder.private(&folder.path("socket"))?;
        Ok(folder)
    }

    /// The folder itself, absolute and without symbolic links.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// PostgreSQL's data folder.
    pub(crate) fn cluster(&self) -> PathBuf {
        self.path("cluster")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.path("postgres.log")
    }

    /// Where a server that starts now puts its socket: `socket/`, or a short folder outside where that path would be too
    /// long, or holds what a connection string cannot carry.
    pub(crate) fn socket_dir(&self) -> Result<PathBuf, Error> {
        let inside = self.path("socket");
        if fits(&inside) {
            return Ok(inside);
        }
        let metadata = fs::metadata(&self.root).map_err(Error::file("look at", &self.root))?;
        Ok(PathBuf::from(format!("/tmp/selfmx-{:x}-{:x}", metadata.dev(), metadata.ino())))
    }

    /// Makes the folder of [`socket_dir`](Self::socket_dir) and makes sure that nobody else holds it.
    pub(crate) fn make_socket_dir(&self) -> Result<PathBuf, Error> {
        let socket_dir = self.socket_dir()?;
        match DirBuilder::new().mode(0o700).create(&socket_dir) {
            Ok(()) => chown(&socket_dir, Some(self.account.uid), Some(self.account.gid)).map_err(Error::file("give away", &socket_dir))?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Error::file("make", socket_dir)(error)),
        }
        let metadata = fs::symlink_metadata(&socket_dir).map_err(Error::file("look at", &socket_dir))?;
        if metadata.is_dir() && metadata.uid() == self.account.uid && metadata.mode() & 0o077 == 0 {
            return Ok(socket_dir);
        }
        Err(Error::SocketFolder { folder: socket_dir, user: self.account.name.clone() })
    }

    /// Opens a file of ours to read and append to, made if need be, the server's user's own; never through a symbolic link.
    pub(crate) fn file(&self, name: &str) -> Result<File, Error> {
        let path = self.path(name);
        let mut options = OpenOptions::new();
        options.read(true).append(true).mode(0o600).custom_flags(OFlag::O_NOFOLLOW.bits());
        match options.clone().create_new(true).open(&path) {
            Ok(file) => {
                self.give(&file).map_err(Error::file("give away", &path))?;
                Ok(file)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => options.open(&path).map_err(Error::file("open", &path)),
            Err(error) => Err(Error::file("make", &path)(error)),
        }
    }

    /// Makes a file that we opened the server's user's own.
    pub(crate) fn give(&self, file: &File) -> io::Result<()> {
        fchown(file, Some(self.account.uid), Some(self.account.gid))
    }

    /// Makes a folder of mode 0700 that is the server's user's own, or makes an existing one so.
    fn private(&self, path: &Path) -> Result<(), Error> {
        match DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(Error::file("make", path)(error)),
            Ok(()) | Err(_) => {}
        }
        let metadata = fs::metadata(path).map_err(Error::file("look at", path))?;
        let account = &self.account;
        check_owner(path, metadata.uid(), account)?;
        if metadata.uid() != account.uid {
            chown(path, Some(account.uid), Some(account.gid)).map_err(Error::file("give away", path))?;
        }
        fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(Error::file("close to others", path))
    }
}

/// Whom the server in this folder runs as.
fn chosen(root: &Path) -> Result<Account, Error> {
    Account::choose(&[&root.join("cluster"), root, root.parent().unwrap_or(root)])
}

/// Whether a socket in this folder can be made and named in a connection string (whose hosts are split at commas).
fn fits(socket_dir: &Path) -> bool {
    let longest = socket_dir.as_os_str().len() + "/.s.PGSQL.".len() + config::PORT.to_string().len();
    let plain = |text: &str| !text.contains(|c: char| c == ',' || c == '"' || c.is_control());
    longest <= SOCKET_PATH && socket_dir.to_str().is_some_and(plain)
}

/// The path made absolute, symbolic links resolved as far as it exists.
fn resolved(data_dir: &Path) -> Result<PathBuf, Error> {
    let path = absolute(data_dir).map_err(Error::file("find", data_dir))?;
    let standing = standing(&path)?;
    let rest = path.strip_prefix(standing).unwrap_or(Path::new(""));
    let standing = fs::canonicalize(standing).map_err(Error::file("find", standing))?;
    // Joining an empty rest would end the path with a slash.
    Ok(if rest.as_os_str().is_empty() { standing } else { standing.join(rest) })
}

/// The longest part of a path that exists.
fn standing(path: &Path) -> Result<&Path, Error> {
    for part in path.ancestors() {
        if part.try_exists().map_err(Error::file("look at", part))? {
            return Ok(part);
        }
    }
    Ok(Path::new("/"))
}

fn check_traversable(root: &Path, account: &Account) -> Result<(), Error> {
    let parents = root.parent().unwrap_or(root);
    let mut chain: Vec<&Path> = standing(parents)?.ancestors().collect();
    chain.reverse();
    let shell = Path::new("/bin/sh");
    let status = account.command(shell, Path::new("/")).args(["-c", TRAVERSE, "sh"]).args(&chain).status();
    let status = status.map_err(account.cannot_run(shell))?;
    if status.success() {
        return Ok(());
    }
    let blocked = status.code().and_then(|n| usize::try_from(n).ok()?.checked_sub(1)).and_then(|n| chain.get(n));
    let folder = blocked.copied().unwrap_or(parents).to_path_buf();
    Err(Error::Untraversable { folder, user: account.name.clone() })
}

/// Refuses another user's folder, except that root gives its own away.
fn check_owner(path: &Path, owner: u32, account: &Account) -> Result<(), Error> {
    if owner == account.uid || (account.dropped && owner == 0) {
        return Ok(());
    }
    Err(Error::WrongOwner { folder: path.to_path_buf(), owner, user: account.name.clone() })
}

/// Refuses a folder that is another user's, or that holds something but nothing of ours (or of an operator who prepares
/// our first start): its owner and mode would change.
fn check_ours(root: &Path, account: &Account) -> Result<(), Error> {
    let Ok(metadata) = fs::metadata(root) else {
        return Ok(());
    };
    check_owner(root, metadata.uid(), account)?;
    let mut entries = fs::read_dir(root).map_err(Error::file("read", root))?;
    // `socket` is made before the rest: another server may be about to make that.
    let ours = ["socket", lock::DOOR, "cluster", "cluster.new", "operator.conf", "lost+found"];
    if entries.next().is_none() || ours.iter().any(|name| root.join(name).exists()) {
        return Ok(());
    }
    Err(Error::NotOurs { folder: root.to_path_buf() })
}

/// Makes missing parents: our own alone, or, where the server's user is another, such that it can pass through.
fn make_parents(parent: &Path, account: &Account) -> Result<(), Error> {
    let missing = parent.ancestors().take_while(|part| !part.exists());
    let mut missing: Vec<&Path> = missing.collect();
    missing.reverse();
    let mode = if account.dropped { 0o711 } else { 0o700 };
    for part in missing {
        match DirBuilder::new().mode(mode).create(part) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            made => made.map_err(Error::file("make", part))?,
        }
        // The process's umask may have taken more away.
        fs::set_permissions(part, Permissions::from_mode(mode)).map_err(Error::file("open", part))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_folder_fits_up_to_the_last_byte() {
        let longest = format!("/{}", "x".repeat(92));
        assert!(fits(Path::new(&longest)));
        assert!(!fits(Path::new(&format!("{longest}x"))));
        assert!(fits(Path::new("/it's a \\ folder")));
        assert!(!fits(Path::new("/a,b")));
        assert!(!fits(Path::new("/a\"b")));
    }

    #[test]
    fn links_are_resolved_as_far_as_the_path_exists() {
        let folder = tempfile::tempdir().unwrap();
        let real = fs::canonicalize(folder.path()).unwrap();
        std::os::unix::fs::symlink(&real, real.join("link")).unwrap();
        assert_eq!(resolved(&real.join("link/a/b")).unwrap(), real.join("a/b"));
        assert_eq!(resolved(&real.join("link")).unwrap(), real);
    }
}
