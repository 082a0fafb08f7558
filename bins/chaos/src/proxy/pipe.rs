//! One direction of one connection.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::hold::{Fate, Held};
use super::{Side, Way, Weather};

/// Enough for what is looked for to come in one piece.
const OCTETS: usize = 256 * 1024;

/// Carries octets until the end, and passes the end on.
pub(super) async fn carry(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, side: Side, way: &Way, held: &Held) {
    // An error ends the direction, as the end does.
    let _ = carry_all(&mut from, &mut to, side, way, held).await;
    let _ = to.shutdown().await;
}

async fn carry_all(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    side: Side,
    way: &Way,
    held: &Held,
) -> io::Result<()> {
    let mut room = vec![0; OCTETS];
    let mut carried = 0;
    loop {
        let count = from.read(&mut room).await?;
        let Some(octets) = room.get(..count).filter(|octets| !octets.is_empty()) else { return Ok(()) };
        let weather = *way.weather.borrow();
        match weather {
            Weather::Clear | Weather::Refuses => {}
            Weather::Slow(by) => tokio::time::sleep(by).await,
            Weather::Swallows => continue,
            Weather::CutsAfter(most) if side == Side::Client && carried + count > most => {
                to.write_all(octets.get(..most.saturating_sub(carried)).unwrap_or_default()).await?;
                to.flush().await?;
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            Weather::CutsAfter(_) => {}
        }
        held_back(side, octets, way, held).await?;
        to.write_all(octets).await?;
        to.flush().await?;
        carried += count;
    }
}

/// Waits while these octets are to be held; an error where they are never to arrive.
async fn held_back(side: Side, octets: &[u8], way: &Way, held: &Held) -> io::Result<()> {
    let hold = way.hold.borrow().clone().filter(|hold| hold.catches(side, octets, held));
    let Some(hold) = hold else { return Ok(()) };
    match hold.fate().await {
        Fate::Passes => Ok(()),
        Fate::Dropped => Err(io::ErrorKind::ConnectionAborted.into()),
    }
}
