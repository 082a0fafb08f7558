//! Why an endpoint gave no answer.

use std::fmt;
use std::io;

/// A step of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Looking the host up, and the TCP connection.
    Connect,
    /// The TLS handshake.
    Handshake,
    /// The request, and the head of its answer.
    Answer,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connecting",
            Self::Handshake => "the TLS handshake",
            Self::Answer => "waiting for its answer",
        })
    }
}

/// Why there is no answer. The texts are for whoever configured the webhook.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PostError {
    /// Only public addresses may be connected to, and the host is or has none, as far as can be found. It says no more: what else can be found from here
    /// is not for whoever gave the URL.
    #[error("the host has no public address: only public addresses are connected to")]
    NoPublicAddress,
    /// The host cannot be looked up, or connected to.
    #[error("the endpoint cannot be reached: {0}")]
    Connect(#[source] io::Error),
    /// The time ran out.
    #[error("the endpoint took too long at {0}")]
    TimedOut(Step),
    /// The certificate is not to be trusted, or not for this host.
    #[error("the endpoint's certificate is not trusted: {0}")]
    Untrusted(#[source] rustls::Error),
    /// The TLS handshake failed for another reason.
    #[error("the TLS handshake failed: {0}")]
    Tls(#[source] io::Error),
    /// The TLS library refuses to work.
    #[error("TLS cannot be set up")]
    TlsSetup(#[source] rustls::Error),
    /// The URL's host or path cannot be written into a request.
    #[error("the URL cannot be written into a request")]
    Request(#[source] hyper::http::Error),
    /// The host can be in no certificate.
    #[error("the URL's host is neither a host name nor an IP address")]
    HostName,
    /// What came back is no HTTP, or its head is too long.
    #[error("what the endpoint answered is not HTTP/1.1, or too long")]
    NotHttp(#[source] hyper::Error),
    /// The connection ended before there was an answer.
    #[error("the endpoint closed the connection without an answer")]
    Closed(#[source] hyper::Error),
    /// The certificate authority that was given cannot be read.
    #[error("a certificate authority given for webhooks is not PEM")]
    BadRoot,
}
