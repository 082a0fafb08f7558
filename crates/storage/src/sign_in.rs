//! What signing in asks: the key of a digest, and the tenant of the environment's key.

use std::sync::Arc;
use std::time::Instant;

use diesel::dsl::{now, sql};
use diesel::sql_types::{Binary, Bool, Timestamptz};
use diesel::{ExpressionMethods, IntoSql, JoinOnDsl, OptionalExtension, QueryDsl, SelectableHelper};
use diesel_async::RunQueryDsl;
use selfmx_auth::{Digest, StoredKey};
use selfmx_domain::{Tenant, TenantId};
use time::OffsetDateTime;

use crate::key_rows::KeyRow;
use crate::memory::Recalled;
use crate::schema::{api_keys, tenants};
use crate::store::read;
use crate::tenant_rows::TenantRow;
use crate::{Error, Store};

/// The key with a digest, or else the oldest, in three parts between which the digest stands. Both are looked up each time, whichever is taken.
const SOUGHT: [&str; 3] = [
    "api_keys.id = (SELECT id FROM (SELECT id, 0 AS turn FROM api_keys WHERE digest = ",
    " OR previous_digest = ",
    " UNION ALL (SELECT id, 1 FROM api_keys ORDER BY id LIMIT 1)) AS sought ORDER BY turn LIMIT 1)",
];

/// A key that was found by the digest of its secret, and the database's time at that moment.
#[derive(Debug)]
pub struct FoundKey {
    /// The key.
    pub stored: Arc<StoredKey>,
    /// When it was looked up, by the database's clock; where nothing had to be asked, up to a second later.
    pub at: OffsetDateTime,
}

impl FoundKey {
    /// Whether the key is to be recognised by the secret of this digest.
    pub(crate) fn is_live(&self, digest: &Digest) -> bool {
        self.stored.digests.matches(digest, self.at) & self.stored.key.is_live(self.at)
    }
}

impl Store {
    /// The key that is recognised by the secret of this digest, now or before its last rotation, whatever its state; one of a deleted tenant is switched
    /// off. Where there is none: another key, which the digest is not of, so that looking took as long; nothing only where there is no key at all.
    /// Whoever asks compares the digests, as [`Principal::recognise`](selfmx_auth::Principal::recognise) does.
    ///
    /// It takes no permit: this is where permits come from. A live key is remembered while this node [listens](Self::listen); others are asked for
    /// each time.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn key_find_by_digest(&self, digest: Digest) -> Result<Option<FoundKey>, Error> {
        let question = match self.memory.key(&digest, Instant::now()) {
            Recalled::Known(found) => return Ok(Some(found)),
            Recalled::Unknown(question) => question,
        };
        let found = self.key_look_up(&digest).await?;
        if let Some(found) = &found {
            self.memory.keep_key(question, &digest, found, Instant::now());
        }
        Ok(found)
    }

    async fn key_look_up(&self, digest: &Digest) -> Result<Option<FoundKey>, Error> {
        let found: Option<(KeyRow, TenantRow, bool, OffsetDateTime)> = read!(self, connection => {
            let octets = digest.as_bytes().as_slice();
            let [begin, or, end] = SOUGHT;
            let sought = sql::<Bool>(begin).bind::<Binary, _>(octets).sql(or).bind::<Binary, _>(octets).sql(end);
            let acts_for = sql::<Bool>("tenants.id = coalesce(api_keys.tenant_id, '00000000-0000-0000-0000-000000000000')");
            let query = api_keys::table.inner_join(tenants::table.on(acts_for)).filter(sought);
            let tenant_is_there = tenants::deleted_at.is_null();
            let columns = (KeyRow::as_select(), TenantRow::as_select(), tenant_is_there, now.into_sql::<Timestamptz>());
            query.select(columns).first(connection).await.optional()
        })
        .await?;
        let found = found.map(|(key, tenant, tenant_is_there, at)| {
            let (digests, mut key) = key.into_parts()?;
            key.enabled &= tenant_is_there;
            let stored = StoredKey { digests, key, tenant: Arc::new(tenant.into_tenant()?) };
            Ok(FoundKey { stored: Arc::new(stored), at })
        });
        found.transpose()
    }

    /// The tenant on which platform keys act, as it is now; remembered as keys are.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn tenant_default(&self) -> Result<Arc<Tenant>, Error> {
        let question = match self.memory.default_tenant(Instant::now()) {
            Recalled::Known(tenant) => return Ok(tenant),
            Recalled::Unknown(question) => question,
        };
        let id = TenantId::DEFAULT.as_uuid();
        let query = || tenants::table.find(id).select(TenantRow::as_select());
        let row: TenantRow = read!(self, connection => query().first(connection).await).await?;
        let tenant = Arc::new(row.into_tenant()?);
        self.memory.keep_default_tenant(question, &tenant, Instant::now());
        Ok(tenant)
    }
}
