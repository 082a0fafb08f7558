//! Who may reach public addresses only comes to none on this machine, however it is spelled.

use selfmx_domain::{Reach, WebhookUrl};
use selfmx_webhook::{PostError, PosterSettings};

use crate::support::{Act, Endpoint, anywhere, post};

/// Names and addresses of this machine that make a URL.
const HERE: [&str; 7] = ["localhost", "LOCALHOST", "127.0.0.1", "127.255.255.254", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]"];

/// What the system takes for this machine as well, and no URL of ours may hold.
const TRICKS: [&str; 8] = ["127.1", "127.0.1", "0x7f.1", "0x7f000001", "0177.0.0.1", "2130706433", "0", "127.0.0.1."];

#[tokio::test]
async fn no_spelling_of_this_machine_is_connected_to() {
    let endpoint = Endpoint::start(Act::answer("200 OK", "", "secret")).await;
    let public_only = || PosterSettings { reach: Reach::PublicOnly, ..anywhere() };
    for host in HERE {
        for scheme in ["http", "https"] {
            let error = post(public_only(), &endpoint.url(scheme, host)).await.unwrap_err();
            assert!(matches!(error, PostError::NoPublicAddress), "{host}: {error:?}");
        }
    }
    for host in TRICKS {
        assert!(endpoint.url("http", host).parse::<WebhookUrl>().is_err(), "{host}");
    }
    assert_eq!(endpoint.seen(|seen| seen.connections), 0);
}

#[tokio::test]
async fn whoever_may_reach_any_address_comes_to_this_machine() {
    let endpoint = Endpoint::start(Act::answer("200 OK", "", "")).await;
    // The endpoint listens at one address alone.
    let hosts: Vec<_> = HERE.into_iter().filter(|host| !["127.255.255.254", "[::1]"].contains(host)).collect();
    for host in &hosts {
        assert_eq!(post(anywhere(), &endpoint.url("http", host)).await.unwrap().status, 200, "{host}");
    }
    assert_eq!(endpoint.seen(|seen| seen.connections), hosts.len());
}
