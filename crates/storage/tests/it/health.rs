//! What the database says of itself.

use std::time::{Duration, Instant};

use selfmx_storage::PoolSettings;

use crate::place::{Place, store};

#[tokio::test]
async fn a_private_server_answers_and_keeps_what_it_is_given() {
    let place = Place::new().await;
    place.store.ping().await.unwrap();
    let durability = place.store.durability().await.unwrap();
    assert!(durability.fsync && durability.full_page_writes && durability.holds());
}

#[tokio::test]
async fn a_database_that_is_not_there_is_unavailable_within_the_wait() {
    let nowhere = "host=/nowhere user=u dbname=d".parse().unwrap();
    let store = store(&nowhere, PoolSettings { size: 2, wait: Duration::from_millis(300), ..PoolSettings::default() });
    let start = Instant::now();
    for result in [store.ping().await, store.durability().await.map(|_| ()), store.is_migrated().await.map(|_| ())] {
        assert!(result.as_ref().is_err_and(|error| error.is_transient()), "{result:?}");
    }
    assert!(start.elapsed() < Duration::from_secs(10));
}
