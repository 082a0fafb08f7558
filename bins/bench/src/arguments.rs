//! What the command line asks for.

use std::time::Duration;

use crate::failure::Failure;
use crate::rows::Row;

const USAGE: &str = "usage: cargo xtask bench [--only ROW]... [--runs NUMBER] [--quick] [--list]";

/// What is to be measured, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    /// The rows.
    pub(crate) rows: Vec<Row>,
    /// How often each.
    pub(crate) runs: usize,
    /// How much of each.
    pub(crate) size: Size,
    /// What is to be done.
    pub(crate) task: Task,
}

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    /// Enough to see that it works.
    Quick,
    /// Enough to believe it.
    Full,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// To measure, and to write the document.
    Write,
    /// To measure alone: not all was asked for.
    Print,
    /// To say what there is.
    List,
}

impl Size {
    /// How long one load lasts.
    pub(crate) const fn time(self) -> Duration {
        Duration::from_millis(self.either(500, 3_000))
    }

    /// One number or the other.
    pub(crate) const fn either(self, quick: u64, full: u64) -> u64 {
        match self {
            Self::Quick => quick,
            Self::Full => full,
        }
    }
}

impl Arguments {
    /// Reads the words after the program's own name.
    ///
    /// # Errors
    ///
    /// [`Failure::Usage`] for words that are not known.
    pub(crate) fn parse(words: impl IntoIterator<Item = String>) -> Result<Self, Failure> {
        let mut words = words.into_iter();
        let mut read = Self { rows: vec![], runs: 5, size: Size::Full, task: Task::Write };
        while let Some(word) = words.next() {
            match word.as_str() {
                "--quick" => (read.size, read.task) = (Size::Quick, Task::Print),
                "--list" => read.task = Task::List,
                "--only" => read.rows.push(row(words.next())?),
                "--runs" => read.runs = runs(words.next())?,
                _ => return Err(usage(&format!("{word:?} is not known"))),
            }
        }
        if read.rows.is_empty() {
            read.rows = Row::ALL.to_vec();
        } else if read.task == Task::Write {
            read.task = Task::Print;
        }
        Ok(read)
    }
}

fn row(word: Option<String>) -> Result<Row, Failure> {
    let word = word.ok_or_else(|| usage("--only needs a row"))?;
    let found = Row::ALL.iter().find(|row| row.name().eq_ignore_ascii_case(&word));
    found.copied().ok_or_else(|| usage(&format!("there is no row {word:?}; --list names them")))
}

fn runs(word: Option<String>) -> Result<usize, Failure> {
    let runs = word.and_then(|word| word.parse().ok()).filter(|runs| (1..=50).contains(runs));
    runs.ok_or_else(|| usage("--runs needs a number from 1 to 50"))
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
    fn all_rows_are_measured_five_times_and_written() {
        let all = parse("").unwrap();
        assert_eq!((all.rows.len(), all.runs, all.size, all.task), (Row::ALL.len(), 5, Size::Full, Task::Write));
    }

    #[test]
    fn what_is_not_whole_is_printed_and_not_written() {
        assert_eq!(parse("--quick").unwrap().task, Task::Print);
        let one = parse("--only b2 --runs 3").unwrap();
        assert_eq!((one.rows.len(), one.runs, one.task), (1, 3, Task::Print));
        assert_eq!(parse("--list --only B2").unwrap().task, Task::List);
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for line in ["--only", "--only B99", "--runs 0", "--runs x", "--fast"] {
            assert!(matches!(parse(line), Err(Failure::Usage(_))), "{line}");
        }
    }
}
