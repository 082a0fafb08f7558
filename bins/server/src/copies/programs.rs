//! PostgreSQL's `pg_dump` and `pg_restore`, and how they reach the database.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use selfmx_storage::{DatabaseAddress, server_major};
use tokio::process::Command;

use crate::environment::Environment;
use crate::failure::Failure;
use crate::signals::Signals;

/// Where programs look for others.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The programs, and how they reach the database. No argument of theirs holds a password: those of a process are seen by everybody.
pub(super) struct Tools {
    /// Where none is known the machine's usual places count.
    bin_dir: Option<PathBuf>,
    variables: Vec<(&'static str, String)>,
    database: String,
}

impl Tools {
    /// Those of the server's own version where there are some, or else the newest.
    pub(super) async fn find(environment: &Environment, address: &DatabaseAddress) -> Result<Self, Failure> {
        let given = environment.text("POSTGRES_BIN_DIR")?.map(PathBuf::from);
        let major = server_major(address).await?;
        let found = selfmx_pgbox::of_major_with(given.as_deref(), major, &["pg_dump", "pg_restore"]);
        let found = found.ok().map(|programs| programs.bin_dir().to_path_buf());
        let variables = address.libpq();
        let database = variables.iter().find(|(name, _)| *name == "PGDATABASE").map(|(_, value)| value.clone()).unwrap_or_default();
        Ok(Self { bin_dir: given.or(found), variables, database })
    }

    /// The database, as a connection string that says nothing else.
    pub(super) fn database(&self) -> String {
        format!("dbname='{}'", self.database.replace('\\', "\\\\").replace('\'', "\\'"))
    }

    /// Runs a program to its end and gives what it wrote; a signal ends it.
    pub(super) async fn run(&self, name: &'static str, arguments: &[&str], file: &Path, signals: &mut Signals) -> Result<String, Failure> {
        let program = self.bin_dir.as_ref().map_or_else(|| PathBuf::from(name), |folder| folder.join(name));
        let mut command = Command::new(&program);
        command.env_clear().env("PATH", PATH).envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.args(arguments).arg(file).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let child =
            command.spawn().map_err(|source| Failure::Program { name, said: format!("cannot run {}: {source}", program.display()) })?;
        let output = tokio::select! {
            output = child.wait_with_output() => output?,
            () = signals.next() => return Err(Failure::Interrupted),
        };
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(Failure::Program { name, said: told(&String::from_utf8_lossy(&output.stderr)) })
    }
}

/// What a program said was wrong. The lines beside it may quote what is in the database.
fn told(said: &str) -> String {
    said.lines().find_map(|line| Some(line.split_once("error: ")?.1)).unwrap_or("it did not say why").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_a_program_says_only_what_is_wrong_is_told() {
        let said = "pg_restore: warning: x\npg_restore: error: could not execute query: ERROR:  no\nCONTEXT: COPY emails: \"secret\"\n";
        assert_eq!(told(said), "could not execute query: ERROR:  no");
        assert_eq!(told("secret"), "it did not say why");
    }
}
