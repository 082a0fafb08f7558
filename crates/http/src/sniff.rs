//! Which version of HTTP a connection speaks, by its first octets: HTTP/2 with prior knowledge begins with a preface (RFC 9113 section 3.4).

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A version of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

/// Reads until the version is known. What was read is given back; nothing where the connection ended before.
pub(crate) async fn sniff<T: AsyncRead + Unpin>(io: &mut T) -> io::Result<Option<(Protocol, BytesMut)>> {
    let mut read = BytesMut::with_capacity(PREFACE.len());
    loop {
        if io.read_buf(&mut read).await? == 0 {
            return Ok(None);
        }
        if read.starts_with(PREFACE) {
            return Ok(Some((Protocol::Http2, read)));
        }
        if !PREFACE.starts_with(&read) {
            return Ok(Some((Protocol::Http1, read)));
        }
    }
}

/// A connection whose first octets were read already, and are read once more.
pub(crate) struct Rewound<T> {
    first: BytesMut,
    inner: T,
}

impl<T> Rewound<T> {
    /// The connection, with what was read of it.
    pub(crate) const fn new(first: BytesMut, inner: T) -> Self {
        Self { first, inner }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Rewound<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.first.is_empty() {
            return Pin::new(&mut self.inner).poll_read(cx, into);
        }
        let take = into.remaining().min(self.first.len());
        into.put_slice(self.first.get(..take).unwrap_or_default());
        self.first.advance(take);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Rewound<T> {
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

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    async fn protocol(octets: &[u8]) -> Option<(Protocol, Vec<u8>)> {
        let (mut client, server) = tokio::io::duplex(64);
        client.write_all(octets).await.unwrap();
        drop(client);
        let mut server = server;
        let (protocol, first) = sniff(&mut server).await.unwrap()?;
        let mut all = Vec::new();
        Rewound::new(first, server).read_to_end(&mut all).await.unwrap();
        Some((protocol, all))
    }

    #[tokio::test]
    async fn the_preface_decides_and_nothing_is_lost() {
        let h2 = [PREFACE, b"frames"].concat();
        assert_eq!(protocol(&h2).await, Some((Protocol::Http2, h2.clone())));
        for h1 in [&b"GET / HTTP/1.1\r\n"[..], b"PRI * HTTP/1.1\r\n", b"PUT", b"\r\n", b"\0"] {
            assert_eq!(protocol(h1).await, Some((Protocol::Http1, h1.to_vec())));
        }
        assert_eq!(protocol(b"").await, None);
        assert_eq!(protocol(b"PRI * HT").await, None);
    }
}
