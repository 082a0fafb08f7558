//! An open stream of events: looks for more about once a second, writes what there is, and ends when its reader may not read any more.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use selfmx_app::{App, Error, StreamPlace};
use selfmx_auth::{Origin, Permit, Principal, Secret, needs};
use selfmx_domain::{EventFilter, EventPosition, TenantId};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::time::{Instant, timeout};
use tracing::Instrument as _;

use crate::credentials::{Presented, presented};
use crate::{Call, Failure, event_text};

/// Between two looks of which the first found nothing more.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);
/// After so long without an event a reader hears that the stream is alive.
const BETWEEN_BEATS: Duration = Duration::from_secs(15);
/// A reader that takes nothing for so long is left.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a stream was opened with, by which its reader is admitted over again.
pub(crate) struct Admission {
    app: Arc<App>,
    secret: Secret,
    origin: Arc<Origin>,
    /// The tenant that the path names.
    tenant: Option<TenantId>,
}

/// An open stream.
pub(crate) struct Following {
    pub(crate) admission: Admission,
    pub(crate) filter: EventFilter,
    /// After the last event that was written.
    pub(crate) at: EventPosition,
    /// Whether it goes on when all is read that has happened.
    pub(crate) stays: bool,
    pub(crate) place: StreamPlace,
}

/// Why a stream ended.
#[derive(Debug, thiserror::Error)]
enum Ending {
    #[error("all was read")]
    AllRead,
    #[error("the reader has gone")]
    Gone,
    #[error("the reader took nothing for too long")]
    Slow,
    #[error("the key may not read any more, or could not be asked for")]
    NotAdmitted,
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl Admission {
    /// Of a call that was admitted.
    pub(crate) fn of(call: &Call<App>, permit: &Permit<needs::LogsRead>) -> Result<Self, Failure> {
        let Presented::Key(secret) = presented(call.headers())? else { return Err(Failure::MissingKey) };
        Ok(Self { app: call.shared_state(), secret, origin: Arc::new(permit.origin().clone()), tenant: call.tenant_id().ok() })
    }

    /// The same once more, by what the key and the tenant are now.
    async fn again(&self) -> Option<Permit<needs::LogsRead>> {
        let principal = self.app.sign_in_again(&self.secret, Arc::clone(&self.origin)).await.ok()?;
        self.acting(principal).await?.permit().ok()
    }

    async fn acting(&self, principal: Principal) -> Option<Principal> {
        let Some(tenant) = self.tenant else { return Some(principal) };
        self.app.tenant_act(&principal.platform_permit().ok()?, tenant).await.ok()
    }
}

impl Following {
    /// Begins to write; the parts come as fast as they are taken.
    pub(crate) fn begin(self) -> Receiver<Bytes> {
        let (sender, receiver) = mpsc::channel(1);
        let following = async move {
            let ending = self.run(&sender).await;
            tracing::info!(reason = %ending, "an event stream has ended");
        };
        tokio::spawn(following.in_current_span());
        receiver
    }

    async fn run(mut self, reader: &Sender<Bytes>) -> Ending {
        let ended = self.write(reader).await;
        drop(self.place);
        ended.err().unwrap_or(Ending::AllRead)
    }

    async fn write(&mut self, reader: &Sender<Bytes>) -> Result<(), Ending> {
        hand(reader, event_text::opening(self.at)).await?;
        let mut spoken = Instant::now();
        loop {
            let (text, has_more) = self.look().await?;
            if !text.is_empty() || spoken.elapsed() >= BETWEEN_BEATS {
                hand(reader, if text.is_empty() { event_text::BEAT } else { text }).await?;
                spoken = Instant::now();
            }
            if has_more {
                continue;
            }
            if !self.stays {
                return Ok(());
            }
            tokio::select! {
                () = reader.closed() => return Err(Ending::Gone),
                () = tokio::time::sleep(BETWEEN_LOOKS) => {}
            }
        }
    }

    /// Reads what comes next, and tells whether there is more at once.
    async fn look(&mut self) -> Result<(Bytes, bool), Ending> {
        let permit = self.admission.again().await.ok_or(Ending::NotAdmitted)?;
        let followed = self.admission.app.event_follow(&permit, self.at).await.map_err(|error: Error| Failure::from(error))?;
        let text = event_text::text(&followed, &self.filter)?;
        self.at = followed.entries.last().map_or(self.at, |(place, _)| *place);
        Ok((text, followed.has_more))
    }
}

async fn hand(reader: &Sender<Bytes>, text: Bytes) -> Result<(), Ending> {
    timeout(PATIENCE, reader.send(text)).await.or(Err(Ending::Slow))?.or(Err(Ending::Gone))
}
