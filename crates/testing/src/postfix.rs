//! Real relays: a Postfix of one's own, and Postfix's `smtp-sink`.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot have its relay has failed")]

mod folders;
mod programs;
mod smtp_sink;

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use self::programs::{INSTALL, free_address, is_root, program};
use crate::Certificate;

pub use smtp_sink::SmtpSink;

/// A Postfix with folders, port, certificate and user of its own: submission with STARTTLS and AUTH required. Stopped when it is dropped.
///
/// Recipients whose local part begins with `refused` get a 550, with `later` a 450. What it takes goes on to the given address by SMTP, or is
/// thrown away.
#[derive(Debug)]
pub struct Postfix {
    folder: TempDir,
    address: SocketAddr,
    certificate: Certificate,
}

impl Postfix {
    /// The user that may send.
    pub const USER: &'static str = "mailer";
    /// The user's password.
    pub const PASS: &'static str = "correct horse battery staple";

    /// Starts one that hands on what it takes to `next` (a [`Sink`](crate::Sink)'s address, say), or throws it away.
    ///
    /// # Panics
    ///
    /// Without root and without Postfix, with the line that helps.
    #[must_use]
    pub fn start(next: Option<SocketAddr>) -> Self {
        assert!(is_root(), "Postfix starts as root only: run this test as root");
        let folder = tempfile::Builder::new().prefix("postfix-").tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let certificate = Certificate::for_loopback();
        let address = free_address();
        folders::write(folder.path(), &certificate);
        folders::write_configuration(folder.path(), address, next);
        let postfix = Self { folder, address, certificate };
        let started = postfix.command("start");
        assert!(started.0, "Postfix did not start: {}\n{}", started.1, postfix.log());
        postfix
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificate that it shows; to trust it, trust this.
    #[must_use]
    pub const fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Runs `postfix <verb>` for this instance: whether it went well, and what it said.
    fn command(&self, verb: &str) -> (bool, String) {
        let output = program("postfix").arg("-c").arg(self.folder.path().join("etc")).arg(verb).output().expect(INSTALL);
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        let (stopped, _) = self.command("stop");
        if !stopped {
            self.command("abort");
        }
    }
}
