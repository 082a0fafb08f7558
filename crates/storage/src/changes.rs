//! How nodes hear that a key or a tenant has changed: by `NOTIFY` in the transaction of the change.

use diesel::result::Error as DieselError;
use diesel::sql_types::Text;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use selfmx_domain::{ApiKeyId, TenantId};

use crate::Store;
use crate::memory::Changed;

/// The channel on which changes are announced, each by the id of what has changed.
pub(crate) const CHANNEL: &str = "selfmx_changes";

impl Store {
    /// Announces, when the open transaction commits, that a key has changed.
    pub(crate) async fn key_announce(&self, connection: &mut AsyncPgConnection, id: ApiKeyId) -> Result<(), DieselError> {
        announce(connection, &id.to_string()).await
    }

    /// Announces, when the open transaction commits, that a tenant has changed.
    pub(crate) async fn tenant_announce(&self, connection: &mut AsyncPgConnection, id: TenantId) -> Result<(), DieselError> {
        announce(connection, &id.to_string()).await
    }

    /// Forgets what this node remembers of a key.
    pub(crate) fn key_forget(&self, id: ApiKeyId) {
        self.memory.forget(Changed::Key(id));
    }

    /// Forgets what this node remembers of a tenant and of all its keys.
    pub(crate) fn tenant_forget(&self, id: TenantId) {
        self.memory.forget(Changed::Tenant(id));
    }
}

async fn announce(connection: &mut AsyncPgConnection, changed: &str) -> Result<(), DieselError> {
    let notify = diesel::sql_query("SELECT pg_notify($1, $2)").bind::<Text, _>(CHANNEL).bind::<Text, _>(changed);
    notify.execute(connection).await.map(|_| ())
}
