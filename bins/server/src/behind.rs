//! What the server writes behind its requests: when keys were used, how many requests there were, and which mail was opened and followed.

use std::time::Duration;

use selfmx_auth::System;
use selfmx_storage::{Store, WhichUses};
use tokio_util::sync::CancellationToken;

/// What was counted in between is lost where the process is killed.
const BETWEEN_WRITES: Duration = Duration::from_secs(5);

/// Opens and clicks that come together share a commit.
const GATHERED: Duration = Duration::from_millis(250);
const AFTER_A_FAILURE: Duration = Duration::from_secs(1);

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

/// Records opens and clicks soon after they come, those of a moment together, and at the end all that there are.
pub(crate) async fn record_tracked(store: Store, system: System, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => {}
            () = store.tracked_arrived() => wait(GATHERED, &stop).await,
        }
        while let Err(error) = store.tracked_write(&system).await {
            tracing::warn!(error = %error, "opens and clicks could not be recorded");
            if stop.is_cancelled() {
                return;
            }
            wait(AFTER_A_FAILURE, &stop).await;
        }
        if stop.is_cancelled() {
            return;
        }
    }
}

async fn wait(time: Duration, stop: &CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = tokio::time::sleep(time) => {}
    }
}
