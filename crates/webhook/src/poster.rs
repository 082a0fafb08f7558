//! Posts events to endpoints.

use std::time::Duration;

use bytes::Bytes;
use rustls::pki_types::ServerName;
use selfmx_domain::{EventId, Reach, WebhookSecret, WebhookUrl};
use time::OffsetDateTime;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::dial::{Machine, connect};
use crate::error::Step;
use crate::exchange::{exchange, request};
use crate::{Answer, PostError, tls};

/// How events are posted.
#[derive(Clone, Debug)]
pub struct PosterSettings {
    /// Which addresses may be connected to.
    pub reach: Reach,
    /// How long an attempt may take in all.
    pub timeout: Duration,
    /// Certificate authorities in PEM, beside those of the operating system.
    pub extra_roots: Vec<String>,
}

impl Default for PosterSettings {
    /// Public addresses only, 15 seconds, the operating system's certificate authorities.
    fn default() -> Self {
        Self { reach: Reach::PublicOnly, timeout: Duration::from_secs(15), extra_roots: Vec::new() }
    }
}

/// One event on its way to one endpoint.
#[derive(Clone, Debug)]
pub struct Post<'a> {
    /// Where to.
    pub url: &'a WebhookUrl,
    /// Which event: the same in every attempt, so that a receiver can tell a repetition.
    pub event: EventId,
    /// When this attempt is made, by which receivers tell old from new.
    pub at: OffsetDateTime,
    /// The event, as JSON.
    pub body: Bytes,
    /// What signs it.
    pub secret: &'a WebhookSecret,
    /// What signed before and is still in its grace.
    pub previous_secret: Option<&'a WebhookSecret>,
}

/// Posts events. Each goes over a connection of its own, so that no endpoint has to do with another.
pub struct Poster {
    reach: Reach,
    timeout: Duration,
    tls: TlsConnector,
}

impl Poster {
    /// Sets TLS up.
    ///
    /// # Errors
    ///
    /// [`PostError::BadRoot`], [`PostError::TlsSetup`].
    pub fn new(settings: &PosterSettings) -> Result<Self, PostError> {
        Ok(Self { reach: settings.reach, timeout: settings.timeout, tls: tls::connector(&settings.extra_roots)? })
    }

    /// Posts once.
    ///
    /// # Errors
    ///
    /// [`PostError`], where there is no answer. An answer of any status is no error: see [`Answer::outcome`].
    pub async fn post(&self, post: &Post<'_>) -> Result<Answer, PostError> {
        let deadline = Instant::now() + self.timeout;
        let request = request(post)?;
        let tcp = connect(&Machine, self.reach, post.url, deadline).await?;
        if !post.url.is_https() {
            return exchange(tcp, request, post.at, deadline).await;
        }
        let tls = self.handshake(post.url, tcp, deadline).await?;
        exchange(tls, request, post.at, deadline).await
    }

    async fn handshake(&self, url: &WebhookUrl, tcp: TcpStream, deadline: Instant) -> Result<TlsStream<TcpStream>, PostError> {
        let name = ServerName::try_from(url.host().to_owned()).or(Err(PostError::HostName))?;
        let shaken = timeout_at(deadline, self.tls.connect(name, tcp)).await.or(Err(PostError::TimedOut(Step::Handshake)))?;
        shaken.map_err(|error| match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(cause @ rustls::Error::InvalidCertificate(_)) => PostError::Untrusted(cause.clone()),
            _ => PostError::Tls(error),
        })
    }
}
