//! API keys: made, found, changed, revoked. Of a secret only its digest comes in here.

use std::time::Duration;

use diesel::dsl::{IntoBoxed, sql};
use diesel::expression::SqlLiteral;
use diesel::result::Error as DieselError;
use diesel::sql_types::{BigInt, Bool, Nullable, Timestamptz};
use diesel::{ExpressionMethods, NullableExpressionMethods, OptionalExtension, QueryDsl, SelectableHelper};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use selfmx_auth::{ApiKey, Grant, KeyChange, Permit, Reach, Secret, System, Wanted, needs};
use selfmx_domain::{ApiKeyId, AuditAction, Mode, TenantId};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::audit::{Entry, key_json};
use crate::key_rows::{BoundsRow, KeyRow, NewKeyRow};
use crate::schema::{api_keys, tenants};
use crate::store::{change, read};
use crate::{Error, Store};

/// The advisory lock under which the first key is made: the bytes of `selfmx`, then `k`.
const FIRST_KEY_LOCK: i64 = 0x0073_656c_666d_786b;

impl Store {
    /// Makes a key of the digest of its secret and the secret's last characters.
    ///
    /// The maker is looked at again in the same transaction, under a lock: what it was when it was recognised does not count.
    ///
    /// # Errors
    ///
    /// [`Error::Denied`] and [`Error::Grant`] where the maker may not make it, [`Error::NoSuchTenant`] where it names a tenant that does not
    /// exist; otherwise where the database cannot.
    pub async fn key_create(&self, permit: &Permit<needs::ApiKeysWrite>, wanted: Wanted, secret: &Secret) -> Result<ApiKey, Error> {
        let make = async |connection: &mut AsyncPgConnection| {
            if let Some(tenant) = asked_for(permit, &wanted) {
                hold_tenant(connection, tenant).await?;
            }
            let held = hold(connection, permit.key_id(), None).await?;
            let grant = permit.renewed(held.maker.as_ref(), held.at)?.grant(wanted, held.at)?;
            let key = self.key_insert(connection, &grant, Some(permit.key_id()), secret).await?;
            let entry = Entry { after: Some(key_json(&key)), ..of_key(Entry::by(permit), &key) };
            self.audit(connection, AuditAction::KeyCreate, entry).await?;
            Ok::<_, Error>(key)
        };
        change!(self, connection => connection.transaction(make).await).await
    }

    /// Makes a key for the operator, on the machine itself.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchTenant`] where it names a tenant that does not exist; otherwise where the database cannot.
    pub async fn key_create_by_system(&self, _system: &System, grant: &Grant, secret: &Secret) -> Result<ApiKey, Error> {
        let make = async |connection: &mut AsyncPgConnection| self.key_insert_by_system(connection, grant, secret).await;
        change!(self, connection => connection.transaction(make).await).await
    }

