//! API keys: made, found, listed, revoked. Of a secret only its digest comes in here.

use diesel::dsl::{IntoBoxed, now};
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel::sql_types::{BigInt, Timestamptz};
use diesel::{ExpressionMethods, Insertable, IntoSql, OptionalExtension, QueryDsl, Queryable, Selectable, SelectableHelper};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use selfmx_auth::{ApiKey, Digest, Grant, KeySource, Permit, Reach, StoredKey, System, needs};
use selfmx_domain::{ApiKeyId, Page, PageRequest, TenantId};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::pages::{self, Window};
use crate::schema::api_keys;
use crate::store::{change, read};
use crate::{Error, Store};

/// The advisory lock under which the first key is made: the bytes of `selfmx`, then `k`.
const FIRST_KEY_LOCK: i64 = 0x0073_656c_666d_786b;

/// A key that was found by the digest of its secret, and the database's time at that moment.
#[derive(Debug)]
pub struct FoundKey {
    /// The key.
    pub stored: StoredKey,
    /// When it was looked up, by the database's clock.
    pub at: OffsetDateTime,
}

/// Whether a list shows revoked keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RevokedKeys {
    /// It does not.
    #[default]
    Hidden,
    /// It does.
    Included,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = api_keys, check_for_backend(diesel::pg::Pg))]
struct Row {
    id: Uuid,
    tenant_id: Option<Uuid>,
    name: String,
    hint: String,
    digest: Vec<u8>,
    permissions: Vec<String>,
    mode: String,
    created_at: OffsetDateTime,
    expires_at: Option<OffsetDateTime>,
    revoked_at: Option<OffsetDateTime>,
    last_used_at: Option<OffsetDateTime>,
}

#[derive(Insertable)]
#[diesel(table_name = api_keys, check_for_backend(diesel::pg::Pg))]
struct NewRow<'a> {
    id: Uuid,
    tenant_id: Option<Uuid>,
    name: &'a str,
    hint: &'a str,
    digest: &'a [u8],
    permissions: Vec<&'a str>,
    mode: &'a str,
    expires_at: Option<OffsetDateTime>,
}

impl Store {
    /// Stores a new key with the digest of its secret and the secret's last characters.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchTenant`] where the grant names a tenant that does not exist; otherwise where the database cannot.
    pub async fn key_create(
        &self,
        _permit: &Permit<needs::ApiKeysWrite>,
        grant: &Grant,
        digest: Digest,
        hint: &str,
    ) -> Result<ApiKey, Error> {
        change!(self, connection => self.key_insert(connection, grant, digest, hint).await).await
    }

