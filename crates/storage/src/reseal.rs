//! Sealing again, with the present key, what an earlier one has sealed.

use diesel::{ExpressionMethods, QueryDsl};
use diesel_async::RunQueryDsl;
use selfmx_auth::System;
use uuid::Uuid;

use crate::schema::tenants;
use crate::store::{change, read};
use crate::tenant_relay::place;
use crate::vault::VaultError;
use crate::{Error, Store};

/// How many secrets are read at once.
const STEP: i64 = 100;

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

type Row = (Uuid, Option<Vec<u8>>);

impl Store {
    /// Seals again, with the key that seals at present, all secrets that another has sealed. Each is a commit of its own: what is changed meanwhile is
    /// left as it is, and whoever is interrupted can begin again.
    ///
    /// # Errors
    ///
    /// Where the database cannot, or the cryptographic library refuses to seal.
    pub async fn secrets_reseal(&self, _system: &System) -> Result<Resealed, Error> {
        let (mut told, mut after) = (Resealed::default(), None);
        loop {
            let rows = self.secrets_after(after).await?;
            let Some((last, _)) = rows.last() else { return Ok(told) };
            after = Some(*last);
            for (row, sealed) in rows {
                if let Some(sealed) = sealed {
                    self.reseal(row, sealed, &mut told).await?;
                }
            }
        }
    }

    async fn secrets_after(&self, after: Option<Uuid>) -> Result<Vec<Row>, Error> {
        let query = || {
            let query = tenants::table.into_boxed().filter(tenants::relay_pass.is_not_null()).order(tenants::id).limit(STEP);
            let query = query.select((tenants::id, tenants::relay_pass));
            match after {
                Some(after) => query.filter(tenants::id.gt(after)),
                None => query,
            }
        };
        read!(self, connection => query().load(connection).await).await
    }

    async fn reseal(&self, row: Uuid, sealed: Vec<u8>, told: &mut Resealed) -> Result<(), Error> {
        if self.vault().is_current(&sealed) {
            told.current += 1;
            return Ok(());
        }
        let plaintext = match self.vault().open(place(row), &sealed) {
            Ok(plaintext) => plaintext,
            Err(error) => {
                told.is_unreadable(error);
                return Ok(());
            }
        };
        let again = self.vault().seal(&*self.entropy, place(row), &plaintext)?.into_bytes();
        let query = || tenants::table.find(row).filter(tenants::relay_pass.eq(&sealed));
        let update = || diesel::update(query()).set(tenants::relay_pass.eq(&again));
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
