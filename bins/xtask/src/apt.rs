//! Debian's package manager, asked only as root.

use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use crate::failure::Failure;
use crate::programs;

/// Answers Postfix's one question so that it writes no configuration and starts nothing: the tests bring their own.
const POSTFIX_ANSWER: &str = "postfix postfix/main_mailer_type select No configuration";

/// Options of every call: another `apt-get` may be at work, and then ours waits.
const OPTIONS: &[&str] = &["-o", "DPkg::Lock::Timeout=300"];

/// Where `apt-get update` keeps what it has read.
const LISTS: &str = "/var/lib/apt/lists";

/// Whether packages may be installed from here: as root, where there is `apt-get`.
pub(crate) fn allowed() -> bool {
    is_root() && programs::present("apt-get")
}

/// The one line that a person runs instead.
pub(crate) fn line(packages: &[&str]) -> String {
    let install = format!("apt-get install -y --no-install-recommends {}", packages.join(" "));
    if packages.contains(&"postfix") {
        let answer = format!("echo '{POSTFIX_ANSWER}' | sudo debconf-set-selections");
        return format!("{answer} && sudo DEBIAN_FRONTEND=noninteractive {install}");
    }
    format!("sudo {install}")
}

/// Installs packages without a question; the package lists are fetched first when there are none, and again when they
/// turn out to be too old.
///
/// # Errors
///
/// [`Failure::Install`] when the second attempt fails as well, [`Failure::Run`] when the programs cannot be run.
pub(crate) fn install(packages: &[&str]) -> Result<(), Failure> {
    if packages.contains(&"postfix") {
        answer_postfix()?;
    }
    let mut arguments = vec!["install", "-y", "--no-install-recommends"];
    arguments.extend(packages);
    if has_lists() && apt_get(&arguments)?.success() {
        return Ok(());
    }
    println!("fetching the package lists");
    succeeded(&["update"])?;
    succeeded(&arguments)
}

fn succeeded(arguments: &[&str]) -> Result<(), Failure> {
    let status = apt_get(arguments)?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::Install { arguments: arguments.join(" "), status })
}

fn apt_get(arguments: &[&str]) -> Result<ExitStatus, Failure> {
    let mut command = Command::new("apt-get");
    command.args(OPTIONS).args(arguments).stdin(Stdio::null());
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command.status().map_err(|source| not_run("apt-get", source))
}

fn answer_postfix() -> Result<(), Failure> {
    const PROGRAM: &str = "debconf-set-selections";
    if !programs::present(PROGRAM) {
        return Ok(());
    }
    let spawned = Command::new(PROGRAM).stdin(Stdio::piped()).spawn();
    let mut child = spawned.map_err(|source| not_run(PROGRAM, source))?;
    if let Some(mut stdin) = child.stdin.take() {
        writeln!(stdin, "{POSTFIX_ANSWER}").map_err(|source| not_run(PROGRAM, source))?;
    }
    // A refused answer leaves Postfix's default, which the tests do not use either.
    child.wait().map(drop).map_err(|source| not_run(PROGRAM, source))
}

fn not_run(program: &str, source: std::io::Error) -> Failure {
    Failure::Run { program: program.to_owned(), source }
}

fn has_lists() -> bool {
    let Ok(entries) = std::fs::read_dir(LISTS) else {
        return false;
    };
    entries.flatten().any(|entry| entry.file_name().to_string_lossy().contains("_Packages"))
}

/// Asked of the kernel's view of this process, since the standard library has no call for it.
fn is_root() -> bool {
    Path::new("/proc/self").metadata().is_ok_and(|own| own.uid() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_for_postfix_answers_its_question_first() {
        assert_eq!(line(&["postgresql"]), "sudo apt-get install -y --no-install-recommends postgresql");
        let with_postfix = line(&["postfix", "curl"]);
        assert!(with_postfix.starts_with("echo 'postfix postfix/main_mailer_type select No configuration' | sudo "));
        assert!(with_postfix.ends_with(" apt-get install -y --no-install-recommends postfix curl"));
    }
}
