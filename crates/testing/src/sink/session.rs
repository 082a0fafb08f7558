//! One conversation with a sink.

use std::io;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::ledger::{Ledger, Transaction};
use super::script::{self, Act, Phase, Place};
use super::{SinkSettings, SinkTls, misdeeds};
use crate::Certificate;

/// A connection, with TLS or without.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {
    /// Has it end with an error for the other side (RST) when it is closed.
    fn break_off(&self) -> io::Result<()>;
}

impl Stream for TcpStream {
    fn break_off(&self) -> io::Result<()> {
        self.set_zero_linger()
    }
}

impl Stream for TlsStream<TcpStream> {
    fn break_off(&self) -> io::Result<()> {
        self.get_ref().0.set_zero_linger()
    }
}

/// Takes connections until it is aborted.
pub(super) async fn accept(listener: TcpListener, settings: Arc<SinkSettings>, ledger: Arc<Ledger>) {
    loop {
        let Ok((tcp, _)) = listener.accept().await else { return };
        let (settings, ledger) = (Arc::clone(&settings), Arc::clone(&ledger));
        tokio::spawn(async move {
            let number = ledger.connected();
            // However it ends is what the ledger has to tell.
            let _ = converse(tcp, number, &settings, &ledger).await;
            ledger.disconnected();
        });
    }
}

async fn converse(tcp: TcpStream, number: usize, settings: &SinkSettings, ledger: &Ledger) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    if settings.most_connections.is_some_and(|most| ledger.connections() - ledger.closed() > most) {
        return BufReader::new(tcp).write_all(b"421 4.7.0 too many connections\r\n").await;
    }
    let mut session = Session { number, settings, ledger, tls: false, user: None, count: 0, open: None };
    if let SinkTls::Implicit(certificate) = &settings.tls {
        session.tls = true;
        let mut stream = BufReader::new(secured(tcp, certificate).await?);
        if session.greet(&mut stream).await? {
            session.run(&mut stream).await?;
        }
        return Ok(());
    }
    let mut stream = BufReader::new(tcp);
    if !session.greet(&mut stream).await? || session.run(&mut stream).await? == Next::Over {
        return Ok(());
    }
    let SinkTls::StartTls(certificate) = &settings.tls else { return Ok(()) };
    session.tls = true;
    session.run(&mut BufReader::new(secured(stream.into_inner(), certificate).await?)).await?;
    Ok(())
}

async fn secured(tcp: TcpStream, certificate: &Certificate) -> io::Result<impl Stream + use<>> {
    TlsAcceptor::from(certificate.server_config()).accept(tcp).await
}

/// How a stretch of the conversation ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    On,
    Over,
    Secure,
}

struct Session<'a> {
    number: usize,
    settings: &'a SinkSettings,
    ledger: &'a Ledger,
    tls: bool,
    user: Option<String>,
    /// How many transactions were begun before.
    count: usize,
    open: Option<Open>,
}

/// A transaction between MAIL and the dot.
#[derive(Default)]
struct Open {
    sender: String,
    parameters: String,
    recipients: Vec<String>,
}

