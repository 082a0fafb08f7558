//! What the command line asks for.

use std::ffi::OsString;

use crate::failure::Failure;
use crate::generated::Generated;

/// How the tasks are called; shown with every wrong call.
pub(crate) const USAGE: &str = "\
usage: cargo xtask <task>

  start [--] [arguments]  install what is missing, build in release mode, run `selfmx` with the arguments
  setup                   install what the tests run against
  test                    install what is missing, then check, format, lints, docs, licences and all tests
  check [--bless]         the rules of the house; --bless rewrites the generated files
  chaos [arguments]       kills, freezes and cuts a running server, and accounts for every mail; `chaos --list` names what there is
  bench [arguments]       measures the server against what it stands on, and writes docs/performance.md; `bench --list` names what there is
  ci                      check and test, as the CI runs them";

/// One task with its arguments.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Runs the server with these arguments.
    Start(Vec<OsString>),
    /// Installs what the tests run against.
    SetUp,
    /// Runs everything that must pass before a change is merged; `ci` is another name for it, since it checks too.
    Test,
    /// Checks the rules of the house, and what to do with generated files.
    Check(Generated),
    /// Accounts for mail while things break, with these arguments.
    Chaos(Vec<OsString>),
    /// Measures, with these arguments.
    Bench(Vec<OsString>),
}

impl Task {
    /// Reads the arguments that follow the program's own name.
    ///
    /// # Errors
    ///
    /// [`Failure::Usage`] for no task, an unknown one, and arguments that the task does not take.
    pub(crate) fn parse(arguments: Vec<OsString>) -> Result<Self, Failure> {
        let mut rest = arguments.into_iter();
        let Some(name) = rest.next() else {
            return Err(Failure::Usage("which task?".to_owned()));
        };
        let rest: Vec<OsString> = rest.collect();
        match name.to_str() {
            Some("start") => Ok(Self::Start(without_separator(rest))),
            Some("chaos") => Ok(Self::Chaos(without_separator(rest))),
            Some("bench") => Ok(Self::Bench(without_separator(rest))),
            Some("setup") if rest.is_empty() => Ok(Self::SetUp),
            Some("test" | "ci") if rest.is_empty() => Ok(Self::Test),
            Some("check") if rest.is_empty() => Ok(Self::Check(Generated::Compare)),
            Some("check") if rest == ["--bless"] => Ok(Self::Check(Generated::Rewrite)),
            Some("setup" | "test" | "ci" | "check") => Err(Failure::Usage(format!("`{}` does not take {rest:?}", name.display()))),
            _ => Err(Failure::Usage(format!("there is no task {name:?}"))),
        }
    }
}

fn without_separator(mut arguments: Vec<OsString>) -> Vec<OsString> {
    if arguments.first().is_some_and(|first| first == "--") {
        arguments.remove(0);
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Task, Failure> {
        Task::parse(line.split_whitespace().map(OsString::from).collect())
    }

    #[test]
    fn start_hands_its_arguments_on_without_the_separator() {
        let expected = Task::Start(vec!["migrate".into(), "--".into()]);
        assert_eq!(parse("start -- migrate --").unwrap(), expected);
        assert_eq!(parse("start migrate --").unwrap(), expected);
        assert_eq!(parse("start").unwrap(), Task::Start(Vec::new()));
    }

    #[test]
    fn ci_is_test_and_check_may_bless() {
        assert_eq!(parse("ci").unwrap(), Task::Test);
        assert_eq!(parse("test").unwrap(), Task::Test);
        assert_eq!(parse("setup").unwrap(), Task::SetUp);
        assert_eq!(parse("check").unwrap(), Task::Check(Generated::Compare));
        assert_eq!(parse("check --bless").unwrap(), Task::Check(Generated::Rewrite));
    }

    #[test]
    fn chaos_and_bench_hand_their_arguments_on() {
        assert_eq!(parse("bench -- --only B2").unwrap(), Task::Bench(vec!["--only".into(), "B2".into()]));
        assert_eq!(parse("chaos --only kills").unwrap(), Task::Chaos(vec!["--only".into(), "kills".into()]));
        assert_eq!(parse("chaos").unwrap(), Task::Chaos(Vec::new()));
    }

    #[test]
    fn anything_else_shows_the_usage() {
        for line in ["", "build", "test --fast", "check --bless now", "--help"] {
            assert!(matches!(parse(line), Err(Failure::Usage(_))), "{line:?}");
        }
    }
}
