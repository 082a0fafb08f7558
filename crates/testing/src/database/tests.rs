//! Databases are prepared once, apart from each other, and gone at the end.

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

static PREPARED: AtomicU32 = AtomicU32::new(0);

async fn database() -> Database {
    Database::create("own", async |address| {
        PREPARED.fetch_add(1, Ordering::SeqCst);
        Database::execute_at(address, "CREATE TABLE things (id int); INSERT INTO things VALUES (1)").await;
    })
    .await
}

async fn exists(name: &str) -> String {
    Database::empty().await.query_one_text(&format!("SELECT count(*) FROM pg_database WHERE datname = '{name}'")).await
}

#[tokio::test]
async fn each_test_has_what_was_prepared_and_nothing_of_another_s() {
    let (one, other) = tokio::join!(database(), database());
    one.execute("INSERT INTO things VALUES (2)").await;
    assert_eq!(one.query_texts("SELECT id FROM things ORDER BY id").await, ["1", "2"]);
    assert_eq!(other.query_texts("SELECT id FROM things ORDER BY id").await, ["1"]);
    assert_ne!(one.name(), other.name());
    // Another process of this run may have prepared it.
    assert!(PREPARED.load(Ordering::SeqCst) <= 1);
}

#[tokio::test]
async fn a_database_is_gone_with_its_test_even_while_it_is_in_use() {
    let database = database().await;
    let name = database.name().to_owned();
    let _in_use = database.connect().await;
    assert_eq!(exists(&name).await, "1");
    drop(database);
    assert_eq!(exists(&name).await, "0");
}

#[tokio::test]
async fn an_empty_database_has_no_table() {
    let database = Database::empty().await;
    assert_eq!(database.query_one_text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").await, "0");
}

#[tokio::test]
async fn names_tell_their_age() {
    let database = Database::empty().await;
    let stale = format!("{} AND datname = '{}'", name::STALE, database.name());
    assert_eq!(database.query_texts(&stale).await, Vec::<String>::new());
    let old = "selfmx_test_1000000000_1_0";
    database.server.execute(&format!("DROP DATABASE IF EXISTS {old}")).await;
    database.server.execute(&format!("CREATE DATABASE {old}")).await;
    let stale = format!("{} AND datname = '{old}'", name::STALE);
    assert_eq!(database.query_texts(&stale).await, [old]);
    database.server.execute(&format!("DROP DATABASE {old}")).await;
}
