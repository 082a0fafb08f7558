//! Mail at which an attempt breaks down.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use selfmx_domain::{Entropy, Mode};
use selfmx_mail::{Capture, Transport};
use selfmx_testing::OsEntropy;
use selfmx_worker::WorkerSettings;

use crate::world::{World, settings};

/// Chance that panics while it is told to; each attempt draws from it.
#[derive(Clone, Default)]
pub(crate) struct Treacherous(pub(crate) Arc<AtomicBool>);

impl Entropy for Treacherous {
    fn fill(&self, bytes: &mut [u8]) {
        assert!(!self.0.load(Ordering::Relaxed), "it breaks down");
        OsEntropy.fill(bytes);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_that_breaks_an_attempt_is_set_aside_after_its_attempts_and_the_worker_lives() {
    let world = World::new().await;
    let treacherous = Treacherous::default();
    treacherous.0.store(true, Ordering::Relaxed);
    // More of it than the worker has places.
    for _ in 0..12 {
        world.accept(&["bad@x.example", "bad-too@x.example"], Mode::Live).await;
    }
    let few = WorkerSettings { runners: 1, sending: 2, ..settings(1) };
    let running = world.work_with(Transport::Capture(Capture::NoRelay), few, Arc::new(treacherous.clone()));
    let told = "SELECT count(*) FROM recipients WHERE status = 'queued' AND attempts = 1 AND reply_text LIKE '%may have taken%'";
    world.until(told, "24").await;
    // It is not offered again at once, since the relay may have it.
    let late = "SELECT count(*) FROM queue WHERE due_at > now() + interval '4 minutes' AND lease_token IS NULL";
    assert_eq!(world.database.query_one_text(late).await, "12");
    world.database.execute("UPDATE queue SET due_at = now()").await;
    world.until("SELECT count(*) FROM emails WHERE status = 'failed'", "12").await;
    assert_eq!(world.database.query_one_text("SELECT count(*) FROM queue").await, "0");
    let kinds = "SELECT string_agg(DISTINCT kind || attempt, ' ' ORDER BY kind || attempt) FROM events";
    assert_eq!(world.database.query_one_text(kinds).await, "deferred1 failed2 queued0");
    treacherous.0.store(false, Ordering::Relaxed);
    for _ in 0..20 {
        world.accept(&["good@x.example"], Mode::Live).await;
    }
    world.until("SELECT count(*) FROM emails WHERE status = 'delivered'", "20").await;
    assert_eq!((running.counts.broke_down(), running.counts.stale()), (24, 0));
    running.stop().await;
}
