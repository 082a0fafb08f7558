//! What may stand on the command line, and what help says of it.

use clap::{Arg, ArgAction, Command as Parser};

/// All commands and what each takes.
pub(super) fn parser() -> Parser {
    Parser::new("selfmx")
        .version(env!("CARGO_PKG_VERSION"))
        .about("A self-hosted email API.")
        .override_usage("selfmx [serve | migrate | keys | secrets | db | version | help]")
        .after_help("Settings come from the environment, from .env in the working directory, and from files that NAME_FILE names.")
        .subcommand(Parser::new("serve").about("Runs the server (the default)"))
        .subcommand(Parser::new("migrate").about("Brings the database's schema up to date and ends"))
        .subcommand(keys_parser())
        .subcommand(secrets_parser())
        .subcommand(db_parser())
        .subcommand(Parser::new("version").about("Says which version this is"))
}

fn keys_parser() -> Parser {
    Parser::new("keys")
        .about("Makes, lists and revokes API keys, on the server's own database")
        .long_about(
            "Makes, lists and revokes API keys on the server's own database, by the server's settings,\n\
             whether the server runs or not. It needs no key: it is for the operator who has none left.",
        )
        .override_usage("selfmx keys <create | list | revoke>")
        .subcommand_required(true)
        .subcommand(create_parser())
        .subcommand(list_parser())
        .subcommand(
            Parser::new("revoke")
                .about("Revokes a key, at once on running servers too")
                .arg(Arg::new("ID").required(true).help("The key's id, key_...")),
        )
}

fn secrets_parser() -> Parser {
    Parser::new("secrets")
        .about("Seals the secrets in the server's own database anew")
        .override_usage("selfmx secrets reencrypt")
        .subcommand_required(true)
        .subcommand(Parser::new("reencrypt").about("Seals with SECRET_KEY what a key of SECRET_KEYS_OLD has sealed, while servers run"))
}

fn db_parser() -> Parser {
    let file = || Arg::new("FILE").required(true).value_parser(clap::value_parser!(std::path::PathBuf));
    Parser::new("db")
        .about("Copies the server's own database into a file, or a file into it")
        .override_usage("selfmx db <backup | restore>")
        .subcommand_required(true)
        .subcommand(
            Parser::new("backup")
                .about("Writes all of the database, as it is now, while servers run; the secret key is not in it")
                .arg(file().help("The file to write; one that is there is not overwritten")),
        )
        .subcommand(
            Parser::new("restore")
                .about("Puts a copy into the database, which has to be empty, while no server runs")
                .arg(file().help("What `selfmx db backup` wrote"))
                .arg(Arg::new("force").long("force").action(ArgAction::SetTrue).help("Deletes ALL that the database holds")),
        )
}

fn create_parser() -> Parser {
    Parser::new("create")
        .about("Makes a key; its secret, shown only now, is all that goes to standard output")
        .arg(option("name", "NAME").required(true).help("What people call it"))
        .arg(
            option("permissions", "LIST")
                .value_delimiter(',')
                .action(ArgAction::Append)
                .default_value("*")
                .help("What it may do, separated by commas"),
        )
        .arg(option("tenant", "ID").help("The tenant that it is confined to; without: a platform key"))
        .arg(option("mode", "MODE").help("`live`, or `test`: its mail is captured, not sent [default: live]"))
        .arg(option("expires-at", "TIME").help("From when on it is refused, such as 2030-12-31T23:59:59Z; without: never"))
        .arg(json())
}

fn list_parser() -> Parser {
    Parser::new("list")
        .about("Lists the keys, newest first")
        .arg(Arg::new("revoked").long("revoked").action(ArgAction::SetTrue).help("Revoked ones too"))
        .arg(option("tenant", "ID").help("Those of this tenant alone"))
        .arg(json())
}

fn option(name: &'static str, value: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value)
}

fn json() -> Arg {
    Arg::new("json").long("json").action(ArgAction::SetTrue).help("One JSON object on standard output, as the HTTP API would answer")
}
