//! What nodes remember of keys: nothing is asked twice, and a change counts on all of them within a second, whatever the connections do.

use std::time::{Duration, Instant};

use selfmx_auth::{ApiKey, Permission, Secret, Wanted};
use selfmx_domain::{Mode, TenantChange, TenantId};
use selfmx_storage::Store;
use selfmx_testing::OsEntropy;
use tokio::time::timeout;

use crate::node::{Node, Road, Way, listeners};
use crate::place::{LONG, Place, admin};

/// After a change was answered, nobody is recognised by what was before it for longer.
const BOUND: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(1);

const HIDE: &str = "ALTER TABLE api_keys RENAME TO away";
const SHOW: &str = "ALTER TABLE away RENAME TO api_keys";

async fn make(place: &Place) -> (Secret, ApiKey) {
    let secret = Secret::generate(Mode::Live, &OsEntropy);
    let wanted = Wanted::new("made".parse().unwrap(), Permission::Send.into());
    let key = place.store.key_create(&admin().permit().unwrap(), wanted, &secret).await.unwrap();
    (secret, key)
}

/// Whether a store recognises the key; an error: it asked, and the table was away.
async fn recognises(store: &Store, secret: &Secret) -> Result<bool, selfmx_storage::Error> {
    let found = store.key_find_by_digest(secret.digest()).await?;
    Ok(found.is_some_and(|found| found.stored.key.is_live(found.at) && found.stored.digests.matches(&secret.digest(), found.at)))
}

/// Waits until the node has a key in mind and need not ask for it; then the table is away.
async fn until_remembered(place: &Place, node: &Node, secret: &Secret) {
    assert!(recognises(&node.store, secret).await.unwrap());
    place.database.execute(HIDE).await;
    until(&node.store, secret, |known| matches!(known, Ok(true))).await;
}

/// Asks again and again until the answer is as it should be, and says how long that took.
async fn until(store: &Store, secret: &Secret, is_right: impl Fn(&Result<bool, selfmx_storage::Error>) -> bool) -> Duration {
    let start = Instant::now();
    let asking = async {
        while !is_right(&recognises(store, secret).await) {
            tokio::time::sleep(PAUSE).await;
        }
    };
    timeout(LONG, asking).await.expect("the answer becomes right");
    start.elapsed()
}

