//! What the command line asks for.

use crate::failure::Failure;
use crate::scenarios::{ALL, Scenario};
use crate::stage::Size;

const USAGE: &str = "usage: cargo xtask chaos [--all] [--only NAME]... [--seed NUMBER] [--jobs NUMBER] [--keep] [--write] [--list]";

/// What is to be run, and how.
#[derive(Clone, Debug)]
pub(crate) struct Arguments {
    /// The scenarios.
    pub(crate) scenarios: Vec<Scenario>,
    /// How much of each.
    pub(crate) size: Size,
    /// What chance follows from.
    pub(crate) seed: u64,
    /// How many scenarios run at once.
    pub(crate) jobs: usize,
    /// What becomes of the ledgers and logs of a run that was good.
    pub(crate) ledgers: Ledgers,
    /// What becomes of the table.
    pub(crate) table: Table,
    /// Whether the scenarios are to be named, and nothing run.
    pub(crate) task: Task,
}

/// What becomes of the ledgers of a good run; those of a bad one are always kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ledgers {
    /// They are kept.
    Kept,
    /// They are removed.
    Removed,
}

/// What becomes of the table of a good run; it is printed either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Table {
    /// It goes into the document on reliability, which stands below the folder that the program is run in.
    Written,
    /// It is printed.
    Printed,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// To run the scenarios.
    Run,
    /// To say what there is.
    List,
}

impl Arguments {
    /// Reads the words after the program's own name.
    pub(crate) fn parse(words: impl IntoIterator<Item = String>) -> Result<Self, Failure> {
        let mut words = words.into_iter();
        let mut names = Vec::new();
        let mut read = Self {
            scenarios: vec![],
            size: Size::Short,
            seed: 1,
            jobs: 3,
            ledgers: Ledgers::Removed,
            table: Table::Printed,
            task: Task::Run,
        };
        while let Some(word) = words.next() {
            match word.as_str() {
                "--all" => read.size = Size::Full,
                "--keep" => read.ledgers = Ledgers::Kept,
                "--write" => read.table = Table::Written,
                "--list" => read.task = Task::List,
                "--only" => names.push(words.next().ok_or_else(|| usage("--only needs a name"))?),
                "--seed" => read.seed = number(words.next(), "--seed")?,
                "--jobs" => read.jobs = number(words.next(), "--jobs")?.clamp(1, 16).try_into().unwrap_or(1),
                _ => return Err(usage(&format!("{word:?} is not known"))),
            }
        }
        read.scenarios = chosen(&names)?;
        if read.table == Table::Written && !names.is_empty() {
            return Err(usage("--write is for a run of all scenarios"));
        }
        Ok(read)
    }
}

fn chosen(names: &[String]) -> Result<Vec<Scenario>, Failure> {
    if names.is_empty() {
        return Ok(ALL.to_vec());
    }
    let find = |name: &String| ALL.iter().find(|scenario| scenario.name == name).copied();
    names.iter().map(|name| find(name).ok_or_else(|| usage(&format!("there is no scenario {name:?}; --list names them")))).collect()
}

fn number(word: Option<String>, name: &str) -> Result<u64, Failure> {
    word.and_then(|word| word.parse().ok()).ok_or_else(|| usage(&format!("{name} needs a number")))
}

fn usage(what: &str) -> Failure {
    Failure::Usage(format!("{what}\n{USAGE}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, Failure> {
        Arguments::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn without_a_word_all_are_run_in_short_and_with_all_in_full() {
        let short = parse("").unwrap();
        assert_eq!((short.size, short.seed, short.ledgers), (Size::Short, 1, Ledgers::Removed));
        assert_eq!(short.scenarios.len(), ALL.len());
        assert_eq!(short.table, Table::Printed);
        let full = parse("--all --seed 7 --keep --write").unwrap();
        assert_eq!((full.scenarios.len(), full.seed, full.ledgers, full.table), (ALL.len(), 7, Ledgers::Kept, Table::Written));
    }

    #[test]
    fn one_can_be_chosen_and_what_is_not_known_is_refused() {
        assert_eq!(parse("--only kills").unwrap().scenarios.len(), 1);
        for line in ["--only", "--only nothing", "--seed x", "--fast", "--write --only kills"] {
            assert!(matches!(parse(line), Err(Failure::Usage(_))), "{line}");
        }
    }

    #[test]
    fn no_two_scenarios_have_one_name() {
        let mut names: Vec<_> = ALL.iter().map(|scenario| scenario.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
    }
}