    /// Makes the server's first key, unless there is or ever was a key. `None`: there was one.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn key_create_first(&self, _system: &System, grant: &Grant, secret: &Secret) -> Result<Option<ApiKey>, Error> {
        let make = async |connection: &mut AsyncPgConnection| {
            diesel::sql_query("SELECT pg_advisory_xact_lock($1)").bind::<BigInt, _>(FIRST_KEY_LOCK).execute(connection).await?;
            let any: Option<Uuid> = api_keys::table.select(api_keys::id).first(connection).await.optional()?;
            match any {
                Some(_) => Ok(None),
                None => self.key_insert_by_system(connection, grant, secret).await.map(Some),
            }
        };
        change!(self, connection => connection.transaction(make).await).await
    }

    async fn key_insert_by_system(&self, connection: &mut AsyncPgConnection, grant: &Grant, secret: &Secret) -> Result<ApiKey, Error> {
        let key = self.key_insert(connection, grant, None, secret).await?;
        let entry = Entry { after: Some(key_json(&key)), ..of_key(Entry::by_operator(), &key) };
        self.audit(connection, AuditAction::KeyCreate, entry).await?;
        Ok(key)
    }

    async fn key_insert(
        &self,
        connection: &mut AsyncPgConnection,
        grant: &Grant,
        maker: Option<ApiKeyId>,
        secret: &Secret,
    ) -> Result<ApiKey, Error> {
        let authority = grant.authority();
        if let Some(tenant) = authority.tenant {
            hold_tenant(connection, tenant).await?.ok_or(Error::NoSuchTenant)?;
        }
        let digest = secret.digest();
        let row = NewKeyRow {
            id: ApiKeyId::generate(&*self.clock, &*self.entropy).as_uuid(),
            tenant_id: authority.tenant.map(|tenant| tenant.as_uuid()),
            hint: secret.hint(),
            digest: digest.as_bytes(),
            mode: authority.mode.as_str(),
            created_by: maker.map(|maker| maker.as_uuid()),
            bounds: BoundsRow::of(grant.name().as_str(), authority, true),
        };
        let insert = diesel::insert_into(api_keys::table).values(row).returning(KeyRow::as_returning());
        let rows: Vec<KeyRow> = insert.get_results(connection).await?;
        rows.into_iter().next().ok_or(Error::Unreadable("api_keys"))?.into_key()
    }

    /// Changes the key with this id. `None`: the permit reaches no such key.
    ///
    /// Both keys, the one that changes and the one that is changed, are looked at again in the same transaction, under a lock.
    ///
    /// # Errors
    ///
    /// [`Error::Denied`] and [`Error::Grant`] where the permit's key may not make this change; otherwise where the database cannot.
    pub async fn key_update(&self, permit: &Permit<needs::ApiKeysWrite>, id: ApiKeyId, wanted: KeyChange) -> Result<Option<ApiKey>, Error> {
        let update = async |connection: &mut AsyncPgConnection| {
            let held = hold(connection, permit.key_id(), Some(id)).await?;
            let permit = permit.renewed(held.maker.as_ref(), held.at)?;
            let Some(old) = held.target.filter(|target| reaches(permit.reach(), target)) else { return Ok(None) };
            let amendment = permit.amend(&old, wanted, held.at)?;
            let bounds = BoundsRow::of(amendment.name().as_str(), amendment.authority(), amendment.enabled());
            let update = diesel::update(api_keys::table.find(id.as_uuid())).set(bounds).returning(KeyRow::as_returning());
            let rows: Vec<KeyRow> = update.get_results(connection).await?;
            let new = rows.into_iter().next().ok_or(Error::Unreadable("api_keys"))?.into_key()?;
            self.key_changed(connection, AuditAction::KeyUpdate, Entry::by(&permit), (&old, &new)).await?;
            Ok::<_, Error>(Some(new))
        };
        let updated = change!(self, connection => connection.transaction(update).await).await;
        self.key_forget(id);
        updated
    }

    /// Gives the key with this id a new secret, which `fresh` makes for the key's mode; the present one is recognised for `grace` longer, one that was
    /// in its grace already no more. `None`: the permit reaches no such key.
    ///
    /// # Errors
    ///
    /// [`Error::Denied`] and [`Error::Grant`] where the permit's key may not rotate this one; otherwise where the database cannot.
    pub async fn key_rotate(
        &self,
        permit: &Permit<needs::ApiKeysWrite>,
        id: ApiKeyId,
        grace: Duration,
        fresh: impl FnOnce(Mode) -> Secret + Send,
    ) -> Result<Option<(ApiKey, Secret)>, Error> {
        let rotate = async |connection: &mut AsyncPgConnection| {
            let held = hold(connection, permit.key_id(), Some(id)).await?;
            let permit = permit.renewed(held.maker.as_ref(), held.at)?;
            let Some(old) = held.target.filter(|target| reaches(permit.reach(), target)) else { return Ok(None) };
            let grace = permit.rotation(&old, grace)?.grace();
            let secret = fresh(old.authority.mode);
            let rows: Vec<KeyRow> = replace_secret(connection, id, &secret, grace).await?;
            let new = rows.into_iter().next().ok_or(Error::Unreadable("api_keys"))?.into_key()?;
            self.key_changed(connection, AuditAction::KeyRotate, Entry::by(&permit), (&old, &new)).await?;
            Ok::<_, Error>(Some((new, secret)))
        };
        let rotated = change!(self, connection => connection.transaction(rotate).await).await;
        self.key_forget(id);
        rotated
    }

    /// Revokes the key from this instant on; a revoked one stays as it is. `false`: the permit reaches no such key.
    ///
    /// # Errors
    ///
    /// [`Error::Denied`] where the permit's key may not revoke any more; otherwise where the database cannot.
    pub async fn key_revoke(&self, permit: &Permit<needs::ApiKeysWrite>, id: ApiKeyId) -> Result<bool, Error> {
        let revoke = async |connection: &mut AsyncPgConnection| {
            let held = hold(connection, permit.key_id(), Some(id)).await?;
            let permit = permit.renewed(held.maker.as_ref(), held.at)?;
            let Some(old) = held.target.filter(|target| reaches(permit.reach(), target)) else { return Ok(false) };
            self.key_revoke_held(connection, &old, Entry::by(&permit)).await?;
            Ok::<_, Error>(true)
        };
        let revoked = change!(self, connection => connection.transaction(revoke).await).await;
        self.key_forget(id);
        revoked
    }

    /// Revokes a key for the operator, on the machine itself. `false`: there is no such key.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn key_revoke_by_system(&self, _system: &System, id: ApiKeyId) -> Result<bool, Error> {
        let revoke = async |connection: &mut AsyncPgConnection| {
            let Some(old) = hold(connection, id, None).await?.maker else { return Ok(false) };
            self.key_revoke_held(connection, &old, Entry::by_operator()).await?;
            Ok::<_, Error>(true)
        };
        let revoked = change!(self, connection => connection.transaction(revoke).await).await;
        self.key_forget(id);
        revoked
    }

    async fn key_revoke_held(&self, connection: &mut AsyncPgConnection, old: &ApiKey, entry: Entry<'_>) -> Result<(), Error> {
        if old.revoked_at.is_some() {
            return Ok(());
        }
        let none: Option<&[u8]> = None;
        let never: Option<OffsetDateTime> = None;
        let ended = (
            api_keys::revoked_at.eq(sql::<Nullable<Timestamptz>>("now()")),
            api_keys::previous_digest.eq(none),
            api_keys::previous_until.eq(never),
        );
        let update = diesel::update(api_keys::table.find(old.id.as_uuid())).set(ended).returning(KeyRow::as_returning());
        let rows: Vec<KeyRow> = update.get_results(connection).await?;
        let new = rows.into_iter().next().ok_or(Error::Unreadable("api_keys"))?.into_key()?;
        self.key_changed(connection, AuditAction::KeyRevoke, entry, (old, &new)).await
    }

    /// Notes a change of a key in its transaction, and lets all nodes know when it commits.
    async fn key_changed(
        &self,
        connection: &mut AsyncPgConnection,
        action: AuditAction,
        entry: Entry<'_>,
        (old, new): (&ApiKey, &ApiKey),
    ) -> Result<(), Error> {
        let entry = Entry { before: Some(key_json(old)), after: Some(key_json(new)), ..of_key(entry, new) };
        self.audit(connection, action, entry).await?;
        self.key_announce(connection, new.id).await?;
        Ok(())
    }

    /// The key with this id, where the permit reaches it.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn key_find(&self, permit: &Permit<needs::ApiKeysRead>, id: ApiKeyId) -> Result<Option<ApiKey>, Error> {
        let reach = permit.reach();
        let row: Option<KeyRow> = read!(self, connection => {
            within(reach).filter(api_keys::id.eq(id.as_uuid())).select(KeyRow::as_select()).first(connection).await.optional()
        })
        .await?;
        row.map(KeyRow::into_key).transpose()
    }

    /// Whether the permit reaches a key with this id.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn key_is_reached(&self, permit: &Permit<needs::ApiKeysWrite>, id: ApiKeyId) -> Result<bool, Error> {
        let reach = permit.reach();
        let found: Option<Uuid> = read!(self, connection => {
            within(reach).filter(api_keys::id.eq(id.as_uuid())).select(api_keys::id).first(connection).await.optional()
        })
        .await?;
        Ok(found.is_some())
    }
}

