//! Kills, freezes and cuts a running SelfMX, and accounts for every mail: `cargo xtask chaos`.
//!
//! Nouns: a [`Scenario`](scenarios::Scenario) is something that is done to the system; a [`World`](world::World) is the system that it is done to, with a
//! PostgreSQL, servers and a relay of its own, and proxies between them; [`Books`](ledger::Books) are what was seen from outside; the
//! [`Account`](account::Account) says what became of every mail; a [`Weakness`](weakness::Weakness) takes a defence away.
//!
//! ```text
//! cargo xtask chaos --only kills --seed 7
//! ```
//!
//! Invariant: nothing is counted that the product says of itself while it runs: the client's ledger and the relay's count, and in the end the database.
//!
//! Invariant: an accepted mail is on the disk in the client's ledger before it counts.
//!
//! Invariant: a scenario whose control finds nothing does not hold.
//!
//! Invariant: everything listens on the loopback, on free ports, and ends with this process.

mod account;
mod arguments;
mod failure;
mod inspection;
mod ledger;
mod load;
mod mail;
#[cfg(test)]
mod model;
mod node;
mod postgres;
mod proxy;
mod record;
mod relay;
mod report;
mod scenarios;
mod stage;
mod stages;
mod weakness;
mod world;

use std::path::Path;
use std::process::ExitCode;

use crate::arguments::{Arguments, Ledgers, Table, Task};
use crate::failure::Failure;
use crate::report::Row;
use crate::scenarios::ALL;

#[tokio::main]
async fn main() -> ExitCode {
    selfmx_testing::exit_code(perform(std::env::args().skip(1)).await)
}

/// Does what the command line asks for, and tells whether everything holds.
async fn perform(words: impl Iterator<Item = String>) -> Result<bool, Failure> {
    let arguments = Arguments::parse(words)?;
    if arguments.task == Task::List {
        ALL.iter().for_each(|scenario| println!("{:<20} {}; control: {}", scenario.name, scenario.about, scenario.control));
        return Ok(true);
    }
    let own = std::env::current_exe().map_err(Failure::file("the program's own place"))?;
    let program = own.with_file_name("selfmx");
    let folder = stages::folder()?;
    println!("seed {}, {} at once, ledgers and logs in {}", arguments.seed, arguments.jobs, folder.display());
    let rows = stages::run_all(&arguments, &program, &folder).await;
    let table = report::table(&rows);
    println!("\n{table}");
    let good = rows.iter().all(Row::is_good);
    if good && arguments.table == Table::Written {
        record::write(Path::new(record::DOCUMENT), arguments.size, &table)?;
    }
    if good && arguments.ledgers == Ledgers::Removed {
        std::fs::remove_dir_all(&folder).map_err(Failure::file(&folder))?;
    }
    Ok(good)
}
