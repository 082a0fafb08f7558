//! Tenants' own DKIM keys: read with their private halves, which lie sealed.

use diesel::{OptionalExtension, QueryDsl, Queryable, Selectable, SelectableHelper};
use diesel_async::RunQueryDsl;
use selfmx_auth::{Permit, needs};
use selfmx_domain::{Dkim, DkimKey, TenantId};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::schema::tenants;
use crate::store::read;
use crate::tenant_rows::dkim_of;
use crate::vault::{Place, Sealed, VaultError};
use crate::{Error, Store};

/// A tenant's own DKIM key as it is now, ready to be used.
#[derive(Clone, Debug)]
pub struct OpenedDkim {
    /// Its name and its public half.
    pub dkim: Dkim,
    /// The key.
    pub key: DkimKey,
}

impl Store {
    /// The own DKIM key of the tenant that the permit is for. `None`: it has none.
    ///
    /// # Errors
    ///
    /// [`Error::Vault`] where it cannot be opened; otherwise where the database cannot.
    pub async fn tenant_dkim(&self, permit: &Permit<needs::Send>) -> Result<Option<OpenedDkim>, Error> {
        let tenant = permit.tenant().as_uuid();
        let query = || tenants::table.find(tenant).select(Row::as_select());
        let row: Option<Row> = read!(self, connection => query().first(connection).await.optional()).await?;
        let Some(row) = row else { return Ok(None) };
        let dkim = dkim_of(row.dkim_domain, row.dkim_selector, row.dkim_algorithm, row.dkim_public_key)?;
        let Some((dkim, sealed)) = dkim.zip(row.dkim_key) else { return Ok(None) };
        let octets = self.vault().open(place(tenant), &sealed)?;
        let pem = str::from_utf8(&octets).or(Err(Error::Unreadable("tenants.dkim_key")))?;
        let key = DkimKey::new(Zeroizing::new(pem.to_owned()), dkim.public_key.clone());
        Ok(Some(OpenedDkim { dkim, key }))
    }

    /// Seals a private key for its tenant's row.
    pub(crate) fn sealed_dkim(&self, tenant: TenantId, key: &DkimKey) -> Result<Sealed, VaultError> {
        self.vault().seal(&*self.entropy, place(tenant.as_uuid()), key.reveal().as_bytes())
    }
}

/// Where a private key lies.
const fn place(tenant: Uuid) -> Place<'static> {
    Place { table: "tenants", column: "dkim_key", row: tenant }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = tenants, check_for_backend(diesel::pg::Pg))]
struct Row {
    dkim_domain: Option<String>,
    dkim_selector: Option<String>,
    dkim_algorithm: Option<String>,
    dkim_public_key: Option<String>,
    dkim_key: Option<Vec<u8>>,
}
