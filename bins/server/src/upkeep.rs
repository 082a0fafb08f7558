//! What the server does of its own accord for tenants: their mail comes back when they are resumed.

use std::time::Duration;

use selfmx_auth::System;
use selfmx_storage::Store;
use tokio_util::sync::CancellationToken;

/// Between two looks that found nothing.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);
/// Between two steps: others come first.
const BETWEEN_STEPS: Duration = Duration::from_millis(5);
const AFTER_A_FAILURE: Duration = Duration::from_secs(5);

/// Brings back the mail of tenants that were resumed, until `stop`. Each step is a short commit: what is not done is found by the next, on whichever
/// node.
pub(crate) async fn bring_back(store: Store, system: System, stop: CancellationToken) {
    let work = async {
        loop {
            let pause = match store.queue_resume(&system).await {
                Ok(0) => BETWEEN_LOOKS,
                Ok(_) => BETWEEN_STEPS,
                Err(error) => {
                    tracing::warn!(error = %error, "the mail of resumed tenants could not be brought back: it is tried again");
                    AFTER_A_FAILURE
                }
            };
            tokio::time::sleep(pause).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = work => {}
    }
}
