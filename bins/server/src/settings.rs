//! Every variable that the server reads, checked before anything starts.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use rustls::pki_types::ServerName;
use selfmx_auth::Secret;
use selfmx_domain::{Domain, PublicUrl, Rate, RateLimit, RetryPolicy};
use selfmx_http::{CorsOrigins, HttpSettings};
use selfmx_mail::{Credentials, Reach, RelaySettings, RelayTerms, Security, Signer, Verification};
use selfmx_storage::{DatabaseAddress, Error as StorageError, PoolSettings};
use selfmx_worker::WorkerSettings;

use crate::dkim;
use crate::environment::{Environment, SettingError};
use crate::secrets::Secrets;
use crate::tls;

/// Where everything is kept.
#[derive(Clone)]
pub(crate) enum Database {
    /// A private PostgreSQL under this folder, from the programs in the other one or wherever they are found.
    Private { data_dir: PathBuf, bin_dir: Option<PathBuf> },
    /// A PostgreSQL that somebody else runs.
    Address(Box<DatabaseAddress>),
}

/// What is done about the schema at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Schema {
    /// It is brought up to date.
    Migrate,
    /// It has to be up to date.
    Check,
}

/// How the database is used.
pub(crate) struct StoreSettings {
    pub(crate) database: Database,
    pub(crate) pool: PoolSettings,
    pub(crate) schema: Schema,
}

/// Where requests come in, and how.
pub(crate) struct Door {
    pub(crate) address: SocketAddr,
    pub(crate) http: HttpSettings,
}

/// Everything that can be set.
pub(crate) struct Settings {
    pub(crate) store: StoreSettings,
    pub(crate) secrets: Secrets,
    pub(crate) api_key: Option<Secret>,
    pub(crate) usual_rate: RateLimit,
    pub(crate) failures_per_minute: u32,
    pub(crate) door: Door,
    pub(crate) relay: Option<RelaySettings>,
    /// Under which URL the world reaches the server, which links in tracked mail begin with; none: mail is not tracked.
    pub(crate) public_url: Option<PublicUrl>,
    /// What has to be shown for the metrics, if anything has to.
    pub(crate) metrics_token: Option<Secret>,
    /// Which addresses events may be posted to.
    pub(crate) webhook_reach: Reach,
    /// What signs mail that no tenant's own key signs.
    pub(crate) signer: Option<Signer>,
    /// On what terms tenants' own relays are used.
    pub(crate) terms: RelayTerms,
    pub(crate) worker: WorkerSettings,
    /// After how many days bodies and events are deleted; none: never.
    pub(crate) retention: Option<NonZeroU32>,
}

impl StoreSettings {
    pub(crate) fn read(environment: &Environment) -> Result<Self, SettingError> {
        let database = match environment.read_secret("DATABASE_URL", database_address)? {
            Some(address) => Database::Address(Box::new(address)),
            None => Database::Private {
                data_dir: environment
                    .read("DATA_DIR", "a folder, or the path of one to make", folder_to_be)?
                    .unwrap_or_else(default_data_dir),
                bin_dir: environment.text("POSTGRES_BIN_DIR")?.map(PathBuf::from),
            },
        };
        let pool = PoolSettings {
            size: environment.number("DB_POOL_SIZE", 1..=1000, 10)?,
            wait: seconds(environment, "DB_POOL_TIMEOUT", 30)?,
            idle: seconds(environment, "DB_IDLE_TIMEOUT", 300)?,
        };
        let schema = if environment.flag("DB_AUTO_MIGRATE", true)? { Schema::Migrate } else { Schema::Check };
        Ok(Self { database, pool, schema })
    }
}

impl Settings {
    /// Reads everything. The first wrong value is the error.
    pub(crate) fn read(environment: &Environment) -> Result<Self, SettingError> {
        let usual = relay(environment)?;
        let terms = terms(environment, &usual)?;
        let relay = Some(usual).filter(|relay| !relay.host.is_empty());
        let store = StoreSettings::read(environment)?;
        Ok(Self {
            api_key: environment.read_secret("API_KEY", Secret::chosen)?,
            public_url: environment.read("PUBLIC_URL", PublicUrl::ALLOWED, |text| text.parse().ok())?,
            webhook_reach: reach(environment, "WEBHOOK_ALLOW_PRIVATE")?,
            metrics_token: environment.read_secret("METRICS_TOKEN", Secret::chosen)?,
            usual_rate: usual_rate(environment)?,
            failures_per_minute: environment.number("AUTH_FAILURES_PER_MINUTE", 0..=RateLimit::MAX_PER_MINUTE, 60)?,
            door: door(environment)?,
            worker: worker(environment, relay.as_ref())?,
            relay,
            retention: NonZeroU32::new(environment.number("RETENTION_DAYS", 0..=36_500, 0)?),
            signer: dkim::signer(environment)?,
            terms,
            secrets: Secrets::read(environment, &store.database)?,
            store,
        })
    }
}

