//! One HTTP/1.1 connection that costs nearly nothing: the request is octets that were made before, of the answer the status and the length are read.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const MOST: usize = 4 * 1024 * 1024;

/// A kept connection.
pub(crate) struct Client {
    stream: TcpStream,
    read: Vec<u8>,
}

/// An answer that was read to its end.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Client {
    /// Connects.
    pub(crate) async fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, read: Vec::with_capacity(4096) })
    }

    /// Writes a request in one piece and reads the answer.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> io::Result<Answer> {
        self.stream.write_all(request).await?;
        self.read.clear();
        loop {
            if self.stream.read_buf(&mut self.read).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(answer) = whole(&self.read)? {
                return Ok(answer);
            }
        }
    }
}

/// The answer, once it is there to its end.
fn whole(read: &[u8]) -> io::Result<Option<Answer>> {
    let wrong = || io::Error::from(io::ErrorKind::InvalidData);
    let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") else {
        return if read.len() > MOST { Err(wrong()) } else { Ok(None) };
    };
    let (head, rest) = read.split_at(end);
    let head = std::str::from_utf8(head).or(Err(wrong()))?;
    let status = head.get(9..12).and_then(|status| status.parse().ok()).ok_or_else(wrong)?;
    let lengths = head.lines().filter_map(|line| line.split_once(':')).filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length: usize = lengths.filter_map(|(_, length)| length.trim().parse().ok()).next().ok_or_else(wrong)?;
    let body = rest.get(4..).and_then(|body| body.get(..length));
    Ok(body.map(|body| Answer { status, body: body.to_vec() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_when_its_body_is() {
        let text = b"HTTP/1.1 202 Accepted\r\nContent-Length: 3\r\nX: y\r\n\r\nabc";
        for end in 0..text.len() {
            assert!(whole(&text[..end]).unwrap().is_none(), "{end}");
        }
        let answer = whole(text).unwrap().unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (202, b"abc".as_slice()));
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        assert!(whole(b"HTTP/1.1 202 Accepted\r\nX: y\r\n\r\n").is_err());
        assert!(whole(b"HTTP/1.1 abc\r\nContent-Length: 1\r\n\r\n.").is_err());
    }
}
