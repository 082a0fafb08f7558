//! The binary `selfmx`: reads the configuration, opens the store, wires the roles, drains.

mod chance;
mod database;
mod environment;
mod failure;
mod first_key;
mod logs;
mod secrets;
mod serve;
mod settings;
mod signals;
mod tls;

use std::process::ExitCode;

use crate::environment::Environment;
use crate::failure::Failure;
use crate::settings::StoreSettings;

const USAGE: &str = "usage: selfmx [serve | migrate | version | help]

  serve     runs the server (the default)
  migrate   brings the database's schema up to date and ends
  version   says which version this is

Settings come from the environment, from .env in the working directory, and from files that NAME_FILE names.";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("selfmx: {failure}");
            ExitCode::from(if matches!(failure, Failure::Usage(_) | Failure::Setting(_) | Failure::Relay(_)) { 2 } else { 1 })
        }
    }
}

fn run() -> Result<(), Failure> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] | ["serve"] => start(async |environment| serve::serve(environment).await),
        ["migrate"] => start(async |environment| migrate(environment).await),
        ["version" | "--version" | "-V"] => {
            println!("selfmx {}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(())
        }
        [other, ..] => Err(Failure::Usage(format!("`{other}` is no command, or has too many words after it"))),
    }
}

fn start(command: impl AsyncFn(&Environment) -> Result<(), Failure>) -> Result<(), Failure> {
    let environment = Environment::gather()?;
    logs::start(&environment)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(command(&environment))
}

async fn migrate(environment: &Environment) -> Result<(), Failure> {
    let settings = StoreSettings::read(environment)?;
    let opened = database::Opened::open(settings.database).await?;
    let migrated = database::migrate_patiently(&opened.address, settings.pool.wait).await;
    opened.close().await?;
    println!("{} migrations run; the schema is up to date", migrated?);
    Ok(())
}
