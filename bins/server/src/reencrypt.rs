//! `selfmx secrets reencrypt`: seals with the present key what earlier ones have sealed.

use std::sync::Arc;

use selfmx_auth::System;
use selfmx_storage::{KeyId, PoolSettings, Resealed, Store};

use crate::chance::{OsEntropy, SystemClock};
use crate::database::Opened;
use crate::environment::{Environment, SettingError};
use crate::failure::Failure;
use crate::output;
use crate::secrets::Secrets;
use crate::settings::StoreSettings;
use crate::signals::Signals;

/// Runs the command on the server's database, whether servers run or not.
pub(crate) async fn reencrypt(environment: &Environment) -> Result<(), Failure> {
    let settings = StoreSettings::read(environment)?;
    let secrets = Secrets::read(environment, &settings.database)?;
    let mut signals = Signals::new()?;
    let opening = Opened::visit(settings.database);
    let opened = Opened::unless_stopped(opening, &mut signals).await?.ok_or(Failure::Interrupted)?;
    let done = work(&opened, settings.pool, secrets, &mut signals).await;
    if let Err(failure) = opened.close().await {
        output::note(&format!("selfmx: the private PostgreSQL was not stopped: {failure}"));
    }
    done
}

async fn work(opened: &Opened, pool: PoolSettings, secrets: Secrets, signals: &mut Signals) -> Result<(), Failure> {
    let vault = secrets.vault(&OsEntropy).map_err(SettingError::from)?;
    let key = vault.ids().next();
    let pool = PoolSettings { size: 1, ..pool };
    let store = Store::new(&opened.address, pool, vault, Arc::new(SystemClock), Arc::new(OsEntropy));
    if !store.is_migrated().await? {
        return Err(Failure::OldSchema);
    }
    #[expect(clippy::disallowed_methods, reason = "whoever can read the server's settings and reach its database has its authority")]
    let system = System::assume();
    let resealed = tokio::select! {
        resealed = store.secrets_reseal(&system) => resealed?,
        () = signals.next() => return Err(Failure::Unfinished),
    };
    tell(&resealed, key)
}

fn tell(resealed: &Resealed, key: Option<KeyId>) -> Result<(), Failure> {
    let key = key.map(|id| id.to_string()).unwrap_or_default();
    output::tell(&format!("{} secrets sealed again with the key {key}; {} were already", resealed.resealed, resealed.current))?;
    if resealed.unreadable.is_empty() {
        return Ok(());
    }
    let reasons = resealed.unreadable.iter().map(|(why, count)| format!("{count} secrets cannot be opened: {why}"));
    Err(Failure::Unopened(reasons.collect::<Vec<_>>().join("; ")))
}
