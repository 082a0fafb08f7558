//! A PostgreSQL for each run of the tests, and a database of its own for each test.
//!
//! | | |
//! |---|---|
//! | server | one for all test processes of a run: those that the same `cargo test` or `cargo nextest run` started. The first of them makes it (about a second), the others find it (milliseconds). It ends with the run. |
//! | template | made once by each test binary, by the function that a test hands in |
//! | database | copied from the template, dropped when its [`Database`] is |
//!
//! With the environment variable `SELFMX_TEST_POSTGRES` set to a connection string (its role may make databases; no TLS), that server is
//! used and none is started.

#![expect(clippy::panic, reason = "a test that cannot have its database has failed")]

mod name;
mod runner;
mod server;
mod template;
#[cfg(test)]
mod tests;

use std::thread;

use tokio::runtime::Builder;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use self::server::Server;

/// A database that one test has to itself; dropping this drops it.
///
/// ```no_run
/// # async fn run() {
/// use selfmx_testing::Database;
///
/// let database = Database::create("accounts", async |address| {
///     Database::execute_at(address, "CREATE TABLE accounts (id int)").await;
/// })
/// .await;
/// database.execute("INSERT INTO accounts VALUES (7)").await;
/// assert_eq!(database.query_one_text("SELECT id FROM accounts").await, "7");
/// # }
/// ```
///
/// Whatever goes wrong ends the test with a panic that says what to do.
#[derive(Debug)]
pub struct Database {
    server: &'static Server,
    name: String,
    address: String,
}

impl Database {
    /// A copy of the template `name`, which `prepare` makes of an empty database (it is given the connection string) when this is the first
    /// test of the test binary to ask for it. `prepare` runs on a multi-threaded runtime of its own and leaves no connection open.
    pub async fn create(name: &str, prepare: impl AsyncFn(&str) + Send + Sync) -> Self {
        let server = Server::of_this_run().await;
        let template = template::ensure(server, name, &prepare).await;
        Self::made(server, &format!("TEMPLATE {template}")).await
    }

    /// A database with nothing in it.
    pub async fn empty() -> Self {
        Self::made(Server::of_this_run().await, "").await
    }

    async fn made(server: &'static Server, how: &str) -> Self {
        let name = name::unique();
        server.execute(&format!("CREATE DATABASE {name} {how}")).await;
        let address = server.address(&name);
        Self { server, name, address }
    }

    /// How to connect to it, in the form that the server was named in: `name=value` pairs, or a URL where `SELFMX_TEST_POSTGRES` is one.
    #[must_use]
    pub fn connection_string(&self) -> &str {
        &self.address
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A connection of the test's own, served by a task of the runtime that this is called in.
    pub async fn connect(&self) -> Client {
        connect(&self.address).await
    }

    /// Runs statements, separated by semicolons.
    pub async fn execute(&self, sql: &str) {
        Self::execute_at(&self.address, sql).await;
    }

    /// The first column of the first row as text, `NULL` as the empty text.
    pub async fn query_one_text(&self, sql: &str) -> String {
        self.query_texts(sql).await.into_iter().next().unwrap_or_else(|| panic!("no row: {sql}"))
    }

    /// The first column of all rows as text, `NULL` as the empty text.
    pub async fn query_texts(&self, sql: &str) -> Vec<String> {
        Self::query_texts_at(&self.address, sql).await
    }

    /// [`query_texts`](Self::query_texts) in the database at `address`.
    pub async fn query_texts_at(address: &str, sql: &str) -> Vec<String> {
        let messages = connect(address).await.simple_query(sql).await;
        let messages = messages.unwrap_or_else(|error| panic!("{sql}: {}", reason(&error)));
        messages.iter().filter_map(first_column).collect()
    }

    /// [`execute`](Self::execute) in the database at `address`: for what is handed to [`create`](Self::create).
    pub async fn execute_at(address: &str, sql: &str) {
        let done = connect(address).await.batch_execute(sql).await;
        done.unwrap_or_else(|error| panic!("{sql}: {}", reason(&error)));
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (server, name) = (self.server, self.name.clone());
        // On a thread of its own: a runtime cannot wait within another's task.
        let dropping = thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build();
            runtime.map(|runtime| runtime.block_on(server.try_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))))
        });
        // What is left behind goes with the server, or with a later run.
        drop(dropping.join());
    }
}

async fn connect(address: &str) -> Client {
    try_connect(address).await.unwrap_or_else(|error| panic!("no connection to the tests' PostgreSQL: {}", reason(&error)))
}

async fn try_connect(address: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(address, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

fn first_column(message: &SimpleQueryMessage) -> Option<String> {
    match message {
        SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or_default().to_owned()),
        _ => None,
    }
}

/// The database's own words, where it said something.
fn reason(error: &tokio_postgres::Error) -> String {
    error.as_db_error().map_or_else(|| format!("{error:?}"), |said| format!("{said:?}"))
}
