//! The schema: made once, however many nodes start at once.

use std::fs;
use std::time::Duration;

use selfmx_storage::{PoolSettings, migrate};
use selfmx_testing::Database;
use tokio::task::JoinSet;

use crate::place::{Place, address, store};

const TABLES: &str = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_nodes_that_start_at_once_make_the_schema_once() {
    let database = Database::empty().await;
    let mut nodes = JoinSet::new();
    for _ in 0..4 {
        let address = address(&database);
        nodes.spawn(async move { migrate(&address).await.unwrap() });
    }
    let mut runs = nodes.join_all().await;
    runs.sort_unstable();
    assert_eq!(runs[..3], [0, 0, 0]);
    assert!(runs[3] >= 1, "{runs:?}");
    assert_eq!(migrate(&address(&database)).await.unwrap(), 0);
    assert_eq!(database.query_one_text("SELECT count(*) FROM tenants").await, "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_tells_whether_it_is_up_to_date() {
    let database = Database::empty().await;
    let store = store(&address(&database), PoolSettings::default());
    assert!(!store.is_migrated().await.unwrap());
    migrate(&address(&database)).await.unwrap();
    assert!(store.is_migrated().await.unwrap());
    database.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('99991231235959')").await;
    assert!(store.is_migrated().await.unwrap(), "a newer program has been here");
    assert_eq!(migrate(&address(&database)).await.unwrap(), 0);
    database.execute("DELETE FROM __diesel_schema_migrations").await;
    assert!(!store.is_migrated().await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_that_fails_leaves_nothing_and_says_why() {
    let database = Database::empty().await;
    // The last but one of the tables is in the way.
    database.execute("CREATE TABLE queue (id int)").await;
    let error = migrate(&address(&database)).await.unwrap_err();
    assert!(error.to_string().contains("queue"), "{error}");
    assert_eq!(database.query_one_text("SELECT to_regclass('tenants') IS NULL").await, "t");
    database.execute("DROP TABLE queue").await;
    tokio::time::timeout(Duration::from_secs(60), migrate(&address(&database))).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_goes_up_comes_down() {
    let database = Database::empty().await;
    let mut folders: Vec<_> =
        fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations")).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    for folder in &folders {
        database.execute(&fs::read_to_string(folder.join("up.sql")).unwrap()).await;
    }
    assert!(!database.query_texts(TABLES).await.is_empty());
    for folder in folders.iter().rev() {
        database.execute(&fs::read_to_string(folder.join("down.sql")).unwrap()).await;
    }
    assert_eq!(database.query_texts(TABLES).await, Vec::<String>::new());
}

/// The queries name their columns by hand.
#[tokio::test]
async fn the_tables_are_those_that_the_queries_name() {
    let place = Place::new().await;
    let tables = place.ask("SELECT string_agg(tablename, ' ' ORDER BY tablename) FROM pg_tables WHERE schemaname = 'public'").await;
    assert_eq!(
        tables,
        "__diesel_schema_migrations api_keys audit_logs emails event_streams events idempotency_keys messages queue quota_days recipients suppressions template_versions templates tenants usage_months webhook_attempts webhook_deliveries webhooks"
    );
}

/// Of two migrations with one version only one is made, and nobody hears of it.
#[test]
fn no_two_migrations_have_one_version() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations");
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut versions: Vec<_> = names.map(|name| name.split('_').next().unwrap_or_default().to_owned()).collect();
    versions.sort();
    assert!(versions.len() > 10 && versions.windows(2).all(|two| two[0] != two[1]), "{versions:?}");
}
