//! The keys that secrets at rest are sealed with: given by the operator, or made once and kept beside the private PostgreSQL.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use selfmx_domain::Entropy;
use selfmx_storage::{SecretKey, Vault, VaultError};
use zeroize::Zeroizing;

use crate::environment::{Environment, SettingError};
use crate::settings::Database;

/// The file in `DATA_DIR` that keeps the key which the first start made.
const FILE: &str = "secret.key";

/// Nobody but its owner reads or writes it.
const MODE: u32 = 0o600;

/// More than any key's text has: what is longer is not read to its end.
const LONGEST: u64 = 256;

/// Why a server cannot have the key that secrets are sealed with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretKeyError {
    /// None is given, and several servers may use the database: they cannot agree on one by themselves.
    #[error(
        "SECRET_KEY is not set, and is required with DATABASE_URL: secrets in the database are sealed with it. Make one with \
         `openssl rand -base64 32`, give the same to every server on this database (SECRET_KEY_FILE names a file with it), and keep it: without it \
         they cannot be read again"
    )]
    Needed,
    /// The file that keeps the key cannot be read.
    #[error("the secret key cannot be read from {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file that keeps the key holds something else.
    #[error(
        "{path} does not hold a secret key: it {source}. Put back the key that it held: with another one the secrets in the database cannot be read"
    )]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What it has to hold.
        source: VaultError,
    },
    /// The file that is to keep the key cannot be made.
    #[error("the secret key cannot be kept in {path}: {source}")]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The keys, as far as they are there before anything is started.
pub(crate) struct Secrets {
    writing: Writing,
    old: Vec<SecretKey>,
}

/// The key that seals.
enum Writing {
    /// It was given, or was found in its file.
    Known(SecretKey),
    /// It is to be made, and kept in this file.
    ToMake(PathBuf),
}

impl Secrets {
    /// `SECRET_KEY`, or what the file in `DATA_DIR` keeps, and `SECRET_KEYS_OLD`.
    pub(crate) fn read(environment: &Environment, database: &Database) -> Result<Self, SettingError> {
        let keys = |text: &str| text.split(',').map(|key| key.trim().parse()).collect::<Result<_, VaultError>>();
        let old = environment.read_secret("SECRET_KEYS_OLD", keys)?.unwrap_or_default();
        let writing = match (environment.read_secret("SECRET_KEY", str::parse)?, database) {
            (Some(key), _) => Writing::Known(key),
            (None, Database::Private { data_dir, .. }) => kept(data_dir.join(FILE))?,
            (None, Database::Address(_)) => return Err(SecretKeyError::Needed.into()),
        };
        Ok(Self { writing, old })
    }

    /// The vault of these keys. The first start makes one, in a folder that is there by then.
    pub(crate) fn vault(self, entropy: &dyn Entropy) -> Result<Vault, SecretKeyError> {
        let writing = match self.writing {
            Writing::Known(key) => key,
            Writing::ToMake(path) => make(&path, entropy)?,
        };
        let vault = Vault::new(writing, self.old);
        tracing::info!(keys = ?vault.ids().collect::<Vec<_>>(), "secrets are sealed with the first of these keys");
        Ok(vault)
    }
}

fn kept(path: PathBuf) -> Result<Writing, SecretKeyError> {
    Ok(read(&path)?.map_or(Writing::ToMake(path), Writing::Known))
}

/// The key that the file keeps; `None` where there is no file.
fn read(path: &Path) -> Result<Option<SecretKey>, SecretKeyError> {
    let mut octets = Zeroizing::new(Vec::with_capacity(512));
    match File::open(path).and_then(|file| file.take(LONGEST).read_to_end(&mut octets)) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(SecretKeyError::Unreadable { path: path.into(), source }),
    }
    // What is not UTF-8 is no key either.
    let key = str::from_utf8(&octets).unwrap_or_default().trim_end_matches(['\r', '\n']).parse();
    key.map(Some).map_err(|source| SecretKeyError::Malformed { path: path.into(), source })
}

/// Makes a key and keeps it in the file. Of several servers that do so at once, all get the one key that is kept.
fn make(path: &Path, entropy: &dyn Entropy) -> Result<SecretKey, SecretKeyError> {
    let unwritable = |source| SecretKeyError::Unwritable { path: path.into(), source };
    let key = SecretKey::generate(entropy);
    if keep(path, &key, entropy).map_err(unwritable)? {
        tracing::info!(path = %path.display(), "a secret key was made: keep a copy of it, apart from those of the database");
        return Ok(key);
    }
    read(path)?.ok_or_else(|| unwritable(io::ErrorKind::NotFound.into()))
}

