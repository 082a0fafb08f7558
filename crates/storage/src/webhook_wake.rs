//! How a node's worker hears that events were committed which webhooks are to be told of.
//!
//! Whoever commits events wakes the worker of its own node, if a tenant of theirs has a webhook: one look at a set in memory, so that those who accept mail
//! for others pay nothing. Nothing is announced to other nodes, which have nothing to do with it. What the set does not know yet is found by a poll.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use selfmx_auth::System;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::store::read;
use crate::{Error, Store};

/// How many tenants are told apart; where more have webhooks, each commit wakes the worker.
const TOLD_APART: usize = 10_000;

const TENANTS: &str = "SELECT DISTINCT tenant_id FROM webhooks WHERE active LIMIT $1";

/// Whose events wake the node's worker.
#[derive(Clone, Default)]
pub(crate) struct WebhookWake {
    work: Arc<Notify>,
    /// `None`: everybody's, since nobody has looked yet, or there are too many.
    tenants: Arc<RwLock<Option<HashSet<Uuid>>>>,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = SqlUuid)]
    tenant_id: Uuid,
}

impl WebhookWake {
    /// Events of these tenants were committed on this node.
    pub(crate) fn happened(&self, mut tenants: impl Iterator<Item = Uuid>) {
        let known = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
        if known.as_ref().is_none_or(|known| !known.is_empty() && tenants.any(|tenant| known.contains(&tenant))) {
            self.work.notify_one();
        }
    }

    /// A tenant has a webhook, which may be the first.
    pub(crate) fn has_one(&self, tenant: Uuid) {
        if let Some(known) = self.tenants.write().unwrap_or_else(PoisonError::into_inner).as_mut() {
            known.insert(tenant);
        }
        self.work.notify_one();
    }

    fn learn(&self, tenants: Vec<Row>) {
        let known = (tenants.len() <= TOLD_APART).then(|| tenants.into_iter().map(|row| row.tenant_id).collect());
        *self.tenants.write().unwrap_or_else(PoisonError::into_inner) = known;
    }
}

impl Store {
    /// Returns when there may be something to post. One of those who wait is woken for each signal.
    pub async fn webhook_work_arrived(&self) {
        self.webhook_wake.work.notified().await;
    }

    /// Looks which tenants have webhooks: from now on others' events wake nobody.
    ///
    /// # Errors
    ///
    /// Where the database cannot; then what was known stays.
    pub async fn webhook_tenants_learn(&self, _system: &System) -> Result<(), Error> {
        let most = i64::try_from(TOLD_APART + 1).unwrap_or(i64::MAX);
        let query = || diesel::sql_query(TENANTS).bind::<BigInt, _>(most);
        self.webhook_wake.learn(read!(self, connection => query().get_results(connection).await).await?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    async fn is_woken(wake: &WebhookWake) -> bool {
        timeout(Duration::from_millis(20), wake.work.notified()).await.is_ok()
    }

    #[tokio::test]
    async fn events_of_those_who_have_a_webhook_wake_and_no_others() {
        let (wake, mine, others) = (WebhookWake::default(), Uuid::from_u128(1), Uuid::from_u128(2));
        wake.happened([others].into_iter());
        assert!(is_woken(&wake).await, "nobody has looked yet");
        wake.learn(vec![Row { tenant_id: mine }]);
        wake.happened([others].into_iter());
        assert!(!is_woken(&wake).await);
        wake.happened([others, mine].into_iter());
        assert!(is_woken(&wake).await);
        wake.has_one(others);
        assert!(is_woken(&wake).await);
        wake.happened([others].into_iter());
        assert!(is_woken(&wake).await);
        wake.learn((0..=TOLD_APART as u128).map(|n| Row { tenant_id: Uuid::from_u128(n + 10) }).collect());
        wake.happened([mine].into_iter());
        assert!(is_woken(&wake).await, "more than are told apart");
    }
}
