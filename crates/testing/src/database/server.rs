//! The server that all test processes of a run share.

use std::env;

use selfmx_pgbox::{PgBox, Settings};
use tokio::sync::OnceCell;
use tokio_postgres::Client;

use super::{connect, reason, runner, try_connect};

const CHOSEN: &str = "SELFMX_TEST_POSTGRES";

/// A server on which databases can be made.
#[derive(Debug)]
pub(super) enum Server {
    /// The one that `SELFMX_TEST_POSTGRES` names.
    Chosen(String),
    /// The run's own.
    Private(Box<PgBox>),
}

impl Server {
    /// The server, started when the first test asks for it.
    pub(super) async fn of_this_run() -> &'static Self {
        static SERVER: OnceCell<Server> = OnceCell::const_new();
        SERVER.get_or_init(Self::open).await
    }

    #[expect(clippy::disallowed_methods, reason = "tests have no configuration that could bring it")]
    async fn open() -> Self {
        if let Ok(chosen) = env::var(CHOSEN)
            && !chosen.is_empty()
        {
            return Self::Chosen(chosen);
        }
        let folder = runner::folder_that_ends_with_the_run().unwrap_or_else(|error| panic!("no folder for the tests' PostgreSQL: {error}"));
        let server = PgBox::open(Settings::new(folder.join("postgres"))).await;
        Self::Private(Box::new(server.unwrap_or_else(|error| panic!("the tests' PostgreSQL: {error}"))))
    }

    /// How to connect to one of its databases.
    pub(super) fn address(&self, database: &str) -> String {
        match self {
            Self::Chosen(address) => with_database(address, database),
            Self::Private(server) => server.connection_string(database),
        }
    }

    /// A connection to the database from which others are made.
    pub(super) async fn connect(&self) -> Client {
        connect(&self.home()).await
    }

    pub(super) async fn execute(&self, sql: &str) {
        self.try_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {}", reason(&error)));
    }

    pub(super) async fn try_execute(&self, sql: &str) -> Result<(), tokio_postgres::Error> {
        try_connect(&self.home()).await?.batch_execute(sql).await
    }

    fn home(&self) -> String {
        match self {
            Self::Chosen(address) => address.clone(),
            Self::Private(server) => server.connection_string(selfmx_pgbox::DATABASE),
        }
    }
}

/// A connection string with another database in it.
fn with_database(address: &str, database: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else {
        return format!("{address} dbname={database}");
    };
    let (place, query) = rest.split_once('?').map_or((rest, String::new()), |(place, query)| (place, format!("?{query}")));
    let host = place.split_once('/').map_or(place, |(host, _)| host);
    format!("{scheme}://{host}/{database}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_string_keeps_all_but_its_database() {
        for (given, expected) in [
            ("postgres://u:p@h:1/old?sslmode=disable", "postgres://u:p@h:1/new?sslmode=disable"),
            ("postgresql://h", "postgresql://h/new"),
            ("host=/run user=u dbname=old", "host=/run user=u dbname=old dbname=new"),
        ] {
            assert_eq!(with_database(given, "new"), expected);
            let config: tokio_postgres::Config = expected.parse().unwrap();
            assert_eq!(config.get_dbname(), Some("new"));
        }
    }
}