impl Session<'_> {
    /// Greets, and says whether the conversation goes on.
    async fn greet<S: Stream>(&mut self, stream: &mut BufReader<S>) -> io::Result<bool> {
        Ok(self.answer(stream, Phase::Greeting, &[], "220 sink.example ESMTP").await? == Next::On)
    }

    async fn run<S: Stream>(&mut self, stream: &mut BufReader<S>) -> io::Result<Next> {
        loop {
            let mut line = Vec::new();
            if stream.read_until(b'\n', &mut line).await? == 0 {
                return Ok(Next::Over);
            }
            let line = String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned();
            let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            self.ledger.heard(self.number, if verb == "AUTH" { "AUTH" } else { &line });
            let next = match verb.as_str() {
                "EHLO" => self.ehlo(stream).await?,
                "STARTTLS" => self.start_tls(stream).await?,
                "AUTH" => self.auth(stream, &line).await?,
                "MAIL" => self.mail(stream, &line).await?,
                "RCPT" => self.rcpt(stream, &line).await?,
                "DATA" => self.data(stream).await?,
                "RSET" => {
                    self.open = None;
                    self.answer(stream, Phase::Rset, &[], "250 2.0.0 Ok").await?
                }
                "NOOP" => self.answer(stream, Phase::Noop, &[], "250 2.0.0 Ok").await?,
                "QUIT" => {
                    self.answer(stream, Phase::Quit, &[], "221 2.0.0 Bye").await?;
                    return Ok(Next::Over);
                }
                _ => said(stream, "502 5.5.2 Not a command that I know").await?,
            };
            if next != Next::On {
                return Ok(next);
            }
        }
    }

    async fn ehlo<S: Stream>(&mut self, stream: &mut BufReader<S>) -> io::Result<Next> {
        let within = self.settings.capabilities_within_tls.as_ref().filter(|_| self.tls);
        let mut lines = vec!["sink.example".to_owned()];
        lines.extend(within.unwrap_or(&self.settings.capabilities).iter().cloned());
        let can_start_tls = matches!(self.settings.tls, SinkTls::StartTls(_)) && !self.tls;
        if can_start_tls {
            lines.push("STARTTLS".to_owned());
        }
        if self.settings.credentials.is_some() && !can_start_tls && !self.settings.mechanisms.is_empty() {
            lines.push(format!("AUTH {}", self.settings.mechanisms.join(" ")));
        }
        let last = lines.pop().unwrap_or_default();
        let reply: String = lines.iter().map(|line| format!("250-{line}\r\n")).chain([format!("250 {last}")]).collect();
        self.answer(stream, Phase::Ehlo, &[], &reply).await
    }

    async fn start_tls<S: Stream>(&mut self, stream: &mut BufReader<S>) -> io::Result<Next> {
        if let Some(next) = self.misbehave(stream, Phase::StartTls, &[]).await? {
            return Ok(next);
        }
        said(stream, format!("220 2.0.0 Ready\r\n{}", self.settings.injected).trim_end()).await?;
        Ok(Next::Secure)
    }

    async fn auth<S: Stream>(&mut self, stream: &mut BufReader<S>, line: &str) -> io::Result<Next> {
        if let Some(next) = self.misbehave(stream, Phase::Auth, &[]).await? {
            return Ok(next);
        }
        let mut words = line.split(' ').skip(1);
        let mechanism = words.next().unwrap_or_default().to_ascii_uppercase();
        let given = match mechanism.as_str() {
            "PLAIN" => {
                let initial = words.next().unwrap_or_default();
                let mut parts = unbase64(initial).split('\0').skip(1).map(str::to_owned).collect::<Vec<_>>().into_iter();
                (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
            }
            "LOGIN" => (challenge(stream, "VXNlcm5hbWU6").await?, challenge(stream, "UGFzc3dvcmQ6").await?),
            _ => return said(stream, "504 5.5.4 Not a mechanism that I know").await,
        };
        if self.settings.credentials.as_ref() != Some(&given) {
            return said(stream, "535 5.7.8 Error: authentication failed").await;
        }
        self.user = Some(given.0);
        said(stream, "235 2.7.0 Authentication successful").await
    }

    async fn mail<S: Stream>(&mut self, stream: &mut BufReader<S>, line: &str) -> io::Result<Next> {
        if self.settings.credentials.is_some() && self.user.is_none() {
            return said(stream, "530 5.7.0 Authentication required").await;
        }
        let before = self.misbehave(stream, Phase::Mail, &[]).await?;
        self.count += 1;
        if let Some(next) = before {
            return Ok(next);
        }
        let (sender, parameters) = address(line);
        self.open = Some(Open { sender, parameters, recipients: Vec::new() });
        said(stream, "250 2.1.0 Ok").await
    }

    async fn rcpt<S: Stream>(&mut self, stream: &mut BufReader<S>, line: &str) -> io::Result<Next> {
        let (recipient, _) = address(line);
        if self.open.is_none() {
            return said(stream, "503 5.5.1 Error: need MAIL command").await;
        }
        if let Some(next) = self.misbehave(stream, Phase::Rcpt, std::slice::from_ref(&recipient)).await? {
            return Ok(next);
        }
        self.open.get_or_insert_default().recipients.push(recipient);
        said(stream, "250 2.1.5 Ok").await
    }

    async fn data<S: Stream>(&mut self, stream: &mut BufReader<S>) -> io::Result<Next> {
        let recipients = self.open.as_ref().map(|open| open.recipients.clone()).unwrap_or_default();
        if let Some(next) = self.misbehave(stream, Phase::Data, &recipients).await? {
            return Ok(next);
        }
        if recipients.is_empty() {
            return said(stream, "554 5.5.1 Error: no valid recipients").await;
        }
        write(stream, "354 End data with <CR><LF>.<CR><LF>").await?;
        let octets = message(stream).await?;
        self.conclude(stream, octets).await
    }

    /// Writes down a message with the reply that it gets, and writes the reply.
    async fn conclude<S: Stream>(&mut self, stream: &mut BufReader<S>, octets: Vec<u8>) -> io::Result<Next> {
        let came = Instant::now();
        let open = self.open.take().unwrap_or_default();
        let act = script::due(&self.settings.faults, &self.place(Phase::FinalDot, &open.recipients)).cloned();
        let act = misdeeds::waited(act).await;
        let act = act.unwrap_or_else(|| Act::Reply(format!("250 2.0.0 Ok: kept as {}-{}", self.number, self.count)));
        let reply = misdeeds::reply(&act).map(str::to_owned);
        let place = self.ledger.keep(Transaction {
            connection: self.number,
            tls: self.tls,
            user: self.user.clone(),
            sender: open.sender,
            parameters: open.parameters,
            recipients: open.recipients,
            octets,
            taken: reply.as_ref().is_some_and(|reply| reply.starts_with('2')),
            reply,
            came,
            answered: Instant::now(),
        });
        let done = misdeeds::perform(stream, &act).await;
        if done.is_err() {
            self.ledger.unanswered(place);
        }
        done
    }

    /// The scripted fault if one is due, else the reply.
    async fn answer<S: Stream>(&self, stream: &mut BufReader<S>, phase: Phase, recipients: &[String], reply: &str) -> io::Result<Next> {
        match self.misbehave(stream, phase, recipients).await? {
            Some(next) => Ok(next),
            None => said(stream, reply).await,
        }
    }

    async fn misbehave<S: Stream>(&self, stream: &mut BufReader<S>, phase: Phase, recipients: &[String]) -> io::Result<Option<Next>> {
        let act = script::due(&self.settings.faults, &self.place(phase, recipients)).cloned();
        match misdeeds::waited(act).await {
            Some(act) => misdeeds::perform(stream, &act).await.map(Some),
            None => Ok(None),
        }
    }

    fn place<'r>(&self, phase: Phase, recipients: &'r [String]) -> Place<'r> {
        // From RCPT on, the transaction has been counted.
        let begun = matches!(phase, Phase::Rcpt | Phase::Data | Phase::FinalDot);
        Place { phase, connection: self.number, transaction: self.count - usize::from(begun && self.count > 0), recipients }
    }
}

