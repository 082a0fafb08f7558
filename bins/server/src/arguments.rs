//! The command line: which command, and with what.

mod grammar;
mod values;

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use clap::error::ErrorKind;
use selfmx_auth::PermissionSet;
use selfmx_domain::{ApiKeyId, Mode, Name, TenantId};
use selfmx_storage::RevokedKeys;
use time::OffsetDateTime;

/// What made secrets begin with.
const SECRETS: [&str; 2] = ["sk_live_", "sk_test_"];

/// What the program was asked to do.
#[derive(Debug)]
pub(crate) enum Command {
    /// To run the server.
    Serve,
    /// To bring the schema up to date.
    Migrate,
    /// To do something about API keys.
    Keys(KeysCommand),
    /// To seal secrets with the present key.
    Reencrypt,
    /// To copy the database into a file, or a file into the database.
    Db(DbCommand),
    /// To say something about itself: the text.
    Tell(String),
}

/// What is done with a copy of the database.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum DbCommand {
    /// One is made.
    Backup(PathBuf),
    /// One is put into the database.
    Restore(PathBuf, Over),
}

/// What a copy may replace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// Nothing: the database has to be empty.
    Nothing,
    /// All that is there.
    Everything,
}

/// What is done about API keys.
#[derive(Debug)]
pub(crate) enum KeysCommand {
    /// One is made.
    Create(NewKey),
    /// They are listed.
    List(KeyList),
    /// One is revoked.
    Revoke(ApiKeyId),
}

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// For people.
    Text,
    /// As the HTTP API would.
    Json,
}

/// A key that is asked for.
#[derive(Clone, Debug)]
pub(crate) struct NewKey {
    pub(crate) name: Name,
    pub(crate) permissions: PermissionSet,
    pub(crate) tenant: Option<TenantId>,
    pub(crate) mode: Option<Mode>,
    pub(crate) expires_at: Option<OffsetDateTime>,
    pub(crate) form: Form,
}

/// Which keys are listed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyList {
    pub(crate) revoked: RevokedKeys,
    pub(crate) tenant: Option<TenantId>,
    pub(crate) form: Form,
}

/// A command line that makes no sense. Its text says what does.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Misuse(String);

impl Misuse {
    /// What is wrong with the value of an argument.
    pub(crate) fn of(argument: &str, problem: &dyn fmt::Display) -> Self {
        Self(without_secrets(&format!("{argument}: {problem}")))
    }
}

/// Reads the arguments, of which the first is the program's own name.
pub(crate) fn read(arguments: impl Iterator<Item = OsString>) -> Result<Command, Misuse> {
    let matches = match grammar::parser().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) => return told(&error),
    };
    match matches.subcommand() {
        None | Some(("serve", _)) => Ok(Command::Serve),
        Some(("migrate", _)) => Ok(Command::Migrate),
        Some(("secrets", _)) => Ok(Command::Reencrypt),
        Some(("db", matches)) => values::db(matches).map(Command::Db),
        Some(("keys", matches)) => values::keys(matches).map(Command::Keys),
        Some(_) => Ok(Command::Tell(version())),
    }
}

fn version() -> String {
    format!("selfmx {}", env!("CARGO_PKG_VERSION"))
}

/// What the parser has to say instead of a command: what was asked for, or what is wrong.
fn told(error: &clap::Error) -> Result<Command, Misuse> {
    let text = error.render().to_string();
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return Ok(Command::Tell(text));
    }
    // The parser quotes what it does not know.
    Err(Misuse(without_secrets(text.strip_prefix("error: ").unwrap_or(&text).trim_end())))
}

/// The text with nothing but its beginning left of each made secret.
fn without_secrets(text: &str) -> String {
    SECRETS.iter().fold(text.to_owned(), |text, prefix| {
        let mut parts = text.split(prefix);
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |kept, part| format!("{kept}{prefix}...{}", part.trim_start_matches(|c: char| c.is_ascii_alphanumeric())))
    })
}

#[cfg(test)]
mod tests {
    use selfmx_auth::Permission;
    use time::macros::datetime;

    use super::*;

    fn command(line: &str) -> Result<Command, Misuse> {
        read(["selfmx"].into_iter().chain(line.split_whitespace()).map(OsString::from))
    }

    fn refused(line: &str) -> String {
        command(line).unwrap_err().to_string()
    }

    #[test]
    fn a_copy_replaces_nothing_unless_told_to() {
        let db = |line: &str| match command(line) {
            Ok(Command::Db(command)) => command,
            other => panic!("{line}: {other:?}"),
        };
        assert_eq!(db("db backup a.dump"), DbCommand::Backup("a.dump".into()));
        assert_eq!(db("db restore /b/a.dump"), DbCommand::Restore("/b/a.dump".into(), Over::Nothing));
        assert_eq!(db("db restore --force a.dump"), DbCommand::Restore("a.dump".into(), Over::Everything));
        for line in ["db", "db backup", "db restore", "db backup --force a", "db backup a b", "db drop"] {
            assert!(command(line).is_err(), "{line}");
        }
    }

