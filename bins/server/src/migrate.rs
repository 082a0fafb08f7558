//! `selfmx migrate`: brings the schema up to date and ends.

use crate::database::{self, Opened};
use crate::environment::Environment;
use crate::failure::Failure;
use crate::output;
use crate::settings::StoreSettings;

/// Runs the command.
pub(crate) async fn migrate(environment: &Environment) -> Result<(), Failure> {
    let settings = StoreSettings::read(environment)?;
    let opened = Opened::open(settings.database).await?;
    let migrated = database::migrate_patiently(&opened.address, settings.pool.wait).await;
    opened.close().await?;
    output::tell(&format!("{} migrations run; the schema is up to date", migrated?))
}