    /// Stores the server's first key, unless there is or ever was a key. `None`: there was one.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn key_create_first(&self, _system: &System, grant: &Grant, digest: Digest, hint: &str) -> Result<Option<ApiKey>, Error> {
        let make = async |connection: &mut AsyncPgConnection| {
            diesel::sql_query("SELECT pg_advisory_xact_lock($1)").bind::<BigInt, _>(FIRST_KEY_LOCK).execute(connection).await?;
            let any: Option<Uuid> = api_keys::table.select(api_keys::id).first(connection).await.optional()?;
            match any {
                Some(_) => Ok(None),
                None => self.key_insert(connection, grant, digest, hint).await.map(Some),
            }
        };
        change!(self, connection => connection.transaction(make).await).await
    }

    async fn key_insert(&self, connection: &mut AsyncPgConnection, grant: &Grant, digest: Digest, hint: &str) -> Result<ApiKey, Error> {
        let row = NewRow {
            id: ApiKeyId::generate(&*self.clock, &*self.entropy).as_uuid(),
            tenant_id: grant.tenant().map(|tenant| tenant.as_uuid()),
            name: grant.name().as_str(),
            hint,
            digest: digest.as_bytes(),
            permissions: grant.permissions().iter().map(|permission| permission.as_str()).collect(),
            mode: grant.mode().as_str(),
            expires_at: grant.expires_at(),
        };
        let inserted = diesel::insert_into(api_keys::table).values(&row).returning(Row::as_returning()).get_results(connection).await;
        match inserted {
            Ok(rows) => rows.into_iter().next().ok_or(Error::Unreadable("api_keys"))?.into_key().map(|stored| stored.key),
            Err(DieselError::DatabaseError(DatabaseErrorKind::ForeignKeyViolation, _)) => Err(Error::NoSuchTenant),
            Err(error) => Err(error.into()),
        }
    }

    /// The key whose secret has this digest, revoked and expired ones included.
    ///
    /// It takes no permit: this is where permits come from.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn key_find_by_digest(&self, digest: Digest) -> Result<Option<FoundKey>, Error> {
        let found: Option<(Row, OffsetDateTime)> = read!(self, connection => {
            let query = api_keys::table.filter(api_keys::digest.eq(digest.as_bytes().as_slice()));
            query.select((Row::as_select(), now.into_sql::<Timestamptz>())).first(connection).await.optional()
        })
        .await?;
        found.map(|(row, at)| Ok(FoundKey { stored: row.into_key()?, at })).transpose()
    }

    /// The key with this id, where the permit reaches it.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn key_find(&self, permit: &Permit<needs::ApiKeysRead>, id: ApiKeyId) -> Result<Option<ApiKey>, Error> {
        let reach = permit.reach();
        let row: Option<Row> = read!(self, connection => {
            within(reach).filter(api_keys::id.eq(id.as_uuid())).select(Row::as_select()).first(connection).await.optional()
        })
        .await?;
        row.map(|row| row.into_key().map(|stored| stored.key)).transpose()
    }

    /// The keys that the permit reaches, newest first; all of them where no page is asked for.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn key_list(
        &self,
        permit: &Permit<needs::ApiKeysRead>,
        revoked: RevokedKeys,
        page: Option<PageRequest<ApiKeyId>>,
    ) -> Result<Page<ApiKey>, Error> {
        let reach = permit.reach();
        let listed = move || {
            let query = within(reach);
            match revoked {
                RevokedKeys::Hidden => query.filter(api_keys::revoked_at.is_null()),
                RevokedKeys::Included => query,
            }
        };
        let window = page.map(Window::of);
        let rows: Vec<Row> = read!(self, connection => {
            let mut query = listed().order(api_keys::id.desc()).select(Row::as_select());
            if let Some(after) = page.and_then(|page| pages::after(page.start)) {
                query = query.filter(api_keys::id.lt(after.as_uuid()));
            }
            if let Some(window) = window {
                query = query.limit(window.rows).offset(window.offset);
            }
            query.load(connection).await
        })
        .await?;
        let keys = rows.into_iter().map(|row| row.into_key().map(|stored| stored.key)).collect::<Result<_, _>>()?;
        let Some(page) = page else {
            return Ok(Page { items: keys, has_more: false, total: None });
        };
        let total = match pages::is_numbered(&page.start) {
            true => Some(pages::total(read!(self, connection => listed().count().get_result(connection).await).await?)),
            false => None,
        };
        Ok(pages::page(keys, page.limit, total))
    }

    /// Revokes the key from this instant on; a revoked one stays as it is. `false`: the permit reaches no such key.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn key_revoke(&self, permit: &Permit<needs::ApiKeysWrite>, id: ApiKeyId) -> Result<bool, Error> {
        let revoked_at = diesel::dsl::sql::<diesel::sql_types::Nullable<Timestamptz>>("coalesce(revoked_at, now())");
        let update = diesel::update(api_keys::table).filter(api_keys::id.eq(id.as_uuid())).set(api_keys::revoked_at.eq(revoked_at));
        let changed = change!(self, connection => match permit.reach() {
            Reach::Everything => update.execute(connection).await,
            Reach::Platform => update.filter(api_keys::tenant_id.is_null()).execute(connection).await,
            Reach::Tenant(tenant) => update.filter(api_keys::tenant_id.eq(tenant.as_uuid())).execute(connection).await,
        });
        Ok(changed.await? > 0)
    }
}

/// The keys that a permit reaches.
fn within(reach: Reach) -> IntoBoxed<'static, api_keys::table, diesel::pg::Pg> {
    let query = api_keys::table.into_boxed();
    match reach {
        Reach::Everything => query,
        Reach::Platform => query.filter(api_keys::tenant_id.is_null()),
        Reach::Tenant(tenant) => query.filter(api_keys::tenant_id.eq(tenant.as_uuid())),
    }
}

impl Row {
    fn into_key(self) -> Result<StoredKey, Error> {
        let digest = self.digest.try_into().or(Err(Error::Unreadable("api_keys.digest")))?;
        let permission = |text: String| text.parse().or(Err(Error::Unreadable("api_keys.permissions")));
        let key = ApiKey {
            id: ApiKeyId::from_uuid(self.id),
            name: self.name.parse().or(Err(Error::Unreadable("api_keys.name")))?,
            tenant: self.tenant_id.map(TenantId::from_uuid),
            permissions: self.permissions.into_iter().map(permission).collect::<Result<_, _>>()?,
            mode: self.mode.parse().or(Err(Error::Unreadable("api_keys.mode")))?,
            hint: Some(self.hint),
            source: KeySource::Created,
            created_at: self.created_at,
            expires_at: self.expires_at,
            revoked_at: self.revoked_at,
            last_used_at: self.last_used_at,
        };
        Ok(StoredKey { digest: Digest::from_bytes(digest), key })
    }
}