    #[test]
    fn a_key_is_a_platform_key_that_may_do_everything_unless_told_otherwise() {
        let Ok(Command::Keys(KeysCommand::Create(key))) = command("keys create --name Rescue") else { panic!() };
        assert_eq!((key.name.as_str(), key.permissions, key.tenant), ("Rescue", Permission::All.into(), None));
        assert_eq!((key.mode, key.expires_at, key.form), (None, None, Form::Text));
    }

    #[test]
    fn a_key_is_all_that_was_said() {
        let line = "keys create --permissions send,logs:read --json --permissions templates:read --tenant=tenant_default --mode test \
                    --expires-at 2030-01-01T01:00:00+01:00 --name Shop";
        let Ok(Command::Keys(KeysCommand::Create(key))) = command(line) else { panic!() };
        assert_eq!(key.permissions, [Permission::Send, Permission::LogsRead, Permission::TemplatesRead].into_iter().collect());
        assert_eq!((key.tenant, key.mode, key.form), (Some(TenantId::DEFAULT), Some(Mode::Test), Form::Json));
        assert_eq!(key.expires_at, Some(datetime!(2030-01-01 00:00 UTC)));
    }

    #[test]
    fn a_list_is_what_was_said() {
        let Ok(Command::Keys(KeysCommand::List(list))) = command("keys list") else { panic!() };
        assert_eq!((list.revoked, list.tenant, list.form), (RevokedKeys::Hidden, None, Form::Text));
        let Ok(Command::Keys(KeysCommand::List(list))) = command("keys list --tenant tenant_default --revoked --json") else { panic!() };
        assert_eq!((list.revoked, list.tenant, list.form), (RevokedKeys::Included, Some(TenantId::DEFAULT), Form::Json));
    }

    #[test]
    fn the_server_is_the_default() {
        assert!(matches!(command(""), Ok(Command::Serve)) && matches!(command("serve"), Ok(Command::Serve)));
        assert!(matches!(command("migrate"), Ok(Command::Migrate)));
        assert!(matches!(command("secrets reencrypt"), Ok(Command::Reencrypt)));
    }

    #[test]
    fn each_wrong_line_says_what_is_right() {
        for (line, words) in [
            ("start", "Usage: selfmx [serve | migrate | keys | secrets | db | version | help]"),
            ("serve now", "'now'"),
            ("keys", "create, list, revoke"),
            ("keys creat", "'create'"),
            ("secrets", "selfmx secrets reencrypt"),
            ("secrets encrypt", "'encrypt'"),
            ("secrets reencrypt now", "'now'"),
            ("keys create", "--name <NAME>"),
            ("keys create --name", "--name <NAME>"),
            ("keys create --name a --name b", "--name <NAME>"),
            ("keys create --nam a", "'--name'"),
            ("keys create --name a --permissions sned", "--permissions: `sned` is no permission; there are: *, send"),
            ("keys create --name a --permissions send,", "--permissions: `` is no permission; there are: *, send"),
            ("keys create --name a --tenant key_default", "--tenant: this is no id that begins with `tenant_`"),
            ("keys create --name a --mode dry", "--mode: must be one of: live, test"),
            ("keys create --name a --expires-at tomorrow", "--expires-at: is no time of RFC 3339: write `2030-12-31T23:59:59Z`"),
            ("keys list everything", "'everything'"),
            ("keys list --tenant acme", "--tenant: this is no id"),
            ("keys revoke", "<ID>"),
            ("keys revoke Shop", "ID: this is no id that begins with `key_`; `selfmx keys list` shows the ids"),
            ("keys revoke key_default", "API_KEY"),
            ("keys revoke key_default key_default", "key_default"),
        ] {
            let text = refused(line);
            assert!(text.contains(words), "{line}: {text}");
        }
        assert_eq!(refused("keys create --name a --name b").matches("error").count(), 0);
        assert!(read(["selfmx", "keys", "create", "--name", "a\tb"].into_iter().map(OsString::from)).is_err());
    }

    #[test]
    fn a_secret_is_quoted_nowhere() {
        let secret = "sk_test_canary";
        for line in [
            "",
            "keys ",
            "keys revoke ",
            "keys list ",
            "keys list --",
            "keys list --secret=",
            "keys create --name a --tenant ",
            "keys create --name a --permissions ",
        ] {
            let text = refused(&format!("{line}{secret}"));
            assert!(!text.contains("canary"), "{line}: {text}");
        }
        assert_eq!(without_secrets("'sk_live_a1' and 'sk_live_b2', sk_test_c"), "'sk_live_...' and 'sk_live_...', sk_test_...");
    }
}
