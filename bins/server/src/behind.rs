//! What the server writes and deletes behind its requests: when keys were used, how many requests there were, and the counts of days that are over.

use std::time::Duration;

use selfmx_auth::System;
use selfmx_storage::{Store, WhichUses};
use tokio_util::sync::CancellationToken;

/// What was counted in between is lost where the process is killed.
const BETWEEN_WRITES: Duration = Duration::from_secs(5);

/// A count is in nobody's way: it is only to go some time.
const BETWEEN_LOOKS: Duration = Duration::from_secs(3600);
/// Between two steps: others come first.
const BETWEEN_STEPS: Duration = Duration::from_millis(50);
const DAYS_IN_A_STEP: u32 = 1_000;

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

/// Deletes the counts of daily quotas of days that are over, in short steps, until `stop`.
pub(crate) async fn forget_days(store: Store, system: System, stop: CancellationToken) {
    let work = async {
        loop {
            let pause = match store.quota_days_forget(&system, DAYS_IN_A_STEP).await {
                Ok(0) => BETWEEN_LOOKS,
                Ok(_) => BETWEEN_STEPS,
                Err(error) => {
                    tracing::warn!(error = %error, "the counts of days that are over could not be deleted: it is tried again");
                    BETWEEN_LOOKS
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
