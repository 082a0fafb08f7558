//! Where the database is: a URL as libpq reads it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::Error;
use crate::tls::{Check, client_config};

/// Where Debian and its kin keep the operating system's authorities.
const SYSTEM_AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// How long the server's machine may leave what we sent unacknowledged, and a connection silent.
const UNANSWERED: Duration = Duration::from_secs(30);

/// Where the database is and how to log in: what `DATABASE_URL` says, or a private server's connection string.
///
/// `sslmode` means what it means to libpq: `disable`, `prefer` (the default), `require`, `verify-ca` and `verify-full`, the last two against
/// `sslrootcert` or the operating system's authorities.
#[derive(Clone)]
pub struct DatabaseAddress {
    config: Config,
    tls: MakeRustlsConnect,
    /// As libpq has it.
    ssl_mode: String,
    root_certificate: Option<String>,
}

impl DatabaseAddress {
    /// The same for PostgreSQL's own programs, as the environment variables that libpq reads. The password is among them.
    #[must_use]
    pub fn libpq(&self) -> Vec<(&'static str, String)> {
        let config = &self.config;
        let hosts = config.get_hosts().iter().map(|host| match host {
            Host::Tcp(name) => name.clone(),
            Host::Unix(folder) => folder.to_string_lossy().into_owned(),
        });
        let addresses = config.get_hostaddrs().iter().map(ToString::to_string);
        let ports = config.get_ports().iter().map(ToString::to_string);
        let password = config.get_password().map(|password| String::from_utf8_lossy(password).into_owned());
        let user = config.get_user().map(str::to_owned);
        let known = [
            ("PGHOST", listed(hosts)),
            ("PGHOSTADDR", listed(addresses)),
            ("PGPORT", listed(ports)),
            ("PGDATABASE", config.get_dbname().map(str::to_owned).or_else(|| user.clone())),
            ("PGUSER", user),
            ("PGPASSWORD", password),
            ("PGOPTIONS", config.get_options().map(str::to_owned)),
            ("PGSSLMODE", Some(self.ssl_mode.clone())),
            ("PGSSLROOTCERT", self.authorities()),
        ];
        known.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    /// Where libpq finds the authorities that count: it does not ask the operating system of itself.
    fn authorities(&self) -> Option<String> {
        let own = self.ssl_mode.starts_with("verify").then(|| SYSTEM_AUTHORITIES.to_owned());
        self.root_certificate.clone().or(own)
    }

    pub(crate) const fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn tls(&self) -> MakeRustlsConnect {
        self.tls.clone()
    }
}

impl FromStr for DatabaseAddress {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let Parameters { rest, ssl_mode, root_certificate } = Parameters::split(text);
        let refused =
            |error: tokio_postgres::Error| Error::Address(format!("must be `postgres://user:pass@host:5432/db`; {}", reason(&error)));
        let mut config: Config = rest.parse().map_err(refused)?;
        // What was written in a way that only tokio-postgres reads (`sslmode = require`) counts too.
        let ssl_mode = ssl_mode.as_deref().unwrap_or(written(config.get_ssl_mode()));
        let (mode, check) = match ssl_mode {
            "disable" => (SslMode::Disable, Check::Nothing),
            "prefer" => (SslMode::Prefer, Check::Nothing),
            // As in libpq, a root certificate turns `require` into `verify-ca`.
            "require" if root_certificate.is_some() => (SslMode::Require, Check::Authority),
            "require" => (SslMode::Require, Check::Nothing),
            "verify-ca" => (SslMode::Require, Check::Authority),
            "verify-full" => (SslMode::Require, Check::AuthorityAndHost),
            _ => return Err(Error::Address("sslmode must be one of: disable, prefer, require, verify-ca, verify-full".to_owned())),
        };
        let hosts = config.get_hosts();
        let by_socket = !hosts.is_empty() && hosts.iter().all(|host| matches!(host, Host::Unix(_)));
        config.ssl_mode(if by_socket { SslMode::Disable } else { mode });
        if config.get_application_name().is_none() {
            config.application_name("selfmx");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_secs(10));
        }
        notice_silence(&mut config);
        let tls = MakeRustlsConnect::new(client_config(check, root_certificate.as_deref())?);
        Ok(Self { config, tls, ssl_mode: ssl_mode.to_owned(), root_certificate })
    }
}

impl fmt::Debug for DatabaseAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseAddress({:?})", self.config.get_hosts())
    }
}

fn listed(values: impl Iterator<Item = String>) -> Option<String> {
    Some(values.collect::<Vec<_>>().join(",")).filter(|list| !list.is_empty())
}

/// A server that is gone without a word (its machine died, a firewall forgot us) is noticed within a minute, and not when the system gives the
/// connection up after a quarter of an hour. What the URL says stands.
fn notice_silence(config: &mut Config) {
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(UNANSWERED);
    }
    if config.get_keepalives_idle() == Config::new().get_keepalives_idle() {
        config.keepalives_idle(UNANSWERED);
    }
    if config.get_keepalives_interval().is_none() {
        config.keepalives_interval(UNANSWERED / 3);
    }
    if config.get_keepalives_retries().is_none() {
        config.keepalives_retries(3);
    }
}

/// A mode of tokio-postgres as libpq writes it.
const fn written(mode: SslMode) -> &'static str {
    match mode {
        SslMode::Disable => "disable",
        SslMode::Require => "require",
        _ => "prefer",
    }
}

/// The parameters that tokio-postgres does not know, taken out of the text.
struct Parameters {
    rest: String,
    ssl_mode: Option<String>,
    root_certificate: Option<String>,
}

