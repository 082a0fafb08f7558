//! Private keys as an operator makes them: by the `openssl` program.

#![expect(clippy::expect_used, reason = "a test without OpenSSL has failed")]

use std::process::{Command, Stdio};

/// What `openssl` with these arguments prints, such as `genrsa 2048`.
///
/// # Panics
///
/// Without OpenSSL, with the line that installs it; where it refuses.
#[must_use]
pub fn openssl(arguments: &str) -> String {
    let output = Command::new("openssl").args(arguments.split(' ')).stdin(Stdio::null()).output();
    let output = output.expect("OpenSSL is needed: apt-get install openssl");
    assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("a key in PEM is text")
}