/// Where the database is; or why that is no address, without the name of the variable.
fn database_address(text: &str) -> Result<DatabaseAddress, String> {
    text.parse().map_err(|error| match error {
        StorageError::Address(reason) => reason,
        other => other.to_string(),
    })
}

/// A path at which there is a folder, or nothing yet.
fn folder_to_be(text: &str) -> Option<PathBuf> {
    let path = PathBuf::from(text);
    (!path.exists() || path.is_dir()).then_some(path)
}

/// The rate of a key for which nothing else is said; 0 requests mean that there is none.
fn usual_rate(environment: &Environment) -> Result<RateLimit, SettingError> {
    let requests = environment.number("RATE_LIMIT_REQUESTS", 0..=RateLimit::MAX_PER_MINUTE, 100_u32)?;
    let seconds = environment.number("RATE_LIMIT_WINDOW", 1..=86_400, 60_u32)?;
    let rate = NonZeroU32::new(requests).zip(NonZeroU32::new(seconds));
    Ok(rate.map_or(RateLimit::Unlimited, |(requests, seconds)| RateLimit::AtMost(Rate::new(requests, seconds))))
}

fn door(environment: &Environment) -> Result<Door, SettingError> {
    let host = environment.read("HOST", "an IP address, such as 0.0.0.0, 127.0.0.1 or ::", |text| text.parse::<IpAddr>().ok())?;
    let port = environment.number("PORT", 0..=65535, 8080_u16)?;
    let cors_origins =
        environment.read("CORS_ORIGINS", "* or a list of origins such as https://app.example, separated by commas", origins)?;
    let trusted_proxies = environment.read("TRUSTED_PROXIES", "a list of addresses or CIDR ranges, separated by commas", networks)?;
    let defaults = HttpSettings::default();
    let http = HttpSettings {
        tls: tls::server_config(environment)?,
        cors_origins: cors_origins.unwrap_or(CorsOrigins::Any),
        trusted_proxies: trusted_proxies.unwrap_or_default(),
        max_send_body: environment.number("SEND_BODY_LIMIT", defaults.max_body..=defaults.max_bodies, defaults.max_send_body)?,
        ..defaults
    };
    Ok(Door { address: SocketAddr::new(host.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), port), http })
}

/// The server's relay; without a host, what would be said of one.
fn relay(environment: &Environment) -> Result<RelaySettings, SettingError> {
    let name = |text: &str| ServerName::try_from(text).ok().map(|_| text.to_owned());
    let host = environment.read("SMTP_HOST", "a host name or an IP address", name)?;
    // All are read, also where there is no host: a wrong value is told, whether it counts or not.
    let port = environment.number("SMTP_PORT", 1..=65535, 587_u16)?;
    let mut settings = RelaySettings::new(host.as_deref().unwrap_or_default(), port, helo());
    if !environment.flag("SMTP_TLS", true)? {
        settings.security = Security::Plain;
    }
    if !environment.flag("SMTP_TLS_VERIFY", true)? {
        settings.verification = Verification::Accept;
    }
    settings.credentials = match (environment.text("SMTP_USER")?, environment.text("SMTP_PASS")?) {
        (Some(user), Some(pass)) => Some(Credentials::new(user, pass)),
        (None, None) => None,
        (Some(_), None) => return Err(SettingError::Alone { name: "SMTP_USER", needed: "SMTP_PASS" }),
        (None, Some(_)) => return Err(SettingError::Alone { name: "SMTP_PASS", needed: "SMTP_USER" }),
    };
    settings.timeout = seconds(environment, "SMTP_TIMEOUT", 30)?;
    settings.pool_size = environment.number("SMTP_POOL_SIZE", 1..=1000, 10)?;
    Ok(settings)
}

/// Public addresses only, unless the operator says otherwise.
fn reach(environment: &Environment, name: &'static str) -> Result<Reach, SettingError> {
    Ok(if environment.flag(name, false)? { Reach::Anywhere } else { Reach::PublicOnly })
}

