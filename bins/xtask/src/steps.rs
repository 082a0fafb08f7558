//! The steps of a run: each with a headline, its own output, and its duration in the table at the end.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::failure::Failure;

/// One command of a run.
#[derive(Debug)]
pub(crate) struct Step {
    /// A word for the table.
    pub(crate) name: &'static str,
    /// What is run; its output goes straight to the terminal.
    pub(crate) command: Command,
    /// What to do when it fails.
    pub(crate) advice: &'static str,
}

/// What was done, how long it took and how it ended.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    name: &'static str,
    duration: Duration,
    outcome: String,
}

impl Steps {
    /// Runs a command to its end.
    ///
    /// # Errors
    ///
    /// [`Failure::Command`] when it fails, [`Failure::Run`] when it cannot be run.
    pub(crate) fn command(&mut self, step: Step) -> Result<(), Failure> {
        let Step { name, mut command, advice } = step;
        let line = command_line(&command);
        self.timed(name, &line, || {
            let status = command.status().map_err(|source| Failure::Run { program: line.clone(), source })?;
            if status.success() {
                return Ok(());
            }
            Err(Failure::Command { command: line.clone(), status, advice })
        })
    }

    /// Runs a step that is a function of ours under a headline.
    ///
    /// # Errors
    ///
    /// The function's own.
    pub(crate) fn timed(&mut self, name: &'static str, headline: &str, work: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
        println!("\n== {name}: {headline}");
        let started = Instant::now();
        let result = work();
        let outcome = if result.is_ok() { "ok" } else { "FAILED" };
        self.rows.push(Row { name, duration: started.elapsed(), outcome: outcome.to_owned() });
        result
    }

    /// Notes in one line that a step is left out, and why.
    pub(crate) fn left_out(&mut self, name: &'static str, reason: &str) {
        println!("\n== {name}: left out: {reason}");
        self.rows.push(Row { name, duration: Duration::ZERO, outcome: format!("left out: {reason}") });
    }

    /// The table of all steps so far and their sum.
    pub(crate) fn table(&self) -> String {
        let mut table = String::from("\nstep             time  result\n");
        for row in &self.rows {
            table.push_str(&format_row(row.name, row.duration, &row.outcome));
        }
        let total = self.rows.iter().map(|row| row.duration).sum();
        table.push_str(&format_row("total", total, ""));
        table
    }
}

fn format_row(name: &str, duration: Duration, outcome: &str) -> String {
    let row = format!("{name:<12} {:>6.1} s  {outcome}", duration.as_secs_f64());
    format!("{}\n", row.trim_end())
}

/// The command as a person would type it: the variables that we set, the program's name, its arguments.
fn command_line(command: &Command) -> String {
    let variables = command.get_envs().filter_map(|(name, value)| Some(format!("{}='{}'", name.display(), value?.display())));
    let program = std::path::Path::new(command.get_program());
    let program = program.file_name().unwrap_or(command.get_program()).display().to_string();
    let arguments = command.get_args().map(|argument| argument.display().to_string());
    let words: Vec<String> = variables.chain([program]).chain(arguments).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(name: &'static str, program: &str) -> Step {
        Step { name, command: Command::new(program), advice: "look above" }
    }

    #[test]
    fn the_table_tells_what_passed_what_failed_and_what_was_left_out() {
        let mut steps = Steps::default();
        steps.command(step("good", "true")).unwrap();
        steps.left_out("absent", "not installed");
        let failure = steps.command(step("bad", "false")).unwrap_err();
        assert!(failure.to_string().ends_with("look above"), "{failure}");
        let table = steps.table();
        let rows: Vec<&str> = table.lines().skip(2).collect();
        let ends = ["s  ok", "s  left out: not installed", "s  FAILED", "s"];
        assert_eq!(rows.len(), ends.len(), "{table}");
        assert!(rows.iter().zip(ends).all(|(row, end)| row.ends_with(end)), "{table}");
    }

    #[test]
    fn a_program_that_cannot_be_run_is_a_failure_of_its_own() {
        let failure = Steps::default().command(step("none", "/nowhere/none")).unwrap_err();
        assert!(matches!(failure, Failure::Run { .. }), "{failure}");
    }

    #[test]
    fn a_headline_shows_the_command_as_it_would_be_typed() {
        let mut command = Command::new("/usr/bin/cargo");
        command.args(["doc", "--locked"]).env("RUSTDOCFLAGS", "-D warnings").env_remove("CARGO_PKG_NAME");
        assert_eq!(command_line(&command), "RUSTDOCFLAGS='-D warnings' cargo doc --locked");
    }
}
