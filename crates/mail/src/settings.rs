//! How to reach a relay and how to use it.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use selfmx_domain::{Domain, Reach};
use zeroize::Zeroizing;

use crate::SmtpCounts;

/// How the connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first octet (RFC 8314), usual on port 465.
    ImplicitTls,
    /// TLS by STARTTLS (RFC 3207), required: a relay that does not offer it gets nothing.
    StartTls,
    /// No TLS at all. Credentials are refused then, unless the relay is on this machine.
    Plain,
}

impl Security {
    /// What a port is used with: TLS at once on 465, STARTTLS on any other.
    #[must_use]
    pub const fn of_port(port: u16) -> Self {
        if port == 465 { Self::ImplicitTls } else { Self::StartTls }
    }
}

/// Whether the relay has to prove who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verification {
    /// Its certificate must be trusted, in date and for its host name.
    Verify,
    /// Any certificate will do: the connection is encrypted, and to whom is not known.
    Accept,
}

/// The user name and password for AUTH (RFC 4954).
#[derive(Clone)]
pub struct Credentials {
    user: String,
    pass: Zeroizing<String>,
}

impl Credentials {
    /// Credentials of a user name and a password, which is overwritten when it is dropped.
    #[must_use]
    pub fn new(user: impl Into<String>, pass: impl Into<String>) -> Self {
        Self { user: user.into(), pass: Zeroizing::new(pass.into()) }
    }

    /// The credentials in mail-send's form, borrowed.
    pub(crate) fn lent(&self) -> mail_send::Credentials<&str> {
        mail_send::Credentials::Plain { username: self.user.as_str(), secret: self.pass.as_str() }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(hidden)")
    }
}

/// Everything about one relay. [`RelaySettings::new`] fills in what is usual.
#[derive(Clone, Debug)]
pub struct RelaySettings {
    /// A host name or an IP address.
    pub host: String,
    /// The TCP port.
    pub port: u16,
    /// Which addresses may be connected to, whatever the host says.
    pub reach: Reach,
    /// How the connection is protected.
    pub security: Security,
    /// Whether the relay has to prove who it is.
    pub verification: Verification,
    /// What to authenticate with, if with anything.
    pub credentials: Option<Credentials>,
    /// The name that EHLO gives (RFC 5321 section 4.1.1.1).
    pub helo: Domain,
    /// How long to wait for a connection and for each reply but the last.
    pub timeout: Duration,
    /// How long to wait for the reply after the final dot: giving up there risks that a mail goes out twice (RFC 5321 section 4.5.3.2.6).
    pub final_timeout: Duration,
    /// How many connections there may be at once.
    pub pool_size: usize,
    /// How long an unused connection is kept.
    pub idle_timeout: Duration,
    /// After how many messages a connection is replaced.
    pub messages_per_connection: u32,
    /// How long a relay that refused our credentials, or that is not trusted, is left alone.
    pub hold: Duration,
    /// Certificate authorities to trust besides those of the operating system, each as PEM or DER.
    pub extra_roots: Vec<Vec<u8>>,
    /// What is counted; several relays may share it.
    pub counts: Arc<SmtpCounts>,
}

impl RelaySettings {
    /// Settings for a relay at any address, with what the port is usually used with, verification on, 30 s for each reply and 5 min for the last, 10
    /// connections kept for 30 s and for 100 messages, and 30 s of rest for a relay that cannot be used.
    #[must_use]
    pub fn new(host: impl Into<String>, port: u16, helo: Domain) -> Self {
        Self {
            host: host.into(),
            port,
            reach: Reach::Anywhere,
            security: Security::of_port(port),
            verification: Verification::Verify,
            credentials: None,
            helo,
            timeout: Duration::from_secs(30),
            final_timeout: Duration::from_secs(300),
            pool_size: 10,
            idle_timeout: Duration::from_secs(30),
            messages_per_connection: 100,
            hold: Duration::from_secs(30),
            extra_roots: Vec::new(),
            counts: Arc::default(),
        }
    }

    /// Whether what is sent never leaves this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        if self.reach == Reach::PublicOnly {
            return false;
        }
        self.host.parse::<IpAddr>().map_or_else(|_| self.host.eq_ignore_ascii_case("localhost"), |address| address.is_loopback())
    }
}