/// Tenants' relays are used as the server's own, but for what is each tenant's to say, and what is not theirs to reach.
fn terms(environment: &Environment, relay: &RelaySettings) -> Result<RelayTerms, SettingError> {
    let reach = reach(environment, "TENANT_SMTP_ALLOW_PRIVATE")?;
    let usual = RelayTerms::new(relay.helo.clone());
    let pool_size = u16::try_from(relay.pool_size).unwrap_or(u16::MAX).min(usual.pool_size);
    Ok(RelayTerms { reach, pool_size, timeout: relay.timeout, final_timeout: relay.final_timeout, ..usual })
}

fn worker(environment: &Environment, relay: Option<&RelaySettings>) -> Result<WorkerSettings, SettingError> {
    let defaults = WorkerSettings::default();
    let retries = environment.number("QUEUE_RETRY_ATTEMPTS", 0..=100, 3)?;
    let delay = Duration::from_secs(environment.number("QUEUE_RETRY_DELAY", 0..=86_400, 60)?);
    Ok(WorkerSettings {
        runners: environment.number("QUEUE_WORKERS", 1..=256, defaults.runners)?,
        sending: relay.map_or(defaults.sending, |relay| u16::try_from(relay.pool_size).unwrap_or(u16::MAX)),
        policy: RetryPolicy::new(retries, delay),
        lease: Duration::from_secs(environment.number("QUEUE_LEASE", 3..=60, 60)?),
        ..defaults
    })
}

fn seconds(environment: &Environment, name: &str, default: u64) -> Result<Duration, SettingError> {
    Ok(Duration::from_secs(environment.number(name, 1..=86_400, default)?))
}

