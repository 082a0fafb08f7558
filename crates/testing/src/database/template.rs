//! The databases that those of the tests are copied from.

use std::collections::hash_map::DefaultHasher;
use std::env;
use std::fs;
use std::hash::{Hash, Hasher};
use std::io;
use std::thread;

use tokio::runtime::Builder;
use tokio_postgres::Client;

use super::server::Server;
use super::{first_column, name, reason};

/// The template's name; it is made where it is not there. An advisory lock keeps other threads and processes from making it too.
pub(super) async fn ensure(server: &Server, key: &str, prepare: &(impl AsyncFn(&str) + Send + Sync)) -> String {
    let rest = format!("template_{key}_{:x}", binary());
    let find = format!("SELECT datname FROM pg_database WHERE datname LIKE '{}' ORDER BY 1 DESC LIMIT 1", name::pattern(&rest));
    let client = server.connect().await;
    if let Some(found) = texts(&client, &find).await.pop() {
        return found;
    }
    texts(&client, &format!("SELECT pg_advisory_lock(hashtext('{rest}'))")).await;
    if let Some(found) = texts(&client, &find).await.pop() {
        return found;
    }
    for stale in texts(&client, name::STALE).await {
        texts(&client, &format!("DROP DATABASE IF EXISTS {stale} WITH (FORCE)")).await;
    }
    let (template, raw) = (name::dated(&rest), name::unique());
    texts(&client, &format!("CREATE DATABASE {raw}")).await;
    run(prepare, &server.address(&raw));
    // Until it has its name, nobody finds it: what is half made stays unknown.
    texts(&client, &format!("ALTER DATABASE {raw} RENAME TO {template}")).await;
    template
}

/// Tells builds of test binaries apart: each brings migrations of its own.
fn binary() -> u64 {
    let seen = || -> io::Result<_> {
        let path = env::current_exe()?;
        let metadata = fs::metadata(&path)?;
        Ok((path, metadata.modified()?, metadata.len()))
    };
    let seen = seen().unwrap_or_else(|error| panic!("cannot look at the test binary: {error}"));
    let mut hasher = DefaultHasher::new();
    seen.hash(&mut hasher);
    // Half of it keeps names within PostgreSQL's 63 octets.
    hasher.finish() >> 32
}

/// Runs `prepare` to its end on a runtime whose end closes what it has opened.
fn run(prepare: &(impl AsyncFn(&str) + Send + Sync), address: &str) {
    let prepared = thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
            runtime.map(|runtime| runtime.block_on(prepare(address)))
        });
        thread.join()
    });
    match prepared {
        Ok(done) => done.unwrap_or_else(|error| panic!("no runtime: {error}")),
        Err(_) => panic!("the database could not be prepared; the panic above says why"),
    }
}

async fn texts(client: &Client, sql: &str) -> Vec<String> {
    let messages = client.simple_query(sql).await;
    messages.unwrap_or_else(|error| panic!("{sql}: {}", reason(&error))).iter().filter_map(first_column).collect()
}