impl Parameters {
    fn split(text: &str) -> Self {
        let mut parameters = Self { rest: String::new(), ssl_mode: None, root_certificate: None };
        let is_url = text.starts_with("postgres://") || text.starts_with("postgresql://");
        if !is_url {
            let kept: Vec<_> = text.split(' ').filter(|part| !parameters.take(part)).collect();
            parameters.rest = kept.join(" ");
            return parameters;
        }
        let (head, query) = text.split_once('?').unwrap_or((text, ""));
        let kept: Vec<_> = query.split('&').filter(|part| !part.is_empty() && !parameters.take(part)).collect();
        parameters.rest = if kept.is_empty() { head.to_owned() } else { format!("{head}?{}", kept.join("&")) };
        parameters
    }

    fn take(&mut self, part: &str) -> bool {
        match part.split_once('=') {
            Some(("sslmode", value)) => self.ssl_mode = Some(value.to_owned()),
            Some(("sslrootcert", value)) => self.root_certificate = Some(value.replace("%2F", "/").replace("%2f", "/")),
            _ => return false,
        }
        true
    }
}

/// The whole chain of causes on one line. The texts of tokio-postgres name parameters and hosts, never passwords.
pub(crate) fn reason(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<DatabaseAddress, Error> {
        text.parse()
    }

    #[test]
    fn every_mode_of_libpq_is_known() {
        for (mode, expected) in
            [("disable", SslMode::Disable), ("prefer", SslMode::Prefer), ("require", SslMode::Require), ("verify-full", SslMode::Require)]
        {
            let address = parsed(&format!("postgres://u:p@db.example:5432/d?sslmode={mode}&application_name=x"));
            // Where the machine trusts no authority at all, checking is refused, which is right too.
            let Ok(address) = address else { continue };
            assert_eq!(address.config().get_ssl_mode(), expected, "{mode}");
            assert_eq!(address.config().get_application_name(), Some("x"));
        }
        assert!(matches!(parsed("postgres://u@h/d?sslmode=allow"), Err(Error::Address(_))));
        assert!(
            matches!(parsed("postgres://u@h/d?sslmode=verify-ca&sslrootcert=/nowhere.pem"), Err(Error::Address(reason)) if reason.contains("/nowhere.pem"))
        );
    }

    #[test]
    fn a_socket_needs_no_tls_and_whatever_else_keeps_its_mode() {
        let mode = |text: &str| parsed(text).unwrap().config().get_ssl_mode();
        assert_eq!(mode("host=/run/x user=u dbname=d sslmode=require"), SslMode::Disable);
        assert_eq!(mode("hostaddr=192.0.2.1 user=u sslmode=require"), SslMode::Require);
        assert_eq!(mode("host=/run/x,db.example user=u sslmode=require"), SslMode::Require);
    }

    #[test]
    fn no_way_of_writing_a_mode_weakens_it() {
        for text in ["host=db.example sslmode = require", "host=db.example\nsslmode=require", "postgres://db.example/d?ssl%6dode=require"] {
            assert_eq!(parsed(text).unwrap().config().get_ssl_mode(), SslMode::Require, "{text:?}");
        }
        for text in ["host=db.example sslmode = verify-full", "host=db.example\tsslmode=verify-ca", "host=db.example sslmode='require'"] {
            assert!(parsed(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_silent_server_is_noticed_unless_the_url_says_otherwise() {
        let timeout = |text: &str| parsed(text).unwrap().config().get_tcp_user_timeout().copied();
        assert_eq!(timeout("postgres://u@db.example/d"), Some(UNANSWERED));
        assert_eq!(timeout("postgres://u@db.example/d?tcp_user_timeout=5"), Some(Duration::from_secs(5)));
        let interval = |text: &str| parsed(text).unwrap().config().get_keepalives_interval();
        assert_eq!(interval("postgres://u@db.example/d"), Some(UNANSWERED / 3));
        assert_eq!(interval("postgres://u@db.example/d?keepalives_interval=7"), Some(Duration::from_secs(7)));
        let idle = |text: &str| parsed(text).unwrap().config().get_keepalives_idle();
        assert_eq!(idle("postgres://u@db.example/d"), UNANSWERED);
        assert_eq!(idle("postgres://u@db.example/d?keepalives_idle=8"), Duration::from_secs(8));
    }

    #[test]
    fn neither_debug_nor_an_error_shows_the_password() {
        let address = parsed("postgres://u:hunter2@db.example/d").unwrap();
        assert!(!format!("{address:?}").contains("hunter2"));
        let error = parsed("postgres://u:hunter2@db.example:port/d").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }

    #[test]
    fn programs_of_postgresql_s_are_told_the_same() {
        let told = |text: &str| {
            let address: DatabaseAddress = text.parse().unwrap();
            address.libpq().into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
        };
        let url = "postgres://u:p%40ss@db.example:6432/mail?sslmode=require&options=-c%20geqo%3Doff";
        let expected = "PGHOST=db.example PGPORT=6432 PGDATABASE=mail PGUSER=u PGPASSWORD=p@ss PGOPTIONS=-c geqo=off PGSSLMODE=require";
        assert_eq!(told(url), expected);
        assert_eq!(told("host=/run/pg user=u"), "PGHOST=/run/pg PGDATABASE=u PGUSER=u PGSSLMODE=prefer");
        let verified = told("postgres://u@db.example/mail?sslmode=verify-full");
        assert!(verified.ends_with("PGSSLMODE=verify-full PGSSLROOTCERT=/etc/ssl/certs/ca-certificates.crt"), "{verified}");
    }
}
