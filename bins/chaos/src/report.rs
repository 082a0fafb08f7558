//! What a run has to say, and the table of all of them.

use std::fmt::Write;
use std::time::Duration;

use crate::account::{Account, account};
use crate::failure::SKIPPED;
use crate::ledger::Books;

/// What came of one run of a scenario.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    /// The accountant's.
    pub(crate) account: Account,
    /// What was not as the scenario expects it, beside the account.
    pub(crate) findings: Vec<String>,
}

impl Report {
    /// The account of these books.
    pub(crate) fn of(books: &Books) -> Self {
        Self { account: account(books), findings: Vec::new() }
    }

    /// Whether nothing was found.
    pub(crate) fn is_clean(&self) -> bool {
        self.account.is_clean() && self.findings.is_empty()
    }

    /// Adds a finding where something does not hold.
    #[must_use]
    pub(crate) fn expecting(mut self, holds: impl FnOnce(&Account) -> bool, otherwise: &str) -> Self {
        if !holds(&self.account) {
            self.findings.push(otherwise.to_owned());
        }
        self
    }

    /// Adds a finding where what was accepted was not delivered, or more often than once.
    #[must_use]
    pub(crate) fn expecting_delivery(self) -> Self {
        self.expecting(|account| account.delivered == account.accepted, "not every mail was delivered")
    }

    /// Each finding in a line, up to a dozen of a kind.
    pub(crate) fn lines(&self) -> Vec<String> {
        let Account { lost, unexplained, stuck, torn, .. } = &self.account;
        let kinds = [("lost", lost), ("unexplained duplicate", unexplained), ("stuck", stuck), ("torn", torn), ("found", &self.findings)];
        let lines = kinds.iter().flat_map(|(kind, found)| found.iter().take(12).map(move |found| format!("{kind}: {found}")));
        lines.collect()
    }

    /// What was found, counted, in a few words.
    pub(crate) fn in_short(&self) -> String {
        let Account { lost, unexplained, stuck, torn, .. } = &self.account;
        let kinds = [
            ("lost", lost.len()),
            ("duplicate", unexplained.len()),
            ("stuck", stuck.len()),
            ("torn", torn.len()),
            ("found", self.findings.len()),
        ];
        let words: Vec<_> = kinds.iter().filter(|(_, count)| *count > 0).map(|(kind, count)| format!("{kind} {count}")).collect();
        words.join(", ")
    }
}

/// A line of the table.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// The scenario.
    pub(crate) name: &'static str,
    /// Its report; or why there is none.
    pub(crate) report: Result<Report, String>,
    /// What came of the control.
    pub(crate) control: Control,
    /// How long both took.
    pub(crate) took: Duration,
}

/// What came of a negative control.
#[derive(Clone, Debug)]
pub(crate) enum Control {
    /// It found what it had to, namely this.
    Red(String),
    /// It found nothing: the scenario proves nothing.
    Green,
    /// It could not be carried out.
    Broken(String),
}

impl Row {
    /// Whether the scenario holds and its control does not.
    pub(crate) fn is_good(&self) -> bool {
        let skipped = matches!(&self.control, Control::Broken(why) if why.starts_with(SKIPPED));
        skipped || (self.report.as_ref().is_ok_and(Report::is_clean) && matches!(self.control, Control::Red(_)))
    }
}

const HEAD: &str = "| scenario | accepted | delivered | lost | unexplained | explained | in flight | stuck | torn | recovery | control | took |\n\
                    |---|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|--:|\n";

/// The table, as Markdown.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut table = HEAD.to_owned();
    for row in rows {
        // Writing to a text does not fail.
        let _ = writeln!(table, "| {} | {} | {} | {:.0} s |", row.name, figures(row), control(&row.control), row.took.as_secs_f64());
    }
    table
}

fn figures(row: &Row) -> String {
    let report = match &row.report {
        Ok(report) => report,
        Err(why) => return format!("{why} | | | | | | | |"),
    };
    let Account { accepted, delivered, lost, unexplained, explained, open, stuck, torn, recovery, .. } = &report.account;
    let recovery = recovery.map_or_else(|| "-".to_owned(), |recovery| format!("{:.1} s", recovery.as_secs_f64()));
    let counts = [*accepted, *delivered, lost.len(), unexplained.len(), explained.len(), *open, stuck.len(), torn.len()];
    let counts: Vec<_> = counts.iter().map(usize::to_string).collect();
    format!("{} | {recovery}", counts.join(" | "))
}

fn control(control: &Control) -> String {
    match control {
        Control::Red(found) => format!("red: {found}"),
        Control::Green => "GREEN: it proves nothing".to_owned(),
        Control::Broken(why) => why.clone(),
    }
}
