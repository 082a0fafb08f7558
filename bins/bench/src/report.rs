//! The table, and the document that it goes into.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::failure::Failure;
use crate::measure::{Figures, Goal, Spread};
use crate::rows::{Outcome, Row};

/// From here on the document is written by people, and kept.
const KEPT: &str = "## What stands out";

const INTRODUCTION: &str = "\
# Performance

Written by `cargo xtask bench` down to the account of a mail; edits above that are overwritten.

Every figure is a ratio to a reference that was measured in the same run, in turns with ours, so that a busy or a slow machine hurts both: the median of the runs, with the least and the greatest.
Load, server, PostgreSQL, relay and reference share the machine's cores. All run as they do when nobody sets anything: the private PostgreSQL with its own configuration, `fsync` on, a log line for each request and
each attempt. Mails have 2 KB of text that does not compress well. Nothing here passes or fails by its speed, and no test measures time.

";

const HEAD: &str =
    "| | what | ours | against | reference | ratio (least..greatest) | goal | reached |\n|---|---|--:|---|--:|--:|--:|---|\n";

/// What came of a row.
pub(crate) type Measured = (Row, Result<Outcome, Failure>);

/// The table, as Markdown.
pub(crate) fn table(measured: &[Measured]) -> String {
    let mut table = HEAD.to_owned();
    for (row, outcome) in measured {
        match outcome {
            Ok(outcome) => outcome.figures.iter().for_each(|figures| table.push_str(&line(row.name(), figures))),
            // Writing to a text does not fail.
            Err(why) => drop(writeln!(table, "| {} | {} | | | | {} | | |", row.name(), row.about(), absent(why))),
        }
    }
    table
}

/// What is to be said beside the figures.
pub(crate) fn notes(measured: &[Measured]) -> String {
    let outcomes = measured.iter().filter_map(|(row, outcome)| Some((row, outcome.as_ref().ok()?)));
    let notes = outcomes.flat_map(|(row, outcome)| outcome.notes.iter().map(|note| format!("- {}: {note}\n", row.name())));
    notes.collect()
}

/// The tables that have a shape of their own.
pub(crate) fn accounts(measured: &[Measured]) -> String {
    let accounts = measured.iter().filter_map(|(_, outcome)| outcome.as_ref().ok()?.account.clone());
    accounts.collect()
}

/// Writes the document anew, but for what people wrote at its end.
///
/// # Errors
///
/// [`Failure::File`] where it cannot be written.
pub(crate) fn write(path: &Path, machine: &str, runs: usize, measured: &[Measured]) -> Result<(), Failure> {
    let before = fs::read_to_string(path).unwrap_or_default();
    let kept = before.find(KEPT).and_then(|from| before.get(from..)).unwrap_or_default();
    let figures = format!("Medians of {runs} on {machine}.\n\n{}\n{}\n", table(measured), notes(measured));
    let document = format!("{INTRODUCTION}{figures}{}\n{kept}", accounts(measured));
    fs::write(path, document.trim_end().to_owned() + "\n").map_err(Failure::file(path))
}

fn line(name: &str, figures: &Figures) -> String {
    let Figures { what, reference, unit, goal, .. } = figures;
    let spread = |spread: Option<Spread>| spread.map_or_else(|| "-".to_owned(), |spread| format!("{} {unit}", short(spread.median)));
    let ratio = figures
        .ratios()
        .map_or_else(|| "-".to_owned(), |ratio| format!("**{}** ({}..{})", short(ratio.median), short(ratio.least), short(ratio.most)));
    let reached = match figures.reaches() {
        Some(true) => "yes",
        Some(false) => "no",
        None => "-",
    };
    let (ours, theirs) = (spread(figures.ours()), spread(figures.references()));
    format!("| {name} | {what} | {ours} | {reference} | {theirs} | {ratio} | {} | {reached} |\n", in_words(*goal, unit))
}

fn in_words(goal: Goal, unit: &str) -> String {
    match goal {
        Goal::AtLeast(least) => format!(">= {least}"),
        Goal::AtMost(most) => format!("<= {most}"),
        Goal::Within(least, most) => format!("{least} .. {most}"),
        Goal::OursAtMost(most) => format!("<= {most} {unit}"),
    }
}

fn absent(why: &Failure) -> String {
    match why {
        Failure::Missing { .. } => format!("skipped: {why}"),
        _ => format!("not measured: {why}"),
    }
}

/// As many digits as mean something.
pub(crate) fn short(figure: f64) -> String {
    match figure.abs() {
        size if size >= 100.0 => format!("{figure:.0}"),
        size if size >= 10.0 => format!("{figure:.1}"),
        _ => format!("{figure:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured() -> Vec<Measured> {
        let mut figures = Figures::new("accepted", "commits", "/s", Goal::AtLeast(1.0));
        figures.push(2500.0, 2000.0);
        let outcome = Outcome { figures: vec![figures], notes: vec!["a word".to_owned()], account: None };
        let missing = Failure::Missing { program: "smtp-sink", package: "postfix" };
        vec![(Row::Accept, Ok(outcome)), (Row::Relay, Err(missing))]
    }

    #[test]
    fn a_line_has_both_figures_and_their_ratio_and_a_skipped_row_says_why() {
        let table = table(&measured());
        assert!(table.contains("| B2 | accepted | 2500 /s | commits | 2000 /s | **1.25** (1.25..1.25) | >= 1 | yes |\n"), "{table}");
        assert!(table.contains("| skipped: smtp-sink is missing: apt-get install postfix |"), "{table}");
    }

    #[test]
    fn the_document_keeps_what_people_wrote() {
        let path = std::env::temp_dir().join(format!("selfmx-bench-report-{}.md", std::process::id()));
        fs::write(&path, "old\n\n## What stands out\n\nWords.\n").unwrap();
        write(&path, "a machine", 5, &measured()).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert!(text.starts_with("# Performance") && !text.contains("old"), "{text}");
        assert!(text.contains("- B2: a word\n") && text.ends_with("\n## What stands out\n\nWords.\n"), "{text}");
    }
}