/// The keys that a permit reaches.
pub(crate) fn within(reach: Reach) -> IntoBoxed<'static, api_keys::table, diesel::pg::Pg> {
    let query = api_keys::table.filter(of_present_tenant()).into_boxed();
    match reach {
        Reach::Everything => query,
        Reach::Platform => query.filter(api_keys::tenant_id.is_null()),
        Reach::Tenant(tenant) => query.filter(api_keys::tenant_id.eq(tenant.as_uuid())),
    }
}

/// Locks the key that asks and, in the order of their ids, all keys of a tenant that is locked already: no more can be made.
pub(crate) async fn hold_with_all_of(connection: &mut AsyncPgConnection, maker: ApiKeyId, tenant: TenantId) -> Result<HeldKeys, Error> {
    let of_tenant = api_keys::table.filter(api_keys::tenant_id.eq(tenant.as_uuid())).select(api_keys::id);
    let mut ids: Vec<Uuid> = of_tenant.load(connection).await?;
    ids.push(maker.as_uuid());
    let lock = api_keys::table.filter(api_keys::id.eq_any(ids)).order(api_keys::id).select(api_keys::id).for_no_key_update();
    let _locked: Vec<Uuid> = lock.load(connection).await?;
    hold(connection, maker, None).await
}

/// Leaves out what a deleted tenant had.
fn of_present_tenant() -> SqlLiteral<Bool> {
    sql("NOT EXISTS (SELECT 1 FROM tenants gone WHERE gone.id = api_keys.tenant_id AND gone.deleted_at IS NOT NULL)")
}

