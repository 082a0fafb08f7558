//! A worker whose own tasks break down.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use selfmx_domain::Mode;
use selfmx_testing::OsEntropy;
use selfmx_worker::{Error, Task, WorkerSettings};

use crate::poison::Treacherous;
use crate::world::{World, settings};

/// Chance that panics until it is told otherwise.
fn treacherous() -> Treacherous {
    Treacherous(Arc::new(AtomicBool::new(true)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorder_that_breaks_down_loses_no_result_and_nothing_more_is_sent() {
    let world = World::new().await;
    for _ in 0..100 {
        world.accept(&["a@x.example"], Mode::Live).await;
    }
    let chance = treacherous();
    let few = WorkerSettings { runners: 1, sending: 1, ..settings(1) };
    let running = world.work_by_chance(few, Arc::new(chance.clone()), Arc::new(OsEntropy));
    running.condition.lost().await;
    assert_eq!(running.condition.check(), Err(Error::BrokeDown(Task::Recorder)));
    world.accept(&["late@x.example"], Mode::Live).await;
    // What was claimed and not begun is given back, and nothing more is claimed: what it still holds has gone out.
    world.until("SELECT (count(*) FILTER (WHERE lease_token IS NULL) > 1)::text FROM queue", "true").await;
    assert!(!running.is_finished(), "it ended with results that are not recorded");
    chance.0.store(false, Ordering::Relaxed);
    let counts = Arc::clone(&running.counts);
    assert_eq!(running.broke_down().await, Error::BrokeDown(Task::Recorder));
    assert!(counts.tasks_broke_down() >= 1);
    let delivered: usize = world.database.query_one_text("SELECT count(*) FROM emails WHERE status = 'delivered'").await.parse().unwrap();
    assert!((1..100).contains(&delivered), "{delivered} were delivered");
    assert_eq!(world.database.query_one_text("SELECT count(*) FROM queue WHERE lease_token IS NOT NULL").await, "0");
    assert_eq!(world.database.query_one_text("SELECT count(*) FROM queue").await, (101 - delivered).to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_cannot_count_what_breaks_down_ends() {
    let world = World::new().await;
    world.accept(&["a@x.example"], Mode::Live).await;
    let running = world.work_by_chance(settings(1), Arc::new(treacherous()), Arc::new(treacherous()));
    assert_eq!(running.broke_down().await, Error::BrokeDown(Task::FaultRecorder));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_ends_with_its_heart_beat_its_runners_and_its_look_for_work() {
    let world = World::new().await;
    let no_beat = WorkerSettings { lease: Duration::from_nanos(1), ..settings(1) };
    let no_claim = WorkerSettings { lease: Duration::MAX, ..settings(1) };
    let no_look = WorkerSettings { poll: Duration::ZERO, ..settings(1) };
    for (settings, task) in [(no_beat, Task::HeartBeat), (no_claim, Task::Runner), (no_look, Task::Look)] {
        let running = world.work_by_chance(settings, Arc::new(OsEntropy), Arc::new(OsEntropy));
        let condition = running.condition.clone();
        tokio::time::timeout(Duration::from_secs(20), condition.lost()).await.unwrap();
        assert_eq!(condition.check(), Err(Error::BrokeDown(task)));
        if task != Task::HeartBeat {
            assert_eq!(running.broke_down().await, Error::BrokeDown(task));
        }
    }
}
