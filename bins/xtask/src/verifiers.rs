//! The reference libraries of Standard Webhooks, in a folder of their own under `target/`: the tests have them verify real posts.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::failure::Failure;

/// Where the tests look for them.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/verifiers");

/// Each file that says what is to be installed, to the last octet.
const FILES: [(&str, &str); 3] = [
    ("requirements.txt", include_str!("verifiers/requirements.txt")),
    ("package.json", include_str!("verifiers/package.json")),
    ("package-lock.json", include_str!("verifiers/package-lock.json")),
];

const ADVICE: &str = "the packages of Standard Webhooks come from PyPI and npm: is there a way to them?";

/// Installs them, unless these very ones are there.
///
/// # Errors
///
/// [`Failure::File`], [`Failure::Run`] and [`Failure::Command`], where that does not work.
pub(crate) fn ensure() -> Result<(), Failure> {
    let folder = PathBuf::from(FOLDER);
    if is_done(&folder) {
        return Ok(());
    }
    println!("installing the verifiers of Standard Webhooks");
    std::fs::create_dir_all(&folder).map_err(failed(&folder))?;
    for (name, text) in FILES {
        let path = folder.join(name);
        std::fs::write(&path, text).map_err(failed(&path))?;
    }
    run(&folder, "python3", &["-m", "venv", "python"])?;
    let pip = folder.join("python/bin/pip").display().to_string();
    run(&folder, &pip, &["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes", "-r", "requirements.txt"])?;
    run(&folder, "npm", &["ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"])?;
    let done = folder.join("done");
    std::fs::write(&done, all()).map_err(failed(&done))
}

fn is_done(folder: &Path) -> bool {
    std::fs::read_to_string(folder.join("done")).is_ok_and(|done| done == all())
}

fn all() -> String {
    FILES.map(|(_, text)| text).concat()
}

fn run(folder: &Path, program: &str, arguments: &[&str]) -> Result<(), Failure> {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    let status = command.status().map_err(|source| Failure::Run { program: program.to_owned(), source })?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::Command { command: format!("{program} {}", arguments.join(" ")), status, advice: ADVICE })
}

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> Failure {
    let path = path.to_path_buf();
    |source| Failure::File { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_installed_is_pinned_by_its_digest() {
        let [(_, python), _, (_, node)] = FILES;
        assert!(python.lines().all(|line| line.contains("==") && line.contains("--hash=sha256:")), "{python}");
        assert_eq!(node.matches("\"node_modules/").count(), node.matches("\"integrity\": \"sha512-").count());
    }
}
