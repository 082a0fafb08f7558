//! `selfmx db`: the database as a file, by PostgreSQL's own programs.

mod backup;
mod programs;
mod restore;

use crate::arguments::DbCommand;
use crate::database::Opened;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::output;
use crate::settings::StoreSettings;
use crate::signals::Signals;

use self::programs::Tools;

/// Runs a command.
pub(crate) async fn db(environment: &Environment, command: &DbCommand) -> Result<(), Failure> {
    let settings = StoreSettings::read(environment)?;
    let mut signals = Signals::new()?;
    let database = settings.database;
    let opened = match command {
        DbCommand::Backup(_) => Opened::unless_stopped(Opened::visit(database), &mut signals).await?,
        // A copy may come into a folder in which there is nothing yet.
        DbCommand::Restore(..) => Opened::unless_stopped(Opened::open(database), &mut signals).await?,
    };
    let opened = opened.ok_or(Failure::Interrupted)?;
    let done = work(environment, &opened, command, &mut signals).await;
    if let Err(failure) = opened.close().await {
        output::note(&format!("selfmx: the private PostgreSQL was not stopped: {failure}"));
    }
    done
}

async fn work(environment: &Environment, opened: &Opened, command: &DbCommand, signals: &mut Signals) -> Result<(), Failure> {
    let tools = Tools::find(environment, &opened.address).await?;
    match command {
        DbCommand::Backup(file) => backup::backup(&tools, file, signals).await,
        DbCommand::Restore(file, over) => restore::restore(&tools, &opened.address, (file, *over), signals).await,
    }
}