fn origins(text: &str) -> Option<CorsOrigins> {
    if text.trim() == "*" {
        return Some(CorsOrigins::Any);
    }
    let is_origin = |origin: &&str| {
        let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
        host.is_some_and(|host| !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/'))
    };
    let origins: Vec<_> = text.split(',').map(str::trim).collect();
    // Browsers send scheme and host in lower case.
    origins.iter().all(is_origin).then(|| CorsOrigins::Only(origins.into_iter().map(str::to_ascii_lowercase).collect()))
}

fn networks(text: &str) -> Option<Vec<IpNet>> {
    text.split(',').map(|part| part.trim().parse().ok().or_else(|| part.trim().parse::<IpAddr>().ok().map(IpNet::from))).collect()
}

fn default_data_dir() -> PathBuf {
    // PostgreSQL does not run as root, and its user cannot enter a folder below root's home.
    let path = if nix::unistd::geteuid().is_root() { "/var/lib/selfmx" } else { "selfmx-data" };
    PathBuf::from(path)
}

/// The name that the relay hears in EHLO: this machine's, where it is a domain name.
fn helo() -> Domain {
    let name = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    let named = name.and_then(|name| name.parse().ok());
    named.unwrap_or_else(Domain::localhost)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(pairs: &[(&str, &str)]) -> String {
        Settings::read(&Environment::of(pairs)).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn the_documented_defaults_hold() {
        let settings = Settings::read(&Environment::of(&[])).unwrap();
        assert_eq!(settings.door.address.to_string(), "0.0.0.0:8080");
        assert_eq!((settings.worker.runners, settings.store.pool.size, settings.store.schema), (4, 10, Schema::Migrate));
        assert!(settings.relay.is_none() && settings.api_key.is_none() && settings.door.http.tls.is_none());
        assert_eq!((settings.door.http.cors_origins, settings.retention), (CorsOrigins::Any, None));
    }

    #[test]
    fn a_relay_is_read_with_its_security() {
        let relay = |pairs: &[(&str, &str)]| Settings::read(&Environment::of(pairs)).unwrap().relay.unwrap();
        let usual = relay(&[("SMTP_HOST", "mx.example"), ("SMTP_USER", "u"), ("SMTP_PASS", "p")]);
        assert_eq!((usual.port, usual.security, usual.verification, usual.pool_size), (587, Security::StartTls, Verification::Verify, 10));
        assert!(usual.credentials.is_some());
        assert_eq!(relay(&[("SMTP_HOST", "h"), ("SMTP_PORT", "465")]).security, Security::ImplicitTls);
        assert_eq!(relay(&[("SMTP_HOST", "h"), ("SMTP_PORT", "465"), ("SMTP_TLS", "false")]).security, Security::Plain);
        assert_eq!(relay(&[("SMTP_HOST", "h"), ("SMTP_TLS_VERIFY", "false")]).verification, Verification::Accept);
    }

    #[test]
    fn a_tenant_s_relay_is_reached_at_public_addresses_unless_the_operator_says_otherwise() {
        let terms = |pairs: &[(&str, &str)]| Settings::read(&Environment::of(pairs)).unwrap().terms;
        let usual = terms(&[]);
        assert_eq!((usual.reach, usual.pool_size, usual.timeout.as_secs()), (Reach::PublicOnly, 4, 30));
        // What is said of the server's relay, even where there is none; not whether its certificate counts.
        let told =
            terms(&[("SMTP_TIMEOUT", "5"), ("SMTP_POOL_SIZE", "2"), ("SMTP_TLS_VERIFY", "false"), ("TENANT_SMTP_ALLOW_PRIVATE", "true")]);
        assert_eq!((told.reach, told.pool_size, told.timeout.as_secs()), (Reach::Anywhere, 2, 5));
    }

    #[test]
    fn each_wrong_value_is_named_with_what_is_allowed() {
        for (pairs, words) in [
            (vec![("PORT", "http")], "PORT=http is not allowed: a whole number from 0 to 65535"),
            (vec![("HOST", "localhost:80")], "HOST=localhost:80 is not allowed"),
            (vec![("API_KEY", "short")], "API_KEY=(hidden) is not allowed: must have 16..256 characters, and has 5"),
            (
                vec![("DATABASE_URL", "mysql://u:hunter2@h/d")],
                "DATABASE_URL=(hidden) is not allowed: must be `postgres://user:pass@host:5432/db`; ",
            ),
            (vec![("DATABASE_URL", "postgres://u:hunter2@h/d?sslmode=no")], "DATABASE_URL=(hidden) is not allowed: sslmode must be one of"),
            (vec![("DATA_DIR", "/dev/null")], "DATA_DIR=/dev/null is not allowed: a folder, or the path of one to make"),
            (vec![("QUEUE_WORKERS", "0")], "QUEUE_WORKERS=0 is not allowed: a whole number from 1 to 256"),
            (vec![("RETENTION_DAYS", "-1")], "RETENTION_DAYS=-1 is not allowed: a whole number from 0 to 36500"),
            (vec![("QUEUE_LEASE", "61")], "QUEUE_LEASE=61 is not allowed: a whole number from 3 to 60"),
            (vec![("DB_AUTO_MIGRATE", "no")], "true or false"),
            (vec![("SMTP_HOST", "h"), ("SMTP_USER", "u")], "SMTP_USER is set without SMTP_PASS"),
            (vec![("SMTP_HOST", "h:587")], "SMTP_HOST=h:587 is not allowed: a host name or an IP address"),
            (vec![("TENANT_SMTP_ALLOW_PRIVATE", "1")], "TENANT_SMTP_ALLOW_PRIVATE=1 is not allowed: true or false"),
            (vec![("SMTP_PORT", "smtp")], "SMTP_PORT=smtp is not allowed"),
            (vec![("PUBLIC_URL", "mail.example")], "PUBLIC_URL=mail.example is not allowed: an http or https URL such as"),
            (vec![("PUBLIC_URL", "https://mail.example/?a")], "without user, query and fragment"),
            (vec![("TLS_CERT", "c.pem")], "TLS_CERT is set without TLS_KEY"),
            (vec![("CORS_ORIGINS", "https://a.example,b.example")], "CORS_ORIGINS="),
            (vec![("TRUSTED_PROXIES", "10.0.0.0/33")], "TRUSTED_PROXIES=10.0.0.0/33"),
        ] {
            let text = refused(&pairs);
            assert!(text.contains(words), "{pairs:?}: {text}");
            assert!(!text.contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn lists_are_read() {
        let pairs = [("CORS_ORIGINS", "https://A.example, http://localhost:3000"), ("TRUSTED_PROXIES", "10.0.0.0/8, ::1")];
        let http = door(&Environment::of(&pairs)).unwrap().http;
        assert_eq!(http.cors_origins, CorsOrigins::Only(vec!["https://a.example".to_owned(), "http://localhost:3000".to_owned()]));
        assert_eq!(http.trusted_proxies.len(), 2);
    }
}
