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

#[tokio::test]
async fn the_queue_is_as_late_as_what_has_been_due_for_longest() {
    let place = Place::new().await;
    let late = async || place.store.queue_lag().await.unwrap().as_secs();
    assert_eq!(late().await, 0, "nothing is there");
    place.fill(1, "0", "now() + interval '1 hour'").await;
    assert_eq!(late().await, 0, "nothing is due");
    place.fill(1, "1", "now() - interval '100 seconds'").await;
    place.fill(1, "2", "now() - interval '40 seconds'").await;
    assert!((100..2_000).contains(&late().await));
    place.fill(1, "0", "now() - interval '5000 seconds'").await;
    assert!((5_000..8_000).contains(&late().await));
    place.database.execute("UPDATE queue SET held = true").await;
    assert_eq!(late().await, 0, "held mail is late by somebody's will");
}
