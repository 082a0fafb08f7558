//! One connection to a relay, from the greeting to QUIT.

use std::io;
use std::time::Duration;

use mail_send::SmtpClient;
use selfmx_domain::Reply;
use selfmx_metrics::{Gauge, Held};
use smtp_proto::{AUTH_LOGIN, AUTH_PLAIN, EXT_START_TLS, EhloResponse};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::dial;
use crate::error::Phase;
use crate::reply::ReplyFlaw;
use crate::tls::Tls;
use crate::wire::{self, Stream, Wire};
use crate::{RelayError, RelaySettings, Security};

/// Authentication required, mechanism too weak, credentials invalid, encryption required (RFC 4954 section 6): about us, and about no recipient.
pub(crate) const ABOUT_US: [u16; 4] = [530, 534, 535, 538];

/// How long a relay has to say goodbye: nothing depends on it.
const QUIT_TIMEOUT: Duration = Duration::from_secs(2);

/// A connection that is ready for MAIL.
pub(crate) struct Connection {
    client: SmtpClient<Wire>,
    /// What the relay offers, as it said last: within TLS where there is TLS.
    pub(crate) capabilities: EhloResponse<String>,
    /// How many messages were handed over it.
    pub(crate) served: u32,
    /// By the relay, and by whoever counts those of all relays.
    _counted: [Held; 2],
}

impl Connection {
    /// Connects, and goes as far as the settings ask: greeting, EHLO, STARTTLS and EHLO again, AUTH. From its beginning it is one of those that are `open`.
    pub(crate) async fn open(settings: &RelaySettings, tls: Option<&Tls>, open: &Gauge) -> Result<Self, RelayError> {
        let open = open.hold();
        let tcp = dial::connect(settings).await?;
        let (mut client, greeted) = match (settings.security, tls) {
            (Security::ImplicitTls, Some(tls)) => (client(settings, handshake(tcp, tls, settings.timeout).await?), false),
            (Security::StartTls, Some(tls)) => (client(settings, start_tls(tcp, tls, settings).await?), true),
            _ => (client(settings, Stream::Plain(tcp)), false),
        };
        if !greeted {
            greeting(&mut client).await?;
        }
        let capabilities = ehlo(&mut client, settings).await?;
        authenticate(&mut client, &capabilities, settings).await?;
        Ok(Self { client, capabilities, served: 0, _counted: [open, settings.counts.connections.hold()] })
    }

    /// Sends octets as one write.
    pub(crate) async fn send(&mut self, phase: Phase, octets: &[u8]) -> Result<(), RelayError> {
        let limit = self.client.timeout;
        let stream = &mut self.client.stream;
        let sent = timeout(limit, async {
            stream.write_all(octets).await?;
            stream.flush().await
        });
        sent.await.or(Err(RelayError::TimedOut(phase)))?.map_err(|source| broken(phase, source))
    }

    /// Waits for the next reply, for `limit`.
    pub(crate) async fn reply_within(&mut self, phase: Phase, limit: Duration) -> Result<Reply, RelayError> {
        let reply = timeout(limit, self.client.stream.reply()).await.or(Err(RelayError::TimedOut(phase)))?;
        reply.map_err(|source| broken(phase, source))
    }

    /// Waits for the next reply, for as long as is usual.
    pub(crate) async fn reply(&mut self, phase: Phase) -> Result<Reply, RelayError> {
        self.reply_within(phase, self.client.timeout).await
    }

    /// Whether the connection still waits for us: nothing has come in that nobody asked for, the end of the connection included.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.client.stream.is_quiet()
    }

    /// RSET: forgets a transaction that came to nothing.
    pub(crate) async fn reset(&mut self) -> Result<(), RelayError> {
        let result = self.client.rset().await;
        said(&self.client, Phase::Rset, result)
    }

    /// NOOP: asks whether the relay still listens.
    pub(crate) async fn noop(&mut self) -> Result<Reply, RelayError> {
        let result = self.client.noop().await;
        said(&self.client, Phase::Noop, result)?;
        self.client.stream.last().cloned().ok_or(RelayError::Protocol { phase: Phase::Noop, flaw: ReplyFlaw::OutOfPlace })
    }

    /// QUIT: says goodbye, and does not mind what comes back.
    pub(crate) async fn quit(self) {
        if let Ok(Err(error)) = timeout(QUIT_TIMEOUT, self.client.quit()).await {
            tracing::debug!(%error, "the relay did not say goodbye");
        }
    }
}

