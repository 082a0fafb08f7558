//! How a sink does what it does wrong.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};

use super::script::Act;
use super::session::{Next, Stream, write};

/// Waits where waiting is all that is wrong; gives what else is.
pub(super) async fn waited(act: Option<Act>) -> Option<Act> {
    match act {
        Some(Act::Late(by)) => tokio::time::sleep(by).await,
        Some(Act::Held(gate)) => gate.pass().await,
        other => return other,
    }
    None
}

/// The reply that an act writes whole.
pub(super) fn reply(act: &Act) -> Option<&str> {
    match act {
        Act::Reply(reply) | Act::ReplyAndClose(reply) | Act::Drip(reply, _) => Some(reply),
        _ => None,
    }
}

pub(super) async fn perform<S: Stream>(stream: &mut BufReader<S>, act: &Act) -> io::Result<Next> {
    match act {
        Act::Reply(reply) => {
            write(stream, reply).await?;
            Ok(if reply.starts_with("421") { Next::Over } else { Next::On })
        }
        Act::ReplyAndClose(reply) => {
            write(stream, reply).await?;
            Ok(Next::Over)
        }
        Act::Drip(reply, pause) => {
            for octet in format!("{reply}\r\n").bytes() {
                stream.write_all(&[octet]).await?;
                stream.flush().await?;
                tokio::time::sleep(*pause).await;
            }
            Ok(Next::On)
        }
        Act::Endless(line) => loop {
            write(stream, line).await?;
        },
        Act::Close => Ok(Next::Over),
        Act::Reset => {
            stream.get_ref().break_off()?;
            Ok(Next::Over)
        }
        Act::Silence => {
            let mut ignored = Vec::new();
            stream.read_to_end(&mut ignored).await?;
            Ok(Next::Over)
        }
        Act::Late(_) | Act::Held(_) => Ok(Next::On),
    }
}
