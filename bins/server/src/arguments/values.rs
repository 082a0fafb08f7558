//! What the arguments of `selfmx keys` say.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::ArgMatches;
use selfmx_auth::{Permission, PermissionSet};
use selfmx_domain::ApiKeyId;
use selfmx_storage::RevokedKeys;
use time::OffsetDateTime;

use super::{DbCommand, Form, KeyList, KeysCommand, Misuse, NewKey, Over, SECRETS};

/// What is to be done with a copy of the database.
pub(super) fn db(matches: &ArgMatches) -> Result<DbCommand, Misuse> {
    let file = |matches: &ArgMatches| matches.get_one::<PathBuf>("FILE").cloned().unwrap_or_default();
    match matches.subcommand() {
        Some(("backup", matches)) => Ok(DbCommand::Backup(file(matches))),
        Some((_, matches)) => {
            let over = if matches.get_flag("force") { Over::Everything } else { Over::Nothing };
            Ok(DbCommand::Restore(file(matches), over))
        }
        None => Err(Misuse::of("db", &"needs one of: backup, restore")),
    }
}

/// What is to be done about keys.
pub(super) fn keys(matches: &ArgMatches) -> Result<KeysCommand, Misuse> {
    match matches.subcommand() {
        Some(("create", matches)) => Ok(KeysCommand::Create(NewKey {
            name: required(matches, "name")?,
            permissions: permissions(matches)?,
            tenant: value(matches, "tenant", str::parse)?,
            mode: value(matches, "mode", str::parse)?,
            expires_at: value(matches, "expires-at", time)?,
            form: form(matches),
        })),
        Some(("list", matches)) => Ok(KeysCommand::List(KeyList {
            revoked: if matches.get_flag("revoked") { RevokedKeys::Included } else { RevokedKeys::Hidden },
            tenant: value(matches, "tenant", str::parse)?,
            form: form(matches),
        })),
        Some((_, matches)) => stored(matches).map(KeysCommand::Revoke),
        None => Err(Misuse::of("keys", &"needs one of: create, list, revoke")),
    }
}

/// The id of a key that is stored.
fn stored(matches: &ArgMatches) -> Result<ApiKeyId, Misuse> {
    let text = matches.get_one::<String>("ID").map(String::as_str).unwrap_or_default();
    if SECRETS.iter().any(|prefix| text.starts_with(prefix)) {
        let wanted = "this is a secret, and the key's id is wanted: `selfmx keys list` shows it beside the secret's last characters";
        return Err(Misuse::of("ID", &wanted));
    }
    let id = text.parse().map_err(|problem| Misuse::of("ID", &format!("{problem}; `selfmx keys list` shows the ids")))?;
    if id == ApiKeyId::DEFAULT {
        let elsewhere =
            "this key is the server's setting API_KEY and stored nowhere: take it out of the settings and start the server again";
        return Err(Misuse::of("key_default", &elsewhere));
    }
    Ok(id)
}

fn required<T: FromStr<Err: fmt::Display>>(matches: &ArgMatches, name: &str) -> Result<T, Misuse> {
    value(matches, name, str::parse)?.ok_or_else(|| Misuse::of(&format!("--{name}"), &"is required"))
}

fn value<T, E: fmt::Display>(matches: &ArgMatches, name: &str, read: impl FnOnce(&str) -> Result<T, E>) -> Result<Option<T>, Misuse> {
    let text = matches.get_one::<String>(name);
    text.map(|text| read(text)).transpose().map_err(|problem| Misuse::of(&format!("--{name}"), &problem))
}

fn permissions(matches: &ArgMatches) -> Result<PermissionSet, Misuse> {
    let texts = matches.get_many::<String>("permissions").into_iter().flatten();
    texts.map(|text| text.parse::<Permission>().map_err(|problem| Misuse::of("--permissions", &format!("`{text}` {problem}")))).collect()
}

fn time(text: &str) -> Result<OffsetDateTime, &'static str> {
    selfmx_wire::time_of(text).ok_or("is no time of RFC 3339: write `2030-12-31T23:59:59Z`")
}

fn form(matches: &ArgMatches) -> Form {
    if matches.get_flag("json") { Form::Json } else { Form::Text }
}
