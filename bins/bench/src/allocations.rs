//! What a server allocates, as the C library's `libmemusage.so` counts it when it is loaded in front of the program.

use std::ops::Sub;

use crate::measure::count;

/// The program whose allocations count; PostgreSQL, which it starts, has none of ours.
const PROGRAM: &str = "selfmx";
/// The calls that allocate, as the summary names them.
const ALLOCATING: [&str; 3] = ["malloc|", "realloc|", "calloc|"];

/// What was allocated, by whoever asked for it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Allocations {
    /// Calls that asked for memory.
    pub(crate) calls: f64,
    /// What they asked for, in octets.
    pub(crate) octets: f64,
}

impl Allocations {
    /// Those that a program told when it ended; nothing where none were counted.
    pub(crate) fn told_in(log: &str) -> Option<Self> {
        let (_, summary) = log.rsplit_once("Memory usage summary")?;
        let lines = summary.lines().filter_map(line);
        lines.reduce(|one, other| Self { calls: one.calls + other.calls, octets: one.octets + other.octets })
    }

    /// Of each of so many.
    pub(crate) fn of_each(self, mails: u64) -> Self {
        Self { calls: self.calls / count(mails), octets: self.octets / count(mails) }
    }
}

impl Sub for Allocations {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self { calls: self.calls - other.calls, octets: self.octets - other.octets }
    }
}

/// The variables that have a server counted.
pub(crate) fn counting() -> Vec<(&'static str, String)> {
    vec![("LD_PRELOAD", "libmemusage.so".to_owned()), ("MEMUSAGE_PROG_NAME", PROGRAM.to_owned())]
}

/// One line of the summary, which colours its words for a terminal.
fn line(line: &str) -> Option<Allocations> {
    let plain: String = line.split('\u{1b}').map(|part| part.split_once('m').map_or(part, |(_colour, text)| text)).collect();
    let mut words = plain.split_whitespace();
    let call = words.next()?;
    let figures = ALLOCATING.contains(&call).then_some(words)?;
    let [calls, octets] = <[f64; 2]>::try_from(figures.take(2).filter_map(|word| word.parse().ok()).collect::<Vec<f64>>()).ok()?;
    Some(Allocations { calls, octets })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_of_all_calls_that_ask_for_memory() {
        let log = "{\"message\":\"stopped\"}\n\n\u{1b}[01;32mMemory usage summary:\u{1b}[0;0m heap total: 99, heap peak: 9, stack peak: 9\n\
                   \u{1b}[04;34m         total calls   total memory   failed calls\u{1b}[0m\n\
                   \u{1b}[00;34m malloc|\u{1b}[0m       5622        1735420              0\u{1b}[00;00m\n\
                   \u{1b}[00;34mrealloc|\u{1b}[0m       1261         167440              0\u{1b}[00;00m  (nomove:473, dec:5, free:0)\n\
                   \u{1b}[00;34m calloc|\u{1b}[0m        242           5576              0\u{1b}[00;00m\n\
                   \u{1b}[00;34m   free|\u{1b}[0m       5764        1837521\n";
        assert_eq!(Allocations::told_in(log), Some(Allocations { calls: 7_125.0, octets: 1_908_436.0 }));
        assert_eq!(Allocations::told_in("{\"message\":\"stopped\"}\n"), None);
    }
}
