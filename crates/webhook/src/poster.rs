//! Posts events to endpoints.

use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use rustls::pki_types::ServerName;
use selfmx_domain::{EventId, Reach, WebhookId, WebhookSecret, WebhookUrl};
use time::OffsetDateTime;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::dial::{Machine, connect};
use crate::error::Step;
use crate::exchange::{Connection, request};
use crate::kept::{Kept, Line, Whose};
use crate::{Answer, PostError, tls};

/// How events are posted.
#[derive(Clone, Debug)]
pub struct PosterSettings {
    /// Which addresses may be connected to.
    pub reach: Reach,
    /// How long an attempt may take in all.
    pub timeout: Duration,
    /// For how long a connection that nobody uses is kept: less than endpoints usually wait before they close it.
    pub idle: Duration,
    /// Certificate authorities in PEM, beside those of the operating system.
    pub extra_roots: Vec<String>,
}

impl Default for PosterSettings {
    /// Public addresses only, 15 seconds, kept for 4, the operating system's certificate authorities.
    fn default() -> Self {
        Self { reach: Reach::PublicOnly, timeout: Duration::from_secs(15), idle: Duration::from_secs(4), extra_roots: Vec::new() }
    }
}

/// One event on its way to one endpoint.
#[derive(Clone, Debug)]
pub struct Post<'a> {
    /// Whose endpoint: no two share a connection.
    pub webhook: WebhookId,
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
    /// The trace that it belongs to, and which part of it this attempt is (W3C Trace Context).
    pub traceparent: &'a str,
}

/// Posts events, over connections of each webhook's own, so that no endpoint has to do with another.
pub struct Poster {
    reach: Reach,
    timeout: Duration,
    tls: TlsConnector,
    kept: Kept,
}

impl Poster {
    /// Sets TLS up.
    ///
    /// # Errors
    ///
    /// [`PostError::BadRoot`], [`PostError::TlsSetup`].
    pub fn new(settings: &PosterSettings) -> Result<Self, PostError> {
        Ok(Self {
            reach: settings.reach,
            timeout: settings.timeout,
            tls: tls::connector(&settings.extra_roots)?,
            kept: Kept::for_as_long_as(settings.idle),
        })
    }

    /// Posts once, over a connection that was kept from an earlier post where there is one. Where the endpoint has closed that meanwhile, or gives it up with a 408,
    /// over a new one.
    ///
    /// # Errors
    ///
    /// [`PostError`], where there is no answer. An answer of any status is no error: see [`Answer::outcome`].
    pub async fn post(&self, post: &Post<'_>) -> Result<Answer, PostError> {
        let (deadline, whose) = (Instant::now() + self.timeout, Whose::of(post));
        if let Some(mut line) = self.kept.take(&whose) {
            match line.connection.exchange(request(post)?, post.at, deadline).await {
                // Whether the endpoint had the event before it closed nobody knows: it is posted at least once.
                Err(PostError::Closed(_)) => {}
                // It had given up waiting for the next one before it came: not its answer, and the event may be repeated (RFC 9110 section 15.5.9).
                Ok(answer) if answer.status == StatusCode::REQUEST_TIMEOUT => {}
                done => return self.keep(whose, line, done, deadline).await,
            }
        }
        let made = Instant::now();
        let mut line = Line { connection: self.connection(post.url, deadline).await?, made };
        let done = line.connection.exchange(request(post)?, post.at, deadline).await;
        self.keep(whose, line, done, deadline).await
    }

    /// Closes connections that nobody has used for a while.
    pub fn forget_idle(&self) {
        self.kept.forget_idle();
    }

    async fn connection(&self, url: &WebhookUrl, deadline: Instant) -> Result<Connection, PostError> {
        let tcp = connect(&Machine, self.reach, url, deadline).await?;
        if !url.is_https() {
            return Connection::over(tcp).await;
        }
        Connection::over(self.handshake(url, tcp, deadline).await?).await
    }

    async fn keep(&self, whose: Whose, mut line: Line, done: Result<Answer, PostError>, deadline: Instant) -> Result<Answer, PostError> {
        if done.is_ok() && line.connection.goes_on(deadline).await {
            self.kept.put(whose, line);
        }
        done
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