/// Keys under a lock, and the database's time.
pub(crate) struct HeldKeys {
    pub(crate) maker: Option<ApiKey>,
    pub(crate) target: Option<ApiKey>,
    pub(crate) at: OffsetDateTime,
}

/// Locks the key that asks and the one that it is about, in the order of their ids, so that no two calls wait for each other.
///
/// Whoever locks a tenant too locks it before its keys.
pub(crate) async fn hold(connection: &mut AsyncPgConnection, maker: ApiKeyId, target: Option<ApiKeyId>) -> Result<HeldKeys, Error> {
    let ids: Vec<_> = [Some(maker), target].into_iter().flatten().map(|id| id.as_uuid()).collect();
    let query = api_keys::table.filter(api_keys::id.eq_any(ids)).filter(of_present_tenant()).order(api_keys::id);
    let rows: Vec<KeyRow> = query.select(KeyRow::as_select()).for_no_key_update().load(connection).await?;
    let keys = rows.into_iter().map(KeyRow::into_key).collect::<Result<Vec<_>, _>>()?;
    // Not the transaction's own time, which may lie before what was waited for.
    let at = diesel::select(sql::<Timestamptz>("clock_timestamp()")).get_result(connection).await?;
    let found = |id: ApiKeyId| keys.iter().find(|key| key.id == id).cloned();
    Ok(HeldKeys { maker: found(maker), target: target.and_then(found), at })
}

/// Makes sure that a tenant exists and goes on existing until the transaction ends. Not by a shared lock: while some come and others go, whoever is to
/// suspend or delete the tenant would wait without end.
async fn hold_tenant(connection: &mut AsyncPgConnection, id: TenantId) -> Result<Option<Uuid>, DieselError> {
    let query = tenants::table.find(id.as_uuid()).filter(tenants::deleted_at.is_null());
    query.select(tenants::id).for_no_key_update().first(connection).await.optional()
}

/// The tenant that a wanted key is for, as far as the request and the permit say.
fn asked_for(permit: &Permit<needs::ApiKeysWrite>, wanted: &Wanted) -> Option<TenantId> {
    wanted.tenant.or(match permit.reach() {
        Reach::Tenant(tenant) => Some(tenant),
        Reach::Platform | Reach::Everything => None,
    })
}

async fn replace_secret(
    connection: &mut AsyncPgConnection,
    id: ApiKeyId,
    secret: &Secret,
    grace: Duration,
) -> Result<Vec<KeyRow>, DieselError> {
    let digest = secret.digest();
    let seconds = i64::try_from(grace.as_secs()).unwrap_or(0);
    let until = sql::<Nullable<Timestamptz>>("clock_timestamp() + interval '1 second' * ").bind::<BigInt, _>(seconds);
    let target = diesel::update(api_keys::table.find(id.as_uuid()));
    let fresh = (api_keys::digest.eq(digest.as_bytes().as_slice()), api_keys::hint.eq(secret.hint()));
    if grace.is_zero() {
        let none: (Option<&[u8]>, Option<OffsetDateTime>) = (None, None);
        let former = (api_keys::previous_digest.eq(none.0), api_keys::previous_until.eq(none.1));
        return target.set((fresh, former)).returning(KeyRow::as_returning()).get_results(connection).await;
    }
    // The right-hand side is what the row held before.
    let former = (api_keys::previous_digest.eq(api_keys::digest.nullable()), api_keys::previous_until.eq(until));
    target.set((fresh, former)).returning(KeyRow::as_returning()).get_results(connection).await
}

/// An entry about this key.
fn of_key<'a>(entry: Entry<'a>, key: &ApiKey) -> Entry<'a> {
    Entry { tenant: Some(key.authority.tenant.unwrap_or(TenantId::DEFAULT)), target: Some(key.id.to_string()), ..entry }
}

fn reaches(reach: Reach, key: &ApiKey) -> bool {
    match reach {
        Reach::Everything => true,
        Reach::Platform => key.authority.tenant.is_none(),
        Reach::Tenant(tenant) => key.authority.tenant == Some(tenant),
    }
}
