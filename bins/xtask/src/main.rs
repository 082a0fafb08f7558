//! Development tasks, reached as `cargo xtask`: start the server, test everything, check the rules of the house.
//!
//! Nouns: a [`Need`](needs::Need) is a program that must be on the machine, a [`Step`](steps::Step) is one command of
//! the test run, a [`Finding`](check::Finding) is one broken rule.
//!
//! ```text
//! cargo xtask start -- version
//! cargo xtask check --bless
//! ```
//!
//! Invariant: nothing here is part of the product, and no crate of the product depends on it.
//! Invariant: a rule that the machine can check is checked by `cargo xtask check`, not by a reviewer.

mod apt;
mod bench;
mod cargo;
mod chaos;
mod check;
mod deny;
mod docs;
mod environment;
mod failure;
mod floors;
mod generated;
mod git;
mod layout;
mod markdown;
mod needs;
mod permissions;
mod programs;
mod reasons;
mod sources;
mod start;
mod steps;
mod task;
mod test;
mod verifiers;
mod workspace;

use std::process::ExitCode;

use crate::failure::Failure;
use crate::task::Task;

fn main() -> ExitCode {
    let arguments = std::env::args_os().skip(1).collect();
    match Task::parse(arguments).and_then(perform) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            failure.exit_code()
        }
    }
}

fn perform(task: Task) -> Result<(), Failure> {
    match task {
        Task::Start(arguments) => start::run(arguments),
        Task::SetUp => test::set_up(),
        Task::Test => test::run(),
        Task::Check(generated) => check::run(generated),
        Task::Chaos(arguments) => chaos::run(arguments),
        Task::Bench(arguments) => bench::run(arguments),
    }
}
