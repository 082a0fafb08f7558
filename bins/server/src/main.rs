//! The binary `selfmx`: reads the configuration, opens the store, wires the roles, drains.

mod arguments;
mod background;
mod behind;
mod chance;
mod copies;
mod database;
mod dkim;
mod environment;
mod failure;
mod first_key;
mod keys;
mod logs;
mod migrate;
mod output;
mod reencrypt;
mod secrets;
mod serve;
mod settings;
mod signals;
mod tls;
mod upkeep;

use std::process::ExitCode;

use crate::arguments::Command;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::logs::Reader;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("selfmx: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}

fn run() -> Result<(), Failure> {
    match arguments::read(std::env::args_os())? {
        Command::Serve => start(Reader::Gatherer, async |environment| serve::serve(environment).await),
        Command::Migrate => start(Reader::Gatherer, async |environment| migrate::migrate(environment).await),
        Command::Keys(command) => start(Reader::Operator, async |environment| keys::keys(environment, &command).await),
        Command::Reencrypt => start(Reader::Operator, async |environment| reencrypt::reencrypt(environment).await),
        Command::Db(command) => start(Reader::Operator, async |environment| copies::db(environment, &command).await),
        Command::Tell(text) => output::tell(&text),
    }
}

fn start(reader: Reader, command: impl AsyncFn(&Environment) -> Result<(), Failure>) -> Result<(), Failure> {
    let environment = Environment::gather()?;
    logs::start(&environment, reader)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(command(&environment))
}
