//! PostgreSQL's programs on this machine.

use std::env;
use std::fs;
use std::path::{Path, PathBuf, absolute};
use std::process::Command;

use crate::Error;

/// The oldest major version that SelfMX supports.
const OLDEST: u32 = 14;
/// Where Debian and its kin keep one folder for each major version.
const DEBIAN: &str = "/usr/lib/postgresql";

/// One installation of PostgreSQL's programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programs {
    bin_dir: PathBuf,
    major: u32,
}

impl Programs {
    /// The folder that they are in.
    pub fn bin_dir(&self) -> &Path {
        &self.bin_dir
    }

    /// Their major version, such as 15.
    pub fn major(&self) -> u32 {
        self.major
    }

    /// The path of one of them, such as `pg_dump`; it need not exist.
    pub fn program(&self, name: &str) -> PathBuf {
        self.bin_dir.join(name)
    }

    /// Asks the `postgres` in a folder which version it is.
    fn ask(bin_dir: PathBuf) -> Result<Self, Error> {
        let program = bin_dir.join("postgres");
        let output = match Command::new(&program).arg("--version").env_clear().output() {
            Ok(output) => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
            Err(source) => return Err(Error::Run { program, source }),
        };
        match major(&output) {
            None => Err(Error::UnknownVersion { program, output }),
            Some(major) if major < OLDEST => Err(Error::TooOld { program, major }),
            Some(major) => Ok(Self { bin_dir, major }),
        }
    }
}

/// Finds PostgreSQL's programs: in `bin_dir` and nowhere else if it is given, else on `PATH`, else the newest
/// in `/usr/lib/postgresql/*/bin`. Runs `postgres --version`, a few milliseconds.
///
/// # Errors
///
/// [`Error::NoPrograms`] when there are none, with the line that installs them; [`Error::TooOld`], [`Error::Run`]
/// or [`Error::UnknownVersion`] when those that there are cannot be used.
pub fn programs(bin_dir: Option<&Path>) -> Result<Programs, Error> {
    find(bin_dir, |_| true)
}

/// The programs of one major version; where there are none of it, the best of another.
///
/// # Errors
///
/// As for [`programs`].
pub fn of_major(bin_dir: Option<&Path>, major: u32) -> Result<Programs, Error> {
    find(bin_dir, |programs| programs.major == major).or_else(|_other| programs(bin_dir))
}

/// The same, of those that have these tools beside them: where somebody has linked `postgres` into a folder on `PATH`, `pg_dump` may be elsewhere.
///
/// # Errors
///
/// As for [`programs`].
pub fn of_major_with(bin_dir: Option<&Path>, major: u32, tools: &[&str]) -> Result<Programs, Error> {
    first_of_major_with(candidates(bin_dir)?, major, tools).map_err(|error| error.unwrap_or_else(|| none(bin_dir)))
}

fn first_of_major_with(folders: Vec<PathBuf>, major: u32, tools: &[&str]) -> Result<Programs, Option<Error>> {
    let with_tools = |folder: &PathBuf| tools.iter().all(|tool| folder.join(tool).is_file());
    let folders: Vec<_> = folders.into_iter().filter(with_tools).collect();
    first(folders.clone(), |programs| programs.major == major).or_else(|_other| first(folders, |_| true))
}

fn find(bin_dir: Option<&Path>, wanted: impl Fn(&Programs) -> bool) -> Result<Programs, Error> {
    first(candidates(bin_dir)?, wanted).map_err(|error| error.unwrap_or_else(|| none(bin_dir)))
}

fn none(bin_dir: Option<&Path>) -> Error {
    Error::NoPrograms { looked: looked(bin_dir) }
}

/// The first that is wanted; else why the first that could not be asked could not.
fn first(folders: Vec<PathBuf>, wanted: impl Fn(&Programs) -> bool) -> Result<Programs, Option<Error>> {
    let mut failed = None;
    for folder in folders {
        match Programs::ask(folder) {
            Ok(programs) if wanted(&programs) => return Ok(programs),
            Ok(_other) => {}
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    Err(failed)
}

fn candidates(bin_dir: Option<&Path>) -> Result<Vec<PathBuf>, Error> {
    let mut folders = match bin_dir {
        Some(folder) => vec![absolute(folder).map_err(Error::file("find", folder))?],
        None => on_path().into_iter().chain(debian(Path::new(DEBIAN))).collect(),
    };
    folders.retain(|folder| ["postgres", "initdb"].iter().all(|name| folder.join(name).is_file()));
    Ok(folders)
}

fn looked(bin_dir: Option<&Path>) -> String {
    match bin_dir {
        Some(folder) => format!("`POSTGRES_BIN_DIR` ({})", folder.display()),
        None => format!("`PATH` nor in {DEBIAN}/*/bin"),
    }
}

/// The folders of `PATH`; relative ones are left out, since they change with the working directory.
#[expect(clippy::disallowed_methods, reason = "PATH is no setting of ours: it is where this machine keeps its programs")]
fn on_path() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).filter(|folder| folder.is_absolute()).collect()
}

/// The `bin` folders of each major version, newest first.
fn debian(folder: &Path) -> Vec<PathBuf> {
    let names = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let mut majors: Vec<u32> = names.filter_map(|name| name.to_str()?.parse().ok()).collect();
    majors.sort_unstable_by(|a, b| b.cmp(a));
    majors.into_iter().map(|major| folder.join(major.to_string()).join("bin")).collect()
}

/// The major version in `postgres (PostgreSQL) 15.18 (Debian ...)`, `... 19beta1` and the like.
fn major(version: &str) -> Option<u32> {
    let number = version.split_once("(PostgreSQL) ")?.1;
    let digits = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
    number.get(..digits)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_form_of_version() {
        assert_eq!(major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"), Some(15));
        assert_eq!(major("postgres (PostgreSQL) 19beta1"), Some(19));
        assert_eq!(major("postgres (PostgreSQL) 18"), Some(18));
        assert_eq!(major("postgres (PostgreSQL) devel"), None);
        assert_eq!(major("something else 15"), None);
    }

    #[test]
    fn a_folder_without_the_tools_is_passed_over_for_one_that_has_them() {
        let own = programs(None).unwrap();
        let (bare, whole) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let link = |folder: &tempfile::TempDir, name: &str| {
            std::os::unix::fs::symlink(fs::canonicalize(own.program("postgres")).unwrap(), folder.path().join(name)).unwrap();
        };
        link(&bare, "postgres");
        ["postgres", "pg_dump"].iter().for_each(|name| link(&whole, name));
        let folders = || vec![bare.path().to_path_buf(), whole.path().to_path_buf()];
        let found = |major, tools: &[&str]| first_of_major_with(folders(), major, tools).map(|found| found.bin_dir);
        assert_eq!(found(own.major, &["pg_dump"]).unwrap(), whole.path());
        assert_eq!(found(own.major + 1, &["pg_dump"]).unwrap(), whole.path());
        assert_eq!(found(own.major, &[]).unwrap(), bare.path());
        assert!(matches!(found(own.major, &["pg_dump", "pg_restore"]), Err(None)));
    }

    #[test]
    fn debians_newest_major_comes_first() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["9", "14", "17", "common"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let found = debian(folder.path());
        let majors: Vec<_> = found.iter().map(|bin| bin.parent().unwrap().file_name().unwrap()).collect();
        assert_eq!(majors, ["17", "14", "9"]);
    }
}
