//! Random walks: whatever keys do to each other, none of them ever gets beyond what its ancestors could.

mod authority;
mod chance;
mod key;
mod race;
mod verdict;
mod walk;
mod words;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tokio::task::JoinSet;

use self::walk::{Tally, Walk};
use self::words::USUAL_RATE;
use crate::world::World;

/// The first walk's seed, unless this variable says another; the second's is one more.
const SEED: u64 = 20_261_123;
const SEED_VARIABLE: &str = "SELFMX_WALK_SEED";
/// How many walks, unless this variable says otherwise.
const WALKS: u64 = 60;
const WALKS_VARIABLE: &str = "SELFMX_WALKS";
/// The calls of each.
const STEPS: usize = 30;
const CONNECTIONS: usize = 6;

/// All thousand: `SELFMX_WALKS=1000 cargo test -p selfmx-server --test it -- --nocapture walks::no_key`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_key_ever_does_more_than_its_ancestors_could() {
    let (seed, walks) = (number(SEED_VARIABLE, SEED), number(WALKS_VARIABLE, WALKS));
    println!("{walks} walks of {STEPS} calls, seeds from {seed} on ({SEED_VARIABLE}, {WALKS_VARIABLE})");
    let rate = USUAL_RATE.to_string();
    let world = World::start_with(&[("RATE_LIMIT_REQUESTS", &rate), ("TRUSTED_PROXIES", "127.0.0.1")]).await;
    let begin = Instant::now();
    let (address, next) = (world.server.address(), Arc::new(AtomicU64::new(0)));
    let mut walking = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (next, http) = (Arc::clone(&next), world.server.connect().await);
        walking.spawn(async move {
            let (mut http, mut tally, mut made) = (http, Tally::new(), 0);
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= walks {
                    return (tally, made);
                }
                let mut walk = Walk::begin(address, http, seed + number).await;
                for _ in 0..STEPS {
                    walk.step().await;
                }
                let (given_back, counted, keys) = walk.end().await;
                (http, made) = (given_back, made + keys);
                counted.into_iter().for_each(|(what, times)| *tally.entry(what).or_default() += times);
            }
        });
    }
    let (mut tally, mut made) = (Tally::new(), 0);
    for (counted, keys) in walking.join_all().await {
        made += keys;
        counted.into_iter().for_each(|(what, times)| *tally.entry(what).or_default() += times);
    }
    for (what, times) in &tally {
        println!("{times:>7} {what}");
    }
    println!("{:.1} s", begin.elapsed().as_secs_f64());
    everything_is_accounted_for(&world, &tally, made, walks).await;
}

/// Beyond what the walks know of there is nothing: no key, no tenant, no entry of the audit log, and for each change there is one.
async fn everything_is_accounted_for(world: &World, tally: &Tally, made: usize, walks: u64) {
    let count = async |sql: &str| world.database.query_one_text(&format!("SELECT count(*) FROM {sql}")).await.parse::<u64>().unwrap();
    assert_eq!(count("api_keys").await, u64::try_from(made).unwrap());
    assert_eq!(count("tenants").await, 2 * walks + 1);
    let counted = |what: &str| {
        let (kind, status) = what.split_once(' ').unwrap();
        let times = |what: String| tally.get(&what).copied().unwrap_or_default();
        times(what.to_owned()) + times(format!("{kind}, under a tenant's path, {status}"))
    };
    let by_keys = "audit_logs WHERE refusal IS NULL AND actor_key_id <> '00000000-0000-0000-0000-000000000000'";
    for (action, times) in [("create", counted("create 201")), ("update", counted("change 200")), ("rotate", counted("rotate 201"))] {
        assert_eq!(count(&format!("{by_keys} AND action = 'api_key.{action}'")).await, times, "{action}");
    }
    let revoked = count(&format!("{by_keys} AND action = 'api_key.revoke'")).await;
    assert_eq!(revoked, count("api_keys WHERE revoked_at IS NOT NULL").await);
}

#[expect(clippy::disallowed_methods, reason = "whoever runs the test says by the environment how much of it")]
fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().unwrap())
}
