//! The environment, read here and nowhere else.

use std::ffi::OsString;
use std::path::Path;

/// A variable's value; an empty one counts as unset.
#[expect(
    clippy::disallowed_methods,
    reason = "development tasks look where the server and cargo will look; they have no configuration of their own"
)]
pub(crate) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// The names of all variables.
#[expect(clippy::disallowed_methods, reason = "what cargo says of this package is not to reach the programs that are started")]
pub(crate) fn names() -> impl Iterator<Item = OsString> {
    std::env::vars_os().map(|(name, _)| name)
}

/// The server's setting of this name, as the server will find it: in the environment or in `.env`.
pub(crate) fn setting(name: &str) -> Option<OsString> {
    variable(name).or_else(|| in_file(&read_dot_env(), name).map(OsString::from))
}

/// Whether the server will find this setting: by its name, or by `NAME_FILE`.
pub(crate) fn is_set(name: &str) -> bool {
    setting(name).is_some() || setting(&format!("{name}_FILE")).is_some()
}

fn read_dot_env() -> String {
    // No file is the usual case; an unreadable one is the server's to report.
    std::fs::read_to_string(Path::new(".env")).unwrap_or_default()
}

fn in_file(text: &str, name: &str) -> Option<String> {
    text.lines()
        .filter_map(|line| line.trim_start().split_once('='))
        .find(|(key, _)| key.trim_start_matches("export ").trim() == name)
        .map(|(_, value)| value.trim().trim_matches(['"', '\'']).to_owned())
        .filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_found_in_a_dot_env_file() {
        let text = "# DATABASE_URL=postgres://no\nexport DATABASE_URL = \"postgres://db/x?a=b\"\nEMPTY=\n";
        let found = in_file(text, "DATABASE_URL");
        assert_eq!(found.as_deref(), Some("postgres://db/x?a=b"));
        assert_eq!(in_file(text, "EMPTY"), None);
        assert_eq!(in_file(text, "DATABASE"), None);
    }
}