/// Writes the key to the file, all of it or nothing. `false`: there is a file already. In either case it is there after a crash of the machine as well.
fn keep(path: &Path, key: &SecretKey, entropy: &dyn Entropy) -> io::Result<bool> {
    let mut name = [0; 8];
    entropy.fill(&mut name);
    let temporary = path.with_extension(format!("new-{:016x}", u64::from_ne_bytes(name)));
    let linked = write(&temporary, key).and_then(|()| fs::hard_link(&temporary, path));
    // It is of no more use in any case; where it cannot be taken away, it is as closed to others as the key itself.
    if let Err(error) = fs::remove_file(&temporary) {
        tracing::debug!(%error, path = %temporary.display(), "a temporary file stays");
    }
    let kept = match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
        linked => linked.map(|()| true)?,
    };
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(kept)
}

fn write(path: &Path, key: &SecretKey) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(path)?;
    file.write_all(key.reveal().as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Barrier;
    use std::thread;

    use selfmx_storage::KeyId;
    use selfmx_testing::OsEntropy;

    use super::*;

    fn private(folder: &tempfile::TempDir) -> Database {
        Database::Private { data_dir: folder.path().to_owned(), bin_dir: None }
    }

    fn elsewhere() -> Database {
        Database::Address(Box::new("postgres://selfmx@db.example/selfmx".parse().unwrap()))
    }

    fn ids(pairs: &[(&str, &str)], database: &Database) -> Result<Vec<KeyId>, String> {
        let secrets = Secrets::read(&Environment::of(pairs), database).map_err(|error| error.to_string())?;
        Ok(secrets.vault(&OsEntropy).map_err(|error| error.to_string())?.ids().collect())
    }

    #[test]
    fn given_keys_are_taken_and_nothing_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let keys = [(); 3].map(|()| SecretKey::generate(&OsEntropy));
        let [one, two, three] = keys.each_ref().map(|key| key.reveal().to_string());
        let pairs = [("SECRET_KEY", one.as_str()), ("SECRET_KEYS_OLD", &format!("{two}, {three}"))];
        for database in [private(&folder), elsewhere()] {
            assert_eq!(ids(&pairs, &database).unwrap(), keys.each_ref().map(SecretKey::id));
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn one_is_made_for_a_private_database_and_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let made = ids(&[], &private(&folder)).unwrap();
        let path = folder.path().join(FILE);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, MODE);
        assert_eq!(made, [read(&path).unwrap().unwrap().id()]);
        assert_eq!(ids(&[], &private(&folder)).unwrap(), made);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
        // As an editor would have it.
        fs::write(&path, format!("{}\r\n", *read(&path).unwrap().unwrap().reveal())).unwrap();
        assert_eq!(ids(&[], &private(&folder)).unwrap(), made);
    }

    #[test]
    fn of_several_that_make_one_at_once_all_have_the_same() {
        for _ in 0..50 {
            let (folder, start) = (tempfile::tempdir().unwrap(), Barrier::new(8));
            let path = folder.path().join(FILE);
            let made: Vec<_> = thread::scope(|scope| {
                let one = || {
                    start.wait();
                    make(&path, &OsEntropy).unwrap().id()
                };
                let all: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
                all.into_iter().map(|one| one.join().unwrap()).collect()
            });
            assert_eq!(made, vec![read(&path).unwrap().unwrap().id(); 8]);
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        }
    }

    #[test]
    fn without_a_private_database_one_has_to_be_given() {
        let text = ids(&[], &elsewhere()).unwrap_err();
        for words in ["SECRET_KEY is not set", "DATABASE_URL", "`openssl rand -base64 32`", "SECRET_KEY_FILE"] {
            assert!(text.contains(words), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_and_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let good = SecretKey::generate(&OsEntropy).reveal().to_string();
        for (pairs, words) in [
            (vec![("SECRET_KEY", "canary")], "SECRET_KEY=(hidden) is not allowed: must be 32 random octets in base64"),
            (vec![("SECRET_KEYS_OLD", "canary")], "SECRET_KEYS_OLD=(hidden) is not allowed: must be 32 random octets"),
            (vec![("SECRET_KEYS_OLD", &format!("{good},"))], "SECRET_KEYS_OLD=(hidden) is not allowed"),
        ] {
            let text = ids(&pairs, &private(&folder)).unwrap_err();
            assert!(text.contains(words) && !text.contains("canary") && !text.contains(&good), "{text}");
        }
    }

    #[test]
    fn a_file_that_keeps_no_key_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        for content in [&b""[..], b"canary", b"\xff\xfe", &[b'A'; 43 * 2], &[b'\n'; 1000]] {
            fs::write(&path, content).unwrap();
            let text = ids(&[], &private(&folder)).unwrap_err();
            assert!(text.starts_with(path.to_str().unwrap()) && text.contains("does not hold a secret key"), "{text}");
            assert!(!text.contains("canary") && fs::read(&path).unwrap() == content, "{text}");
        }
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        let text = ids(&[], &private(&folder)).unwrap_err();
        assert!(text.contains("cannot be read from"), "{text}");
        // Neither is a folder that is not there made.
        fs::remove_dir(&path).unwrap();
        let text = ids(&[], &Database::Private { data_dir: folder.path().join("nowhere"), bin_dir: None }).unwrap_err();
        assert!(text.contains("cannot be kept in"), "{text}");
    }
}
