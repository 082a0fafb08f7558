//! Closing so that the last answer arrives: a socket that is closed with unread octets resets the connection, and the answer with it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// How long what the client still sends is read and thrown away.
const LINGER: Duration = Duration::from_secs(2);

/// A connection that, once it is shut down, is read to its end for a while.
pub(crate) struct Lingering<T> {
    inner: T,
    closing: Closing,
}

enum Closing {
    Open,
    ShuttingDown(Pin<Box<Sleep>>),
    Discarding(Pin<Box<Sleep>>),
}

impl<T> Lingering<T> {
    /// The connection.
    pub(crate) const fn new(inner: T) -> Self {
        Self { inner, closing: Closing::Open }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Lingering<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, into)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lingering<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let me = &mut *self;
        loop {
            match &mut me.closing {
                Closing::Open => me.closing = Closing::ShuttingDown(Box::pin(sleep(LINGER))),
                Closing::ShuttingDown(timer) => {
                    if Pin::new(&mut me.inner).poll_shutdown(cx)?.is_ready() {
                        me.closing = Closing::Discarding(Box::pin(sleep(LINGER)));
                        continue;
                    }
                    return timer.as_mut().poll(cx).map(Ok);
                }
                Closing::Discarding(timer) => {
                    if timer.as_mut().poll(cx).is_ready() {
                        return Poll::Ready(Ok(()));
                    }
                    let mut octets = [0; 8 * 1024];
                    let mut read = ReadBuf::new(&mut octets);
                    ready!(Pin::new(&mut me.inner).poll_read(cx, &mut read))?;
                    if read.filled().is_empty() {
                        return Poll::Ready(Ok(()));
                    }
                }
            }
        }
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, octets)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_still_comes_is_read_until_the_client_closes() {
        let (mut client, server) = tokio::io::duplex(16);
        let closing = tokio::spawn(async move { Lingering::new(server).shutdown().await });
        client.write_all(&[0; 1000]).await.unwrap();
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
        drop(client);
        closing.await.unwrap().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_never_closes_is_left_after_a_while() {
        let (_client, server) = tokio::io::duplex(16);
        let begin = Instant::now();
        Lingering::new(server).shutdown().await.unwrap();
        assert_eq!(begin.elapsed(), LINGER);
    }
}
