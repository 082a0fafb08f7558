//! What the server does of its own accord: the mail of resumed tenants comes back, the data of deleted ones goes, and so does what is too old.

use std::num::NonZeroU32;
use std::time::Duration;

use selfmx_auth::System;
use selfmx_domain::EmailId;
use selfmx_storage::{Erasing, Error, Store};
use tokio_util::sync::CancellationToken;

/// Between two looks that found nothing.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);
const AFTER_A_FAILURE: Duration = Duration::from_secs(5);
/// After a step that found something.
const AFTER_BRINGING_BACK: Duration = Duration::from_millis(5);
/// The database does other things first.
const AFTER_ERASING: Duration = Duration::from_millis(50);
/// What is too old is in nobody's way: it is only to go some time.
const BETWEEN_FORGETTING: Duration = Duration::from_secs(3600);
/// For how many days deliveries to webhooks are kept.
const DELIVERIES_KEPT: u32 = 30;
const FORGOTTEN_IN_A_STEP: u32 = 1_000;

/// Something that is never finished. Its steps are short commits: what is not done is found by the next, on whichever node.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Upkeep {
    /// Brings back the mail of tenants that were resumed.
    BringBack,
    /// Erases what deleted tenants had.
    Erase,
    /// Deletes the counts of daily quotas of days that are over.
    ForgetDays,
    /// Deletes idempotency keys that are older than a day.
    ForgetRequests,
    /// Deletes deliveries to webhooks that came to their end so many days ago, and what of webhooks is of no more use.
    ForgetDeliveries(u32),
    /// Deletes the bodies and events of emails with which all has been done for so many days.
    Purge(NonZeroU32),
}

impl Upkeep {
    /// All that there are when emails are purged after so many days, if at all; each with its name in the log.
    pub(crate) fn all(retention: Option<NonZeroU32>) -> impl Iterator<Item = (&'static str, Self)> {
        let deliveries = retention.map_or(DELIVERIES_KEPT, |days| days.get().min(DELIVERIES_KEPT));
        let always = [
            ("forgetting deliveries", Self::ForgetDeliveries(deliveries)),
            ("bringing back", Self::BringBack),
            ("erasing", Self::Erase),
            ("forgetting days", Self::ForgetDays),
            ("forgetting requests", Self::ForgetRequests),
        ];
        always.into_iter().chain(retention.map(|days| ("purging", Self::Purge(days))))
    }

    /// Takes step after step until `stop`.
    pub(crate) async fn run(self, store: Store, system: System, stop: CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.steps(&store, &system) => {}
        }
    }

    async fn steps(self, store: &Store, system: &System) {
        // How far the purge has come on its way from the oldest on.
        let mut reached = None;
        loop {
            let pause = match self.step(store, system, &mut reached).await {
                Ok(pause) => pause,
                Err(error) => {
                    tracing::warn!(error = %error, upkeep = ?self, "upkeep failed: it is tried again");
                    AFTER_A_FAILURE
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Takes a step, and tells how long to wait until the next.
    async fn step(self, store: &Store, system: &System, reached: &mut Option<EmailId>) -> Result<Duration, Error> {
        Ok(match self {
            Self::BringBack if store.queue_resume(system).await? > 0 => AFTER_BRINGING_BACK,
            Self::Erase if store.tenant_erase(system).await? == Erasing::Some => AFTER_ERASING,
            Self::ForgetDays if store.quota_days_forget(system, FORGOTTEN_IN_A_STEP).await? > 0 => AFTER_ERASING,
            Self::ForgetRequests if store.idempotency_keys_forget(system, FORGOTTEN_IN_A_STEP).await? > 0 => AFTER_ERASING,
            Self::ForgetDeliveries(days) if store.webhooks_forget(system, FORGOTTEN_IN_A_STEP, days).await? > 0 => AFTER_ERASING,
            Self::Purge(days) => {
                *reached = store.retention_purge(system, days, *reached).await?.next;
                if reached.is_some() { AFTER_ERASING } else { BETWEEN_FORGETTING }
            }
            Self::BringBack | Self::Erase => BETWEEN_LOOKS,
            Self::ForgetDays | Self::ForgetRequests | Self::ForgetDeliveries(_) => BETWEEN_FORGETTING,
        })
    }
}
