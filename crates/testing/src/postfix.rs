//! Real relays: a Postfix of one's own, and Postfix's `smtp-sink`.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot have its relay has failed")]

mod folders;
mod guardian;
mod programs;
mod smtp_sink;

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use self::folders::{Door, Onward};
use self::guardian::Guardian;
use self::programs::{INSTALL, free_address, is_installed, is_root, program};
use crate::Certificate;

pub use smtp_sink::SmtpSink;

/// A Postfix with folders, port, certificate and user of its own: submission with STARTTLS and AUTH required. Stopped when it is dropped.
///
/// Recipients whose local part begins with `refused` get a 550, with `later` a 450. What it takes goes on to the given address by SMTP, or is
/// thrown away.
#[derive(Debug)]
pub struct Postfix {
    /// Before the folder, which it needs to the end.
    _guardian: Guardian,
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
        Self::behind(Door::Submission, &Onward { next, piped: None })
    }

    /// Starts one that hands on what it takes to `next`, and hands what is for `address` to a command, on its standard input and as the user `nobody`: there
    /// mail arrives that `next` did not take.
    ///
    /// # Panics
    ///
    /// Without root and without Postfix, with the line that helps.
    #[must_use]
    pub fn returning(next: SocketAddr, address: &str, command: &str) -> Self {
        Self::behind(Door::Submission, &Onward { next: Some(next), piped: Some((address, command)) })
    }

    /// Starts one that takes everything from the loopback, without STARTTLS and AUTH, and hands it on to `next` over ten connections: to measure against.
    ///
    /// # Panics
    ///
    /// Without root and without Postfix, with the line that helps.
    #[must_use]
    pub fn forwarding(next: SocketAddr) -> Self {
        Self::behind(Door::Open, &Onward { next: Some(next), piped: None })
    }

    fn behind(door: Door, onward: &Onward<'_>) -> Self {
        assert!(["postfix", "saslpasswd2"].iter().all(|name| is_installed(name)), "{INSTALL}");
        assert!(is_root(), "Postfix starts as root only: run this test as root");
        let folder = tempfile::Builder::new().prefix("postfix-").tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let certificate = Certificate::for_loopback();
        let address = free_address();
        folders::write(folder.path(), &certificate);
        folders::write_configuration(folder.path(), address, door, onward);
        let stop = "postfix -c \"$1/etc\" stop || postfix -c \"$1/etc\" abort\nrm -rf \"$1\"";
        let guardian = Guardian::new("", stop, &[folder.path().display().to_string()]);
        let started = program("postfix").arg("-c").arg(folder.path().join("etc")).arg("start").output().unwrap();
        let postfix = Self { _guardian: guardian, folder, address, certificate };
        assert!(started.status.success(), "Postfix did not start: {}\n{}", String::from_utf8_lossy(&started.stderr), postfix.log());
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
}
