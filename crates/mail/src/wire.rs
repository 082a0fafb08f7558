//! A connection that gives out one reply at a time.
//!
//! mail-send reads up to 1,024 octets and drops what follows the first reply in them: with pipelining it would lose replies, and after STARTTLS it
//! would not see what somebody injected. Below it lies this, which never gives it more than one reply, and which can be asked for more.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use selfmx_domain::Reply;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::reply::{self, ReplyFlaw};

/// A TCP connection, with TLS or before it.
#[derive(Debug)]
pub(crate) enum Stream {
    /// In clear.
    Plain(TcpStream),
    /// Within TLS.
    Tls(Box<TlsStream<TcpStream>>),
}

/// A stream whose reader sees whole replies.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: Stream,
    /// What has come in and was not given out.
    incoming: Vec<u8>,
    /// The length of the first whole reply in `incoming`, while it is being given out, and how much of it was.
    first: Option<(usize, usize)>,
    /// The last reply that was given out.
    last: Option<Reply>,
}

impl Wire {
    pub(crate) const fn new(stream: Stream) -> Self {
        Self { stream, incoming: Vec::new(), first: None, last: None }
    }

    /// The next reply.
    pub(crate) async fn reply(&mut self) -> io::Result<Reply> {
        std::future::poll_fn(|context| self.poll_reply(context)).await
    }

    /// The last reply that was read, by whomever.
    pub(crate) const fn last(&self) -> Option<&Reply> {
        self.last.as_ref()
    }

    /// Whether nothing has come in that nobody asked for: neither words nor the end of the connection.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.incoming.is_empty() && self.poll_fill(&mut Context::from_waker(Waker::noop())).is_pending()
    }

    /// The TCP connection for TLS to take over, unless something came in that TLS would not cover, or TLS is there already.
    pub(crate) fn into_clear(self) -> Option<TcpStream> {
        match self.stream {
            Stream::Plain(tcp) if self.incoming.is_empty() => Some(tcp),
            _ => None,
        }
    }

    fn poll_reply(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Reply>> {
        let length = ready!(self.poll_first(context))?;
        Poll::Ready(self.given_out(length))
    }

    /// Waits until a whole reply is there, and says how long it is.
    fn poll_first(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        loop {
            if let Some(length) = reply::length_of_first(&self.incoming).map_err(broken_rule)? {
                return Poll::Ready(Ok(length));
            }
            ready!(self.poll_fill(context))?;
        }
    }

    /// Takes in what the relay says, or fails at the end of the connection.
    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut octets = [0; 4096];
        let mut buffer = ReadBuf::new(&mut octets);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer))?;
        if buffer.filled().is_empty() {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::UnexpectedEof, "closed by the relay")));
        }
        self.incoming.extend_from_slice(buffer.filled());
        Poll::Ready(Ok(()))
    }

    fn given_out(&mut self, length: usize) -> io::Result<Reply> {
        let reply = self.incoming.get(..length).map(reply::parse);
        self.incoming.drain(..length.min(self.incoming.len()));
        let reply = reply.unwrap_or(Err(ReplyFlaw::Unreadable)).map_err(broken_rule)?;
        self.last = Some(reply.clone());
        Ok(reply)
    }
}

/// The flaw within an error that a wire gave, for those that were no fault of the network.
pub(crate) fn flaw(error: &io::Error) -> Option<ReplyFlaw> {
    error.get_ref().and_then(|inner| inner.downcast_ref()).copied()
}

fn broken_rule(flaw: ReplyFlaw) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, flaw)
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let (length, given) = match self.first {
            Some(first) => first,
            None => (ready!(self.poll_first(context))?, 0),
        };
        let end = length.min(given + buffer.remaining());
        buffer.put_slice(self.incoming.get(given..end).unwrap_or_default());
        self.first = (end < length).then_some((length, end));
        if self.first.is_none() {
            self.given_out(length)?;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(context, buffer),
            Self::Tls(tls) => Pin::new(tls).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(context, octets),
            Self::Tls(tls) => Pin::new(tls).poll_write(context, octets),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(tcp) => Pin::new(tcp).poll_flush(context),
            Self::Tls(tls) => Pin::new(tls).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(context),
            Self::Tls(tls) => Pin::new(tls).poll_shutdown(context),
        }
    }
}