async fn for_a_while(how_long: Duration, mut check: impl AsyncFnMut()) {
    let start = Instant::now();
    while start.elapsed() < how_long {
        check().await;
        tokio::time::sleep(PAUSE).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_remembered_is_recognised_without_the_database() {
    let place = Place::new().await;
    let node = Node::listening(&place).await;
    let ((secret, _), (other, _)) = (make(&place).await, make(&place).await);
    until_remembered(&place, &node, &secret).await;
    for_a_while(2 * BOUND, async || assert!(recognises(&node.store, &secret).await.unwrap())).await;
    assert!(recognises(&node.store, &other).await.is_err(), "the table is away");
    place.database.execute(SHOW).await;
    assert!(recognises(&node.store, &other).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_default_tenant_is_remembered_too_and_asked_for_when_it_changed() {
    let place = Place::new().await;
    let node = Node::listening(&place).await;
    node.store.tenant_default().await.unwrap();
    place.database.execute("ALTER TABLE tenants RENAME TO away").await;
    let known = async |expected: bool| {
        while node.store.tenant_default().await.is_ok() != expected {
            tokio::time::sleep(PAUSE).await;
        }
    };
    timeout(LONG, known(true)).await.unwrap();
    place.database.execute("NOTIFY selfmx_changes, 'tenant_01h455vb4pex5vsknk084sn02q'").await;
    for_a_while(BOUND / 4, async || assert!(node.store.tenant_default().await.is_ok())).await;
    place.database.execute("NOTIFY selfmx_changes, 'tenant_default'").await;
    timeout(BOUND, known(false)).await.unwrap();
}

#[tokio::test]
async fn a_store_on_which_nobody_listens_asks_each_time() {
    let place = Place::new().await;
    let (secret, _) = make(&place).await;
    for _ in 0..3 {
        assert!(recognises(&place.store, &secret).await.unwrap());
        place.store.tenant_default().await.unwrap();
    }
    place.database.execute(&format!("{HIDE}; ALTER TABLE tenants RENAME TO gone")).await;
    assert!(recognises(&place.store, &secret).await.is_err() && place.store.tenant_default().await.is_err());
}

/// Each kind of change, on one node, by a key that both know.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_counts_on_its_own_node_at_once_and_on_the_other_within_the_bound() {
    let place = Place::new().await;
    let (one, other) = (Node::listening(&place).await, Node::listening(&place).await);
    for change in ["revoke", "update", "rotate"] {
        let (secret, key) = make(&place).await;
        until_remembered(&place, &one, &secret).await;
        place.database.execute(SHOW).await;
        until_remembered(&place, &other, &secret).await;
        place.database.execute(SHOW).await;
        let permit = admin().permit().unwrap();
        match change {
            "revoke" => assert!(one.store.key_revoke(&permit, key.id).await.unwrap()),
            "update" => {
                let off = selfmx_auth::KeyChange { enabled: Some(false), ..Default::default() };
                assert!(one.store.key_update(&permit, key.id, off).await.unwrap().is_some());
            }
            _ => {
                let fresh = |mode| Secret::generate(mode, &OsEntropy);
                assert!(one.store.key_rotate(&permit, key.id, Duration::ZERO, fresh).await.unwrap().is_some());
            }
        }
        assert!(!recognises(&one.store, &secret).await.unwrap(), "{change}");
        let took = until(&other.store, &secret, |known| matches!(known, Ok(false))).await;
        assert!(took < BOUND, "{change}: {took:?}");
        for_a_while(BOUND / 4, async || assert!(!recognises(&other.store, &secret).await.unwrap(), "{change}")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changes_of_a_tenant_counts_for_its_keys_on_every_node() {
    let place = Place::new().await;
    let (one, other) = (Node::listening(&place).await, Node::listening(&place).await);
    let (secret, _) = make(&place).await;
    until_remembered(&place, &one, &secret).await;
    place.database.execute(SHOW).await;
    until_remembered(&place, &other, &secret).await;
    place.database.execute(SHOW).await;
    let change = TenantChange { name: Some("Renamed".parse().unwrap()), ..TenantChange::default() };
    one.store.tenant_update(&admin().platform_permit().unwrap(), TenantId::DEFAULT, change).await.unwrap().unwrap();
    let name = async |node: &Node| {
        let found = node.store.key_find_by_digest(secret.digest()).await.unwrap().unwrap();
        found.stored.tenant.profile.name.as_str().to_owned()
    };
    assert_eq!(name(&one).await, "Renamed");
    timeout(BOUND, async { while name(&other).await != "Renamed" {} }).await.expect("the other node knows");
    assert_eq!(other.store.tenant_default().await.unwrap().profile.name.as_str(), "Renamed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_announcement_that_nobody_understands_may_mean_anything() {
    let place = Place::new().await;
    let node = Node::listening(&place).await;
    let (secret, _) = make(&place).await;
    until_remembered(&place, &node, &secret).await;
    place.database.execute("NOTIFY selfmx_changes, 'all of them'").await;
    let took = until(&node.store, &secret, Result::is_err).await;
    assert!(took < BOUND, "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_listening_connection_is_killed_asks_each_time_until_it_is_back() {
    let place = Place::new().await;
    let node = Node::listening(&place).await;
    let (secret, key) = make(&place).await;
    until_remembered(&place, &node, &secret).await;
    let killed = listeners(&place).await;
    assert_eq!(killed.len(), 1);
    place.ask(&format!("SELECT pg_terminate_backend({})", killed[0])).await;
    let took = until(&node.store, &secret, Result::is_err).await;
    assert!(took < BOUND / 2, "{took:?}");
    // Also when it listens again it remembers nothing from before.
    node.wakes().await;
    for_a_while(BOUND / 2, async || assert!(recognises(&node.store, &secret).await.is_err())).await;
    place.database.execute(SHOW).await;
    until_remembered(&place, &node, &secret).await;
    place.database.execute(SHOW).await;
    place.store.key_revoke(&admin().permit().unwrap(), key.id).await.unwrap();
    assert!(until(&node.store, &secret, |known| matches!(known, Ok(false))).await < BOUND);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_way_is_closed_every_change_counts_at_once() {
    let place = Place::new().await;
    let road = Road::to(&place).await;
    let node = Node::listening_by(&place, road.address()).await;
    let (secret, key) = make(&place).await;
    until_remembered(&place, &node, &secret).await;
    road.is(Way::Closed);
    assert!(until(&node.store, &secret, Result::is_err).await < BOUND / 2);
    place.database.execute(SHOW).await;
    for _ in 0..3 {
        assert!(recognises(&node.store, &secret).await.unwrap());
    }
    place.store.key_revoke(&admin().permit().unwrap(), key.id).await.unwrap();
    assert!(!recognises(&node.store, &secret).await.unwrap(), "the very next look-up");
    let tried = road.taken();
    timeout(LONG, async {
        while road.taken() == tried {
            tokio::time::sleep(PAUSE).await
        }
    })
    .await
    .expect("it tries again");
    road.is(Way::Open);
    let (secret, _) = make(&place).await;
    node.wakes().await;
    until_remembered(&place, &node, &secret).await;
}

/// As when a firewall forgets the connection, or the other machine stops: nobody is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_way_is_silent_a_change_counts_within_the_bound_and_the_connection_is_made_anew() {
    let place = Place::new().await;
    let road = Road::to(&place).await;
    let node = Node::listening_by(&place, road.address()).await;
    let (secret, key) = make(&place).await;
    until_remembered(&place, &node, &secret).await;
    place.database.execute(SHOW).await;
    road.is(Way::Silent);
    place.store.key_revoke(&admin().permit().unwrap(), key.id).await.unwrap();
    let took = until(&node.store, &secret, |known| matches!(known, Ok(false))).await;
    assert!(took < BOUND, "{took:?}");
    let (secret, _) = make(&place).await;
    assert!(recognises(&node.store, &secret).await.unwrap());
    place.database.execute(HIDE).await;
    for_a_while(BOUND, async || assert!(recognises(&node.store, &secret).await.is_err())).await;
    place.database.execute(SHOW).await;
    // Both the connection that fell silent and one that is silent from the start are given up.
    timeout(LONG, async {
        while road.taken() < 2 {
            tokio::time::sleep(PAUSE).await
        }
    })
    .await
    .expect("it is given up");
    road.is(Way::Open);
    node.wakes().await;
    until_remembered(&place, &node, &secret).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_nobody_asks_anything_sends_no_pulses() {
    let place = Place::new().await;
    let node = Node::listening(&place).await;
    let (secret, _) = make(&place).await;
    until_remembered(&place, &node, &secret).await;
    let last = "SELECT query_start FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'selfmx listening'";
    // One may be on its way yet.
    tokio::time::sleep(BOUND / 2).await;
    let pulse = place.ask(last).await;
    tokio::time::sleep(BOUND).await;
    assert_eq!(place.ask(last).await, pulse);
    assert!(recognises(&node.store, &secret).await.is_err(), "it asks, since nothing vouches for what it remembers");
    until(&node.store, &secret, |known| matches!(known, Ok(true))).await;
    assert_ne!(place.ask(last).await, pulse);
}
