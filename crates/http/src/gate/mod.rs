//! Lets only well-formed HTTP/1 heads through to hyper, one at a time and in time.
//!
//! hyper accepts lines that end by a bare LF, and answers what it cannot parse without a body. So each head is read here first, strictly; its body is
//! passed on as framed, and only then is the next head looked at. A head that does not pass is replaced by a harmless one, which the service then
//! answers with the fault that [`Verdicts`] kept for it, so that this answer too has a JSON body and a request id.

mod chunks;
mod head;
#[cfg(test)]
mod tests;

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use crate::HeadFault;
use crate::activity::Activity;
use chunks::Chunks;
use head::Framing;

const REPLACEMENT: &[u8] = b"GET / HTTP/1.1\r\nconnection: close\r\n\r\n";
const READ_SIZE: usize = 8 * 1024;

/// Which request of a connection, counted from the first, did not pass, and why.
#[derive(Debug, Default)]
pub(crate) struct Verdicts(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    passed: u64,
    served: u64,
    refused: Option<HeadFault>,
}

impl Verdicts {
    /// The fault of the request that is to be served next. Called once for each, in their order.
    pub(crate) fn next(&self) -> Option<HeadFault> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.served += 1;
        counts.refused.filter(|_| counts.served > counts.passed)
    }

    fn pass(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).passed += 1;
    }

    fn refuse(&self, fault: HeadFault) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).refused = Some(fault);
    }
}

/// An HTTP/1 connection of which hyper sees only what passed.
pub(crate) struct Gate<T> {
    inner: T,
    verdicts: Arc<Verdicts>,
    activity: Arc<Activity>,
    head_timeout: Duration,
    state: State,
    /// Read and not yet checked.
    raw: BytesMut,
    /// Checked and not yet handed over.
    passed: Bytes,
}

enum State {
    /// Before the end of a head, of which so many octets were looked at; the timer runs from its first one.
    Head { seen: usize, timer: Option<Pin<Box<Sleep>>> },
    /// Before so many octets of a body.
    Body { left: u64 },
    /// Within a chunked body.
    Chunked(Chunks),
    /// After a head that did not pass: nothing more is read.
    Refused,
}

impl State {
    const HEAD: Self = Self::Head { seen: 0, timer: None };
}

impl<T> Gate<T> {
    /// The gate before a connection of which `first` was read already.
    pub(crate) fn new(inner: T, first: BytesMut, activity: Arc<Activity>, head_timeout: Duration) -> Self {
        let verdicts = Arc::new(Verdicts::default());
        Self { inner, verdicts, activity, head_timeout, state: State::HEAD, raw: first, passed: Bytes::new() }
    }

    /// What the service asks for the verdict on each request.
    pub(crate) fn verdicts(&self) -> Arc<Verdicts> {
        Arc::clone(&self.verdicts)
    }

    fn pass_head(&mut self, length: usize) -> Result<(), HeadFault> {
        let head = self.raw.split_to(length).freeze();
        self.state = match head::check(&head)? {
            Framing::Length(left) => State::Body { left },
            Framing::Chunked => State::Chunked(Chunks::START),
        };
        self.verdicts.pass();
        self.passed = head;
        Ok(())
    }

    fn refuse(&mut self, fault: HeadFault) {
        self.verdicts.refuse(fault);
        self.state = State::Refused;
        self.raw.clear();
        self.passed = Bytes::from_static(REPLACEMENT);
    }
}

impl<T: AsyncRead + Unpin> Gate<T> {
    /// Works until something has passed, `false` at the connection's end.
    fn poll_pass(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        while self.passed.is_empty() {
            let more = match &self.state {
                State::Head { .. } => ready!(self.poll_head(cx)),
                State::Body { left: 0 } => {
                    self.state = State::HEAD;
                    Ok(true)
                }
                State::Body { left } => {
                    let left = *left;
                    ready!(self.poll_body(cx, left))
                }
                State::Chunked(Chunks::Done) => {
                    self.state = State::HEAD;
                    Ok(true)
                }
                State::Chunked(chunks) => {
                    let chunks = *chunks;
                    ready!(self.poll_chunked(cx, chunks))
                }
                State::Refused => return Poll::Pending,
            };
            if !more? {
                return Poll::Ready(Ok(false));
            }
        }
        Poll::Ready(Ok(true))
    }

    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        // An empty line before a request is ignored (RFC 9112 section 2.2).
        while self.raw.starts_with(b"\r\n") {
            self.raw.advance(2);
        }
        let State::Head { seen, timer } = &mut self.state else {
            return Poll::Ready(Ok(true));
        };
        let verdict = match head::end(&self.raw, *seen) {
            Ok(Some(length)) => self.pass_head(length),
            Err(fault) => Err(fault),
            Ok(None) => {
                *seen = self.raw.len();
                if !self.raw.is_empty() && timer.is_none() {
                    self.activity.note();
                    *timer = Some(Box::pin(sleep(self.head_timeout)));
                }
                if timer.as_mut().is_none_or(|timer| timer.as_mut().poll(cx).is_pending()) {
                    return self.poll_more(cx);
                }
                Err(HeadFault::TooSlow)
            }
        };
        if let Err(fault) = verdict {
            self.refuse(fault);
        }
        Poll::Ready(Ok(true))
    }

    fn poll_body(&mut self, cx: &mut Context<'_>, left: u64) -> Poll<io::Result<bool>> {
        if self.raw.is_empty() && !ready!(self.poll_more(cx))? {
            return Poll::Ready(Ok(false));
        }
        let take = usize::try_from(left).unwrap_or(usize::MAX).min(self.raw.len());
        self.passed = self.raw.split_to(take).freeze();
        self.state = State::Body { left: left.saturating_sub(u64::try_from(take).unwrap_or(u64::MAX)) };
        Poll::Ready(Ok(true))
    }

    fn poll_chunked(&mut self, cx: &mut Context<'_>, mut chunks: Chunks) -> Poll<io::Result<bool>> {
        if self.raw.is_empty() && !ready!(self.poll_more(cx))? {
            return Poll::Ready(Ok(false));
        }
        let take = chunks.advance(&self.raw).map_err(|fault| io::Error::new(io::ErrorKind::InvalidData, fault))?;
        self.passed = self.raw.split_to(take).freeze();
        self.state = State::Chunked(chunks);
        Poll::Ready(Ok(true))
    }

    /// Reads more, `false` at the connection's end.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut octets = [0; READ_SIZE];
        let mut read = ReadBuf::new(&mut octets);
        ready!(Pin::new(&mut self.inner).poll_read(cx, &mut read))?;
        self.raw.extend_from_slice(read.filled());
        Poll::Ready(Ok(!read.filled().is_empty()))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Gate<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if ready!(self.poll_pass(cx))? {
            let take = into.remaining().min(self.passed.len());
            into.put_slice(&self.passed.split_to(take));
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Gate<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, octets)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}
