//! Ends what a test started, even where the test is killed.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use super::programs::shell;

/// A shell that waits until this process lets go of it, by dropping this or by dying, and runs the last part of its script then.
#[derive(Debug)]
pub(super) struct Guardian {
    shell: Child,
}

impl Guardian {
    /// Runs `begin`, waits, and runs `end`; both see `arguments` as `$1` and so on.
    pub(super) fn new(begin: &str, end: &str, arguments: &[String]) -> Self {
        let mut command: Command = shell(&format!("{begin}\nread -r _\n{end}"));
        // A group of its own: what ends the test's group does not end this before its time.
        let shell = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).process_group(0).spawn().unwrap();
        Self { shell }
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}
