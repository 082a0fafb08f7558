//! What can go wrong between us and a relay.

use std::fmt;
use std::io;

use selfmx_domain::Reply;

use crate::reply::ReplyFlaw;

/// A step of the conversation with a relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The TCP connection.
    Connect,
    /// The relay's greeting.
    Greeting,
    /// EHLO.
    Ehlo,
    /// STARTTLS.
    StartTls,
    /// The TLS handshake.
    Handshake,
    /// AUTH.
    Auth,
    /// MAIL.
    Mail,
    /// RCPT.
    Rcpt,
    /// DATA.
    Data,
    /// The message itself.
    Message,
    /// The reply to the final dot.
    FinalReply,
    /// RSET.
    Rset,
    /// NOOP.
    Noop,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connecting",
            Self::Greeting => "the greeting",
            Self::Ehlo => "EHLO",
            Self::StartTls => "STARTTLS",
            Self::Handshake => "the TLS handshake",
            Self::Auth => "AUTH",
            Self::Mail => "MAIL",
            Self::Rcpt => "RCPT",
            Self::Data => "DATA",
            Self::Message => "sending the message",
            Self::FinalReply => "the final dot",
            Self::Rset => "RSET",
            Self::Noop => "NOOP",
        })
    }
}

/// Why a relay cannot be used, or could not this time.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RelayError {
    /// The settings would send credentials over the network in clear.
    #[error("credentials are not sent in clear: use TLS, or a relay on this machine")]
    ClearCredentials,
    /// The host is neither a host name nor an IP address, so no certificate could be for it.
    #[error("the relay's host is neither a host name nor an IP address")]
    HostName,
    /// There is no certificate authority to trust.
    #[error("no certificate authorities are installed: install them (Debian: `apt-get install ca-certificates`) or give your own")]
    NoRoots,
    /// A certificate authority of the settings cannot be read.
    #[error("a certificate authority given for the relay is neither PEM nor DER")]
    BadRoot,
    /// The TLS library refuses the settings.
    #[error("TLS cannot be set up")]
    TlsSetup(#[source] rustls::Error),
    /// Only public addresses may be connected to, and the host is or has none, as far as can be found. It says no more, since a tenant may read it.
    #[error("the relay's host has no public address: only public addresses are connected to")]
    NoPublicAddress,
    /// The relay cannot be reached.
    #[error("the relay cannot be reached: {0}")]
    Connect(#[source] io::Error),
    /// The relay did not answer in time.
    #[error("the relay did not answer in time at {0}")]
    TimedOut(Phase),
    /// The connection broke or was closed.
    #[error("the connection broke at {phase}: {source}")]
    Broken {
        /// Where it broke.
        phase: Phase,
        /// How it broke.
        source: io::Error,
    },
    /// What the relay said is no SMTP reply, or not one that fits.
    #[error("the relay does not speak SMTP at {phase}: {flaw}")]
    Protocol {
        /// Where it said it.
        phase: Phase,
        /// What is wrong with it.
        flaw: ReplyFlaw,
    },
    /// The relay's certificate is not to be trusted.
    #[error("the relay's certificate is not trusted: {0}")]
    Untrusted(#[source] rustls::Error),
    /// The TLS handshake failed for another reason.
    #[error("the TLS handshake failed: {0}")]
    Tls(#[source] io::Error),
    /// The relay does not offer STARTTLS, and mail is not sent in clear.
    #[error("the relay does not offer STARTTLS, which is required")]
    NoStartTls,
    /// The relay sent more than its reply to STARTTLS before TLS began: somebody may be injecting (CVE-2011-0411 and its kind).
    #[error("the relay sent more than its reply to STARTTLS before TLS began")]
    Injected,
    /// There are credentials, and the relay offers neither AUTH PLAIN nor AUTH LOGIN.
    #[error("the relay offers no way to authenticate that we know (PLAIN, LOGIN)")]
    NoAuth,
    /// The relay refused our credentials.
    #[error("the relay refused our credentials: {0}")]
    AuthRefused(Reply),
    /// Whoever handed the message over took it back before its last octets went out: the relay has no whole message, and delivers none.
    #[error("the message was taken back before it was sent whole")]
    Withdrawn,
    /// The relay refused a step that concerns no recipient.
    #[error("the relay refused at {phase}: {reply}")]
    Refused {
        /// The step.
        phase: Phase,
        /// What it answered.
        reply: Reply,
    },
}

impl RelayError {
    /// What the relay answered last, where its answer is the reason.
    #[must_use]
    pub const fn reply(&self) -> Option<&Reply> {
        match self {
            Self::AuthRefused(reply) | Self::Refused { reply, .. } => Some(reply),
            _ => None,
        }
    }

    /// Whether it will be so until somebody changes the settings, or the relay's: the relay is held then, and its mail waits.
    #[must_use]
    pub const fn is_lasting(&self) -> bool {
        matches!(self, Self::AuthRefused(_) | Self::Untrusted(_) | Self::NoStartTls | Self::NoAuth)
    }

    /// Whether the relay answered, and wanted no connection more at present.
    pub(crate) const fn is_turned_away(&self) -> bool {
        match self {
            Self::Refused { phase: Phase::Greeting | Phase::Ehlo | Phase::Auth, reply } => !reply.is_permanent(),
            Self::Broken { phase: Phase::Greeting, .. } => true,
            _ => false,
        }
    }
}