async fn said<S: Stream>(stream: &mut BufReader<S>, reply: &str) -> io::Result<Next> {
    write(stream, reply).await?;
    Ok(Next::On)
}

pub(super) async fn write<S: Stream>(stream: &mut BufReader<S>, reply: &str) -> io::Result<()> {
    let stream = stream.get_mut();
    stream.write_all(format!("{reply}\r\n").as_bytes()).await?;
    stream.flush().await
}

async fn challenge<S: Stream>(stream: &mut BufReader<S>, question: &str) -> io::Result<String> {
    write(stream, &format!("334 {question}")).await?;
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    Ok(unbase64(line.trim_end()))
}

/// Reads to the final dot, and takes the added dots off.
async fn message<S: Stream>(stream: &mut BufReader<S>) -> io::Result<Vec<u8>> {
    let (mut octets, mut whole_line) = (Vec::new(), true);
    loop {
        let mut line = Vec::new();
        if stream.read_until(b'\n', &mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if whole_line && line == b".\r\n" {
            return Ok(octets);
        }
        let line_ends = line.ends_with(b"\r\n");
        octets.extend_from_slice(if whole_line { line.strip_prefix(b".").unwrap_or(&line) } else { &line });
        whole_line = line_ends;
    }
}

/// The address between the brackets, and what stands after them.
fn address(line: &str) -> (String, String) {
    let inner = line.split_once('<').map_or("", |(_, rest)| rest);
    inner.rsplit_once('>').map_or_else(Default::default, |(address, rest)| (address.to_owned(), rest.trim().to_owned()))
}

fn unbase64(text: &str) -> String {
    String::from_utf8_lossy(&BASE64_STANDARD.decode(text).unwrap_or_default()).into_owned()
}
