//! PostgreSQL's configuration for a private server: small, and safe before fast.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::folder::Folder;
use crate::{Error, ROLE};

/// The socket's number; no TCP port is opened.
pub(crate) const PORT: u16 = 5432;

const HEAD: &str = "\
# Written by SelfMX at each start: changes here are lost. Put yours into operator.conf, beside the cluster's folder;
# SelfMX never writes that file.
";

/// What an operator may override: name, value, why.
const CHOSEN: [(&str, &str, &str); 14] = [
    ("max_connections", "100", "One pool for each process that uses the server, and room for a person."),
    ("shared_buffers", "64MB", "Small, so that an idle server stays small; the system's page cache does the rest."),
    ("jit", "off", "Queries here are short: compiling them costs more than it saves."),
    ("max_wal_senders", "0", "Nothing replicates from a private server,"),
    ("max_logical_replication_workers", "0", "nor to it: one process less."),
    ("cluster_name", "selfmx", "Names the processes in `ps`."),
    ("timezone", "UTC", "One time zone, whatever the machine's is."),
    ("log_timezone", "UTC", ""),
    ("lc_messages", "C", "Log lines in English."),
    ("log_line_prefix", "%m [%p] ", ""),
    ("log_error_verbosity", "terse", "An error's detail quotes rows, and rows are people's mail,"),
    ("log_min_error_statement", "panic", "as do statements."),
    ("log_parameter_max_length", "0", ""),
    ("log_parameter_max_length_on_error", "0", ""),
];

/// What no file may override: given on the command line, which outranks every file and `ALTER SYSTEM`. The same stands
/// in the file for whoever starts the cluster by hand.
const FIXED: [(&str, &str, &str); 6] = [
    ("fsync", "on", "What was accepted survives a power cut."),
    ("full_page_writes", "on", ""),
    ("synchronous_commit", "on", ""),
    ("listen_addresses", "", "No network: the unix socket is the only way in."),
    ("unix_socket_permissions", "0700", ""),
    ("logging_collector", "off", "The log is the file that PostgreSQL is started with."),
];

/// Writes the configuration and who may connect into the cluster.
pub(crate) fn write(folder: &Folder, socket_dir: &Path) -> Result<(), Error> {
    write_file(folder, "postgresql.conf", &file(socket_dir))?;
    write_file(folder, "pg_hba.conf", &hba())?;
    write_file(folder, "pg_ident.conf", &ident(&folder.account.name))
}

/// The settings that no file may override, as `name=value`.
pub(crate) fn fixed(socket_dir: &Path) -> Vec<String> {
    let fixed = FIXED.iter().map(|(name, value, _)| format!("{name}={value}"));
    fixed.chain([format!("port={PORT}"), format!("unix_socket_directories={}", listed(socket_dir))]).collect()
}

fn file(socket_dir: &Path) -> String {
    let lines = |settings: &[(&str, &str, &str)]| settings.iter().map(|setting| line(*setting)).collect::<String>();
    let socket = listed(socket_dir);
    let port = PORT.to_string();
    let place = [("port", port.as_str(), "The socket's number, not a TCP port."), ("unix_socket_directories", socket.as_str(), "")];
    format!(
        "{HEAD}{}\ninclude_if_exists '../operator.conf'\n\n# Fixed: SelfMX repeats these on the command line, which outranks every file.\n{}{}",
        lines(&CHOSEN),
        lines(&FIXED),
        lines(&place)
    )
}

fn line((name, value, why): (&str, &str, &str)) -> String {
    let why = if why.is_empty() { String::new() } else { format!("\n# {why}\n") };
    format!("{why}{name} = {}\n", quoted(value))
}

/// A value between quotes, as the configuration file's syntax has it.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "''"))
}

/// A folder as the one entry of a list of folders. [`Folder::socket_dir`] has refused what cannot stand between the quotes.
fn listed(socket_dir: &Path) -> String {
    format!("\"{}\"", socket_dir.display())
}

/// One line: over the socket, as our role, whoever the map names. All else is refused.
fn hba() -> String {
    format!("{HEAD}# type database user method\nlocal all {ROLE} peer map=selfmx\n")
}

/// The server's own user and root, who could become that user anyway.
fn ident(user: &str) -> String {
    let root = if user == "root" { String::new() } else { format!("selfmx \"root\" {ROLE}\n") };
    format!("{HEAD}# map system-user role\nselfmx \"{user}\" {ROLE}\n{root}")
}

/// Replaces a file of the cluster as a whole, so that no crash leaves half of it.
fn write_file(folder: &Folder, name: &str, text: &str) -> Result<(), Error> {
    let path = folder.cluster().join(name);
    let new = folder.cluster().join(format!("{name}.new"));
    let written = || {
        if new.symlink_metadata().is_ok() {
            fs::remove_file(&new)?;
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        folder.give(&file)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, &path)
    };
    written().map_err(Error::file("write", &path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_fixed_comes_after_the_operators_file_and_on_the_command_line() {
        let text = file(Path::new("/d/socket"));
        let (before, after) = text.split_once("include_if_exists '../operator.conf'").unwrap();
        for (name, value, _) in FIXED {
            assert!(after.contains(&format!("\n{name} = '{value}'\n")), "{name}");
            assert!(!before.contains(&format!("\n{name} =")), "{name}");
            assert!(fixed(Path::new("/d/socket")).contains(&format!("{name}={value}")), "{name}");
        }
    }

    #[test]
    fn values_cannot_leave_their_quotes() {
        assert_eq!(quoted(r"it's a \ path"), r"'it''s a \\ path'");
        assert_eq!(listed(Path::new("/a b")), "\"/a b\"");
    }

    #[test]
    fn only_the_servers_user_and_root_are_let_in() {
        let rules = |text: &str| text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(rules(&hba()), ["local all selfmx peer map=selfmx"]);
        assert_eq!(rules(&ident("alice")), ["selfmx \"alice\" selfmx", "selfmx \"root\" selfmx"]);
    }
}
