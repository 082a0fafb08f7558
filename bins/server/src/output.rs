//! Standard output: what was asked for, and nothing else. What is said beside it goes to standard error.

use std::io::{self, Write as _};

use serde::Serialize;

use crate::failure::Failure;

/// Tells something whose reader may have read enough of it.
pub(crate) fn tell(text: &str) -> Result<(), Failure> {
    match line(text.trim_end_matches('\n')) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::Output(error)),
        _ => Ok(()),
    }
}

/// Says something on standard error, where somebody listens.
pub(crate) fn note(text: &str) {
    // Nobody could be told that it failed.
    drop(writeln!(io::stderr(), "{text}"));
}

/// Writes a text and a line break.
pub(crate) fn line(text: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    output.write_all(text.as_bytes())?;
    output.write_all(b"\n")?;
    output.flush()
}

/// Writes a value as one line of JSON.
pub(crate) fn json(value: &impl Serialize) -> io::Result<()> {
    let mut output = io::stdout().lock();
    serde_json::to_writer(&mut output, value)?;
    output.write_all(b"\n")?;
    output.flush()
}
