//! Who may reach public addresses only comes to none on this machine, however it is spelled.

use selfmx_domain::{Reach, WebhookUrl};
use selfmx_webhook::{PostError, PosterSettings};

use crate::support::{Act, Endpoint, anywhere, post};

/// Names and addresses of this machine that make a URL, and by which an endpoint at 127.0.0.1 is reached.
const HERE: [&str; 8] =
    ["localhost", "LOCALHOST", "LocalHost", "127.0.0.1", "0.0.0.0", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:FFFF:127.0.0.1]"];

/// Addresses that stand for this machine or for what only it can reach, and make a URL: IPv4 ones in another form (compatible, translated by NAT64 and its local
/// prefix, 6to4, Teredo), and others of this machine's.
const INSIDE: [&str; 16] = [
    "127.255.255.254",
    "[::1]",
    "[::]",
    "[::127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::1]",
    "[2001:0:7f00:1::80ff:fffe]",
    "[fe80::1]",
    "[fd00::1]",
    "169.254.169.254",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.0.1",
    "100.64.0.1",
];

/// What the system, a browser or another library takes for this machine as well, and no URL of ours may hold: one number, short forms, octal and hexadecimal
/// digits, dots and digits that are mapped to the usual ones, percent signs, zones, a user that looks like the host, backslashes.
const TRICKS: [&str; 32] = [
    "127.1",
    "127.0.1",
    "0x7f.1",
    "0x7f000001",
    "0X7F.0.0.1",
    "0177.0.0.1",
    "0177.1",
    "127.0.0.01",
    "2130706433",
    "017700000001",
    "0",
    "127.0.0.1.",
    "127。0。0。1",
    "127.0.0．1",
    "127｡0｡0｡1",
    "１２７.0.0.1",
    "①②⑦.⓪.⓪.①",
    "%6c%6fcalhost",
    "127.0.0.1%00",
    "[::1%25lo]",
    "[::1%lo]",
    "[127.0.0.1]",
    "[0x7f000001]",
    "::1",
    "9.9.9.9@127.0.0.1",
    "user:pass@127.0.0.1",
    "hooks.example:80@127.0.0.1",
    "hooks.example\\@127.0.0.1",
    "127.0.0.1\\.hooks.example",
    "127.0.0.1#hooks.example",
    " 127.0.0.1",
    "127.0.0.1\t",
];

/// Names that some resolvers take for this machine: they make a URL or they do not, and nothing is connected to either way.
const NAMES: [&str; 5] = ["localhost.", "localhost。", "ⓛocalhost", "ｌｏｃａｌｈｏｓｔ", "localhost.localdomain"];

fn public_only() -> PosterSettings {
    PosterSettings { reach: Reach::PublicOnly, ..anywhere() }
}

#[tokio::test]
async fn no_spelling_of_this_machine_is_connected_to() {
    let endpoint = Endpoint::start(Act::answer("200 OK", "", "secret")).await;
    for host in HERE.into_iter().chain(INSIDE) {
        for scheme in ["http", "https", "HTTP"] {
            let error = post(public_only(), &endpoint.url(scheme, host)).await.unwrap_err();
            assert!(matches!(error, PostError::NoPublicAddress), "{host}: {error:?}");
        }
    }
    for host in TRICKS {
        assert!(endpoint.url("http", host).parse::<WebhookUrl>().is_err(), "{host}");
    }
    for host in NAMES {
        let url = endpoint.url("http", host);
        if url.parse::<WebhookUrl>().is_ok() {
            assert!(matches!(post(public_only(), &url).await, Err(PostError::NoPublicAddress)), "{host}");
        }
    }
    assert_eq!(endpoint.seen(|seen| seen.connections), 0);
}

#[tokio::test]
async fn whoever_may_reach_any_address_comes_to_this_machine() {
    let endpoint = Endpoint::start(Act::answer("200 OK", "", "")).await;
    for host in HERE {
        assert_eq!(post(anywhere(), &endpoint.url("http", host)).await.unwrap().status, 200, "{host}");
    }
    assert_eq!(endpoint.seen(|seen| seen.connections), HERE.len());
}
