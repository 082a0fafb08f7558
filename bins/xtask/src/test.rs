//! `cargo xtask test`: everything that must pass, from the set-up to the last test.

use crate::failure::Failure;
use crate::generated::Generated;
use crate::needs::{self, Need};
use crate::steps::{Step, Steps};
use crate::{cargo, chaos, check, deny, verifiers};

const NEEDED: &str = "The tests start their own PostgreSQL and Postfix from these programs; nothing need be running.";

const FORMAT: &str = "run `cargo fmt --all` and look at what it changed";
const CLIPPY: &str = "mend what clippy names above; an exception is an #[expect(...)] with its reason";
const DOC: &str = "mend the documentation named above";
const TESTS: &str = "the failing tests are named above; run one alone with `cargo test --package CRATE NAME`";
const DOC_TESTS: &str = "the failing examples are named above; they stand in the documentation of public items";

/// Sets the machine up, then runs every step and stops at the first that fails; the table of steps ends either way.
///
/// # Errors
///
/// The first failing step's, or the set-up's.
pub(crate) fn run() -> Result<(), Failure> {
    let mut steps = Steps::default();
    let result = all(&mut steps);
    println!("{}", steps.table());
    result
}

fn all(steps: &mut Steps) -> Result<(), Failure> {
    steps.timed("set-up", "what the tests run against", programs)?;
    let verifiers = verifiers::ensure();
    if let Err(why) = &verifiers {
        eprintln!("{why}");
        steps.left_out("verifiers", "the packages of Standard Webhooks cannot be had from here; what needs them is not tested");
    }
    steps.command(step("format", &["fmt", "--all", "--check"], FORMAT))?;
    steps.timed("check", "cargo xtask check", || check::run(Generated::Compare))?;
    let clippy = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
    steps.command(step("clippy", &clippy, CLIPPY))?;
    let mut doc = step("doc", &["doc", "--workspace", "--no-deps", "--locked"], DOC);
    doc.command.env("RUSTDOCFLAGS", "-D warnings");
    steps.command(doc)?;
    deny::run(steps)?;
    steps.command(step("tests", &test_command(verifiers.is_ok()), TESTS))?;
    let doc_tests = ["test", "--workspace", "--doc", "--locked"];
    steps.command(step("doc tests", &doc_tests, DOC_TESTS))?;
    steps.timed("chaos", "cargo xtask chaos", || chaos::run(Vec::new()))
}

/// Installs what the tests run against, where it is missing.
///
/// # Errors
///
/// Where that does not work.
pub(crate) fn set_up() -> Result<(), Failure> {
    programs()?;
    verifiers::ensure()
}

fn programs() -> Result<(), Failure> {
    let needs: Vec<&Need> = std::iter::once(&needs::POSTGRES).chain(needs::FOR_TESTS).collect();
    needs::ensure(&needs, NEEDED)?;
    println!("all there");
    Ok(())
}

/// All tests, or those that do without the verifiers of Standard Webhooks.
fn test_command(with_verifiers: bool) -> Vec<&'static str> {
    let (all, but): (&[_], &[_]) = if cargo::has_subcommand("nextest") {
        (&["nextest", "run", "--workspace", "--locked", "--no-fail-fast"], &["-E", "not test(the_reference_libraries)"])
    } else {
        let all = &["test", "--workspace", "--locked", "--lib", "--bins", "--tests", "--no-fail-fast"];
        (all, &["--", "--skip", "the_reference_libraries"])
    };
    let but = if with_verifiers { &[] } else { but };
    [all, but].concat()
}

fn step(name: &'static str, arguments: &[&str], advice: &'static str) -> Step {
    let command = cargo::command(arguments);
    Step { name, command, advice }
}
