//! `selfmx keys`: API keys from the machine itself, for the operator who has none that works.

mod create;
mod list;
mod revoke;
mod table;

use std::sync::Arc;
use std::time::Duration;

use selfmx_auth::System;
use selfmx_domain::Clock;
use selfmx_storage::{PoolSettings, SecretKey, Store, Vault};
use time::OffsetDateTime;

use crate::arguments::KeysCommand;
use crate::chance::{OsEntropy, SystemClock};
use crate::database::Opened;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::output;
use crate::settings::StoreSettings;
use crate::signals::Signals;

/// The longest wait for a connection: somebody waits for the answer.
const CONNECTION: Duration = Duration::from_secs(30);
/// The longest that a command may take beyond that; the database ends a statement after half of it.
const WORK: Duration = Duration::from_secs(60);

/// What a command works with.
struct Desk {
    store: Store,
    system: System,
    now: OffsetDateTime,
}

/// Runs a command on the server's database, whether the server runs or not.
///
/// While it runs, the private PostgreSQL stays, whoever else stops; and stays after it where another process uses it.
pub(crate) async fn keys(environment: &Environment, command: &KeysCommand) -> Result<(), Failure> {
    let settings = StoreSettings::read(environment)?;
    let mut signals = Signals::new()?;
    let opening = Opened::visit(settings.database);
    let opened = Opened::unless_stopped(opening, &mut signals).await?.ok_or(Failure::Interrupted)?;
    let done = work(&opened, settings.pool, command, &mut signals).await;
    if let Err(failure) = opened.close().await {
        // What was asked for is done, or has failed for a reason that counts more.
        output::note(&format!("selfmx: the private PostgreSQL was not stopped: {failure}"));
    }
    done
}

async fn work(opened: &Opened, pool: PoolSettings, command: &KeysCommand, signals: &mut Signals) -> Result<(), Failure> {
    let pool = PoolSettings { size: 1, wait: pool.wait.min(CONNECTION), ..pool };
    // Keys are kept by their digests: nothing is sealed here, nor opened.
    let vault = Vault::new(SecretKey::generate(&OsEntropy), Vec::new());
    let store = Store::new(&opened.address, pool, vault, Arc::new(SystemClock), Arc::new(OsEntropy));
    let migrated = tokio::select! {
        migrated = within(WORK, store.is_migrated()) => migrated?,
        () = signals.next() => return Err(Failure::Interrupted),
    };
    if !migrated {
        return Err(Failure::OldSchema);
    }
    #[expect(clippy::disallowed_methods, reason = "whoever can read the server's settings and reach its database has its authority")]
    let desk = Desk { store, system: System::assume(), now: SystemClock.now() };
    // From here on a signal waits: a key whose secret nobody saw would be left behind.
    match command {
        KeysCommand::Create(key) => create::create(&desk, key).await,
        KeysCommand::List(list) => list::list(&desk, *list).await,
        KeysCommand::Revoke(id) => revoke::revoke(&desk, *id).await,
    }
}

/// What the store answers, where it answers in time.
async fn within<T>(limit: Duration, answer: impl Future<Output = Result<T, selfmx_storage::Error>>) -> Result<T, Failure> {
    match tokio::time::timeout(limit, answer).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Failure::Unanswered(limit)),
    }
}
