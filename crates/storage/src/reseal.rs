//! Sealing again, with the present key, what an earlier one has sealed.

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Binary, Nullable, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use selfmx_auth::System;
use uuid::Uuid;

use crate::store::{change, read};
use crate::vault::{Place, VaultError};
use crate::{Error, Store};

/// How many secrets are read at once.
const STEP: i64 = 100;

/// Every table and column in which secrets lie sealed, each in the row with this `id`.
const COLUMNS: [(&str, &str); 4] =
    [("tenants", "relay_pass"), ("tenants", "dkim_key"), ("webhooks", "secret"), ("webhooks", "previous_secret")];

/// What came of sealing all secrets again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resealed {
    /// How many were sealed again.
    pub resealed: u64,
    /// How many the present key had sealed already.
    pub current: u64,
    /// Why some cannot be opened, and how many for each reason. They stay as they are.
    pub unreadable: Vec<(VaultError, u64)>,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Binary)]
    sealed: Vec<u8>,
}

impl Store {
    /// Seals again, with the key that seals at present, all secrets that another has sealed. Each is a commit of its own: what is changed meanwhile is
    /// left as it is, and whoever is interrupted can begin again.
    ///
    /// # Errors
    ///
    /// Where the database cannot, or the cryptographic library refuses to seal.
    pub async fn secrets_reseal(&self, _system: &System) -> Result<Resealed, Error> {
        let mut told = Resealed::default();
        for column in COLUMNS {
            let mut after = None;
            loop {
                let rows = self.secrets_after(column, after).await?;
                let Some(last) = rows.last() else { break };
                after = Some(last.id);
                for row in rows {
                    self.reseal(column, row, &mut told).await?;
                }
            }
        }
        Ok(told)
    }

    async fn secrets_after(&self, (table, column): (&str, &str), after: Option<Uuid>) -> Result<Vec<Row>, Error> {
        let query = format!(
            "SELECT id, {column} AS sealed FROM {table} WHERE {column} IS NOT NULL AND ($1 IS NULL OR id > $1) ORDER BY id LIMIT $2"
        );
        let query = || diesel::sql_query(&query).bind::<Nullable<SqlUuid>, _>(after).bind::<BigInt, _>(STEP);
        read!(self, connection => query().get_results(connection).await).await
    }

    async fn reseal(&self, (table, column): (&str, &str), row: Row, told: &mut Resealed) -> Result<(), Error> {
        if self.vault().is_current(&row.sealed) {
            told.current += 1;
            return Ok(());
        }
        let place = Place { table, column, row: row.id };
        let plaintext = match self.vault().open(place, &row.sealed) {
            Ok(plaintext) => plaintext,
            Err(error) => {
                told.is_unreadable(error);
                return Ok(());
            }
        };
        let again = self.vault().seal(&*self.entropy, place, &plaintext)?.into_bytes();
        let update = format!("UPDATE {table} SET {column} = $1 WHERE id = $2 AND {column} = $3");
        let update = || {
            let query = diesel::sql_query(&update).bind::<Binary, _>(&again);
            query.bind::<SqlUuid, _>(row.id).bind::<Binary, _>(&row.sealed)
        };
        let changed = change!(self, connection => update().execute(connection).await).await?;
        told.resealed += u64::try_from(changed).unwrap_or(0);
        Ok(())
    }
}

impl Resealed {
    fn is_unreadable(&mut self, why: VaultError) {
        if let Some((_, count)) = self.unreadable.iter_mut().find(|(known, _)| *known == why) {
            *count += 1;
            return;
        }
        self.unreadable.push((why, 1));
    }
}
