//! `sslmode`: what each mode lets through, against a real server with the right and the wrong certificate.

use std::time::Duration;

use futures_util::future::join_all;
use selfmx_storage::{Error, PoolSettings};
use selfmx_testing::Certificate;
use tokio::time::{Instant, sleep};

use crate::place::store;
use crate::server::Server;

/// Whether a store gets through; a refusal comes within the pool's wait.
async fn connects(address: &str) -> bool {
    let address = address.parse().unwrap();
    let store = store(&address, PoolSettings { size: 1, wait: Duration::from_millis(600), ..PoolSettings::default() });
    match store.ping().await {
        Ok(()) => true,
        Err(Error::Unavailable(_)) => false,
        Err(error) => panic!("{error:?}"),
    }
}

async fn ready(address: &str) {
    let start = Instant::now();
    while !connects(address).await {
        assert!(start.elapsed() < Duration::from_secs(60), "the server never came up");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn each_mode_lets_through_what_libpq_would() {
    let (own, foreign) = (Certificate::for_names(&["localhost"]), Certificate::for_names(&["localhost"]));
    let server = Server::with_tls(&own).await;
    let (own, foreign) = (server.file("own.pem", own.pem()), server.file("foreign.pem", foreign.pem()));
    ready(&server.address("127.0.0.1", "sslmode=require")).await;
    // The certificate is for `localhost` and not for the address.
    let cases = [
        ("127.0.0.1", "disable", None, false),
        ("127.0.0.1", "prefer", None, true),
        ("127.0.0.1", "require", None, true),
        ("127.0.0.1", "require", Some(&own), true),
        ("127.0.0.1", "require", Some(&foreign), false),
        ("127.0.0.1", "verify-ca", Some(&own), true),
        ("127.0.0.1", "verify-ca", Some(&foreign), false),
        ("127.0.0.1", "verify-full", Some(&own), false),
        ("localhost", "verify-full", Some(&own), true),
        ("localhost", "verify-full", Some(&foreign), false),
        ("localhost", "verify-ca", Some(&foreign), false),
    ];
    let (tried, cases): (Vec<_>, Vec<_>) = cases
        .into_iter()
        .map(|(host, mode, root, expected)| {
            let root = root.map_or_else(String::new, |root| format!(" sslrootcert={root}"));
            let address = server.address(host, &format!("sslmode={mode}{root}"));
            (async move { connects(&address).await }, (host, mode, root, expected))
        })
        .unzip();
    for (connected, (host, mode, root, expected)) in join_all(tried).await.into_iter().zip(cases) {
        assert_eq!(connected, expected, "{host} {mode}{root}");
    }
    let url = format!("postgres://selfmx@localhost:{}/selfmx?sslmode=verify-full&sslrootcert=", server.port());
    assert!(connects(&format!("{url}{}", own.replace('/', "%2F"))).await);
    assert!(!connects(&format!("{url}{}", foreign.replace('/', "%2F"))).await);
}

#[tokio::test]
async fn a_server_without_tls_is_refused_by_every_mode_that_asks_for_it() {
    let server = Server::with(&["ssl=off", "fsync=off", "full_page_writes=on"]).await;
    ready(&server.address("127.0.0.1", "sslmode=disable")).await;
    let own = server.file("own.pem", Certificate::for_loopback().pem());
    for (mode, expected) in [("disable", true), ("prefer", true), ("require", false), ("verify-ca", false), ("verify-full", false)] {
        let address = server.address("127.0.0.1", &format!("sslmode={mode} sslrootcert={own}"));
        assert_eq!(connects(&address).await, expected, "{mode}");
    }
    // The one server serves to tell of its disk as well.
    let address = server.address("127.0.0.1", "sslmode=disable").parse().unwrap();
    let durability = store(&address, PoolSettings::default()).durability().await.unwrap();
    assert_eq!((durability.fsync, durability.full_page_writes, durability.holds()), (false, true, false));
}
