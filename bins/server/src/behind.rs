//! What the server writes behind its requests: when keys were used, and how many requests there were.

use std::time::Duration;

use selfmx_storage::{Store, WhichUses};
use tokio_util::sync::CancellationToken;

/// What was counted in between is lost where the process is killed.
const BETWEEN_WRITES: Duration = Duration::from_secs(5);

/// Writes when keys were last used and how many requests tenants made, now and then and at the end; never on the path of a request.
pub(crate) async fn write(store: Store, stop: CancellationToken) {
    loop {
        let which = tokio::select! {
            () = stop.cancelled() => WhichUses::All,
            () = tokio::time::sleep(BETWEEN_WRITES) => WhichUses::Due,
        };
        if let Err(error) = store.key_use_write(which).await {
            tracing::warn!(error = %error, "when keys were last used could not be written: it is tried again");
        }
        if let Err(error) = store.request_count_write().await {
            tracing::warn!(error = %error, "how many requests there were could not be written: it is tried again");
        }
        if which == WhichUses::All {
            return;
        }
    }
}
