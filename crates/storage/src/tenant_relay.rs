//! Tenants' own relays: read with their passwords, which lie sealed.

use diesel::{OptionalExtension, QueryDsl, Queryable, Selectable, SelectableHelper};
use diesel_async::RunQueryDsl;
use selfmx_auth::{Permit, Scope, System};
use selfmx_domain::{RelayPassword, TenantId, TenantRelay};
use uuid::Uuid;

use crate::schema::tenants;
use crate::store::read;
use crate::tenant_rows::relay_of;
use crate::vault::{Place, Sealed, VaultError};
use crate::{Error, Store};

/// Which of a tenant's relays, one after the other, it is: a later one is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RelayVersion(i64);

impl RelayVersion {
    pub(crate) const fn of(column: i64) -> Self {
        Self(column)
    }
}

/// A tenant's own relay as it is now, ready to be used.
#[derive(Clone, Debug)]
pub struct OpenedRelay {
    /// The relay.
    pub relay: TenantRelay,
    /// Its password, where it has one.
    pub password: Option<RelayPassword>,
    /// Which one it is.
    pub version: RelayVersion,
}

impl Store {
    /// The tenant's own relay. `None`: it has none.
    ///
    /// # Errors
    ///
    /// [`Error::Vault`] where its password cannot be opened; otherwise where the database cannot.
    pub async fn tenant_relay(&self, _system: &System, tenant: TenantId) -> Result<Option<OpenedRelay>, Error> {
        self.relay_of(tenant).await
    }

    /// The own relay of the tenant that the permit is for. `None`: it has none.
    ///
    /// # Errors
    ///
    /// [`Error::Vault`] where its password cannot be opened; otherwise where the database cannot.
    pub async fn tenant_own_relay<P: Scope>(&self, permit: &Permit<P>) -> Result<Option<OpenedRelay>, Error> {
        self.relay_of(permit.tenant()).await
    }

    async fn relay_of(&self, tenant: TenantId) -> Result<Option<OpenedRelay>, Error> {
        let query = || tenants::table.find(tenant.as_uuid()).select(Row::as_select());
        let row: Option<Row> = read!(self, connection => query().first(connection).await.optional()).await?;
        let Some(row) = row else { return Ok(None) };
        let Some(relay) = relay_of(row.relay_host, row.relay_port, row.relay_user, row.relay_tls)? else { return Ok(None) };
        let password = row.relay_pass.map(|sealed| self.opened(row.id, &sealed)).transpose()?;
        if relay.has_password() != password.is_some() {
            return Err(Error::Unreadable("tenants.relay_pass"));
        }
        Ok(Some(OpenedRelay { relay, password, version: RelayVersion(row.relay_version) }))
    }

    fn opened(&self, tenant: Uuid, sealed: &[u8]) -> Result<RelayPassword, Error> {
        let octets = self.vault().open(place(tenant), sealed)?;
        let text = str::from_utf8(&octets).or(Err(Error::Unreadable("tenants.relay_pass")))?;
        text.parse().or(Err(Error::Unreadable("tenants.relay_pass")))
    }

    /// Seals a relay's password for its tenant's row.
    pub(crate) fn sealed(&self, tenant: TenantId, password: &RelayPassword) -> Result<Sealed, VaultError> {
        self.vault().seal(&*self.entropy, place(tenant.as_uuid()), password.reveal().as_bytes())
    }
}

/// Where a relay's password lies.
const fn place(tenant: Uuid) -> Place<'static> {
    Place { table: "tenants", column: "relay_pass", row: tenant }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = tenants, check_for_backend(diesel::pg::Pg))]
struct Row {
    id: Uuid,
    relay_host: Option<String>,
    relay_port: Option<i32>,
    relay_user: Option<String>,
    relay_pass: Option<Vec<u8>>,
    relay_tls: Option<bool>,
    relay_version: i64,
}