const fn client(settings: &RelaySettings, stream: Stream) -> SmtpClient<Wire> {
    SmtpClient { stream: Wire::new(stream), timeout: settings.timeout }
}

async fn handshake(tcp: TcpStream, tls: &Tls, limit: Duration) -> Result<Stream, RelayError> {
    let connected = timeout(limit, tls.connector.connect(tls.name.clone(), tcp)).await.or(Err(RelayError::TimedOut(Phase::Handshake)))?;
    connected.map(|stream| Stream::Tls(Box::new(stream))).map_err(refused_handshake)
}

fn refused_handshake(error: io::Error) -> RelayError {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(cause @ rustls::Error::InvalidCertificate(_)) => RelayError::Untrusted(cause.clone()),
        _ => RelayError::Tls(error),
    }
}

/// From a TCP connection to TLS within it. Nothing that was said before TLS counts after it.
async fn start_tls(tcp: TcpStream, tls: &Tls, settings: &RelaySettings) -> Result<Stream, RelayError> {
    let mut clear = client(settings, Stream::Plain(tcp));
    greeting(&mut clear).await?;
    if !ehlo(&mut clear, settings).await?.has_capability(EXT_START_TLS) {
        return Err(RelayError::NoStartTls);
    }
    let result = clear.cmd(b"STARTTLS\r\n").await;
    said(&clear, Phase::StartTls, result)?;
    match clear.stream.last().cloned() {
        Some(reply) if reply.code() == 220 => {}
        Some(reply) => return Err(RelayError::Refused { phase: Phase::StartTls, reply }),
        None => return Err(RelayError::Protocol { phase: Phase::StartTls, flaw: ReplyFlaw::OutOfPlace }),
    }
    let tcp = clear.stream.into_clear().ok_or(RelayError::Injected)?;
    handshake(tcp, tls, settings.timeout).await
}

async fn greeting(client: &mut SmtpClient<Wire>) -> Result<(), RelayError> {
    // mail-send waits for the greeting without end.
    let read = timeout(client.timeout, client.stream.reply()).await.or(Err(RelayError::TimedOut(Phase::Greeting)))?;
    let reply = read.map_err(|source| broken(Phase::Greeting, source))?;
    if reply.code() == 220 { Ok(()) } else { Err(RelayError::Refused { phase: Phase::Greeting, reply }) }
}

async fn ehlo(client: &mut SmtpClient<Wire>, settings: &RelaySettings) -> Result<EhloResponse<String>, RelayError> {
    let result = client.ehlo(settings.helo.as_str()).await;
    said(client, Phase::Ehlo, result)
}

async fn authenticate(
    client: &mut SmtpClient<Wire>,
    capabilities: &EhloResponse<String>,
    settings: &RelaySettings,
) -> Result<(), RelayError> {
    let Some(credentials) = &settings.credentials else { return Ok(()) };
    // mail-send would begin a mechanism that it cannot finish.
    let offered = EhloResponse { auth_mechanisms: capabilities.auth_mechanisms & (AUTH_PLAIN | AUTH_LOGIN), ..capabilities.clone() };
    if offered.auth_mechanisms == 0 {
        return Err(RelayError::NoAuth);
    }
    let result = client.authenticate(credentials.lent(), offered).await.map(|_| ());
    match said(client, Phase::Auth, result) {
        Err(RelayError::Refused { reply, .. }) if reply.is_permanent() => Err(RelayError::AuthRefused(reply)),
        result => result,
    }
}

/// Tells mail-send's errors apart.
fn said<T>(client: &SmtpClient<Wire>, phase: Phase, result: mail_send::Result<T>) -> Result<T, RelayError> {
    use mail_send::Error;
    result.map_err(|error| match (error, client.stream.last()) {
        (Error::UnexpectedReply(_) | Error::AuthenticationFailed(_), Some(reply)) => RelayError::Refused { phase, reply: reply.clone() },
        (Error::Timeout, _) => RelayError::TimedOut(phase),
        (Error::Io(source), _) => broken(phase, source),
        (Error::UnsupportedAuthMechanism, _) => RelayError::NoAuth,
        _ => RelayError::Protocol { phase, flaw: ReplyFlaw::Unreadable },
    })
}

fn broken(phase: Phase, source: io::Error) -> RelayError {
    match wire::flaw(&source) {
        Some(flaw) => RelayError::Protocol { phase, flaw },
        None => RelayError::Broken { phase, source },
    }
}
