//! What the server posts, verified by the reference libraries of Standard Webhooks.

use selfmx_testing::standard_webhooks::{Signed, Verifier};
use serde_json::json;

use super::endpoint::Endpoint;
use super::{PRIVATE, ask, made};
use crate::world::{World, text};

#[tokio::test]
async fn the_reference_libraries_take_what_is_posted_and_nothing_that_was_altered() {
    let (world, endpoint) = (World::start_with(&[PRIVATE]).await, Endpoint::start(&[200]).await);
    let (path, first) = made(&world, &endpoint.url(), &["queued", "delivered"]).await;
    world.send(json!({"subject": "Grüße ☂", "metadata": {"order": "7"}})).await;
    endpoint.posts(2).await;
    let rotated = ask(&world, "POST", &format!("{path}/rotate-secret"), json!({"grace_period_seconds": 3600})).await.json();
    let second = text(&rotated["secret"]);
    world.send(json!({})).await;
    let posts = endpoint.posts(4).await;
    let stranger = format!("whsec_{}", "A".repeat(43) + "=");
    for verifier in Verifier::ALL {
        let verify = |all: Vec<Signed<'_>>| verifier.verify(&all);
        let by = |secret: &str, range: std::ops::Range<usize>| {
            verifier.verify(&posts[range].iter().map(|post| post.signed(secret)).collect::<Vec<_>>())
        };
        assert_eq!(by(&first, 0..4), vec![None; 4], "{verifier:?}: before and in its grace");
        assert_eq!(by(&second, 2..4), vec![None; 2], "{verifier:?}: beside the former one");
        assert!(by(&second, 0..2).iter().chain(&by(&stranger, 0..4)).all(Option::is_some), "{verifier:?}");
        let altered = posts[0].body.iter().map(|octet| if *octet == b'7' { b'8' } else { *octet }).collect::<Vec<_>>();
        assert_ne!(altered, posts[0].body);
        let genuine = || posts[0].signed(&first);
        let with = |name: &str, value: &'static str| {
            let headers = genuine().headers.into_iter().map(|(of, given)| (of, if of == name { value } else { given }));
            Signed { headers: headers.collect(), ..genuine() }
        };
        let said = verify(vec![
            Signed { body: &altered, ..genuine() },
            with("webhook-timestamp", "1700000000"),
            with("webhook-timestamp", "4102444800"),
            with("webhook-id", "evt_01h455vb4pex5vsknk084sn02q"),
        ]);
        assert!(said.iter().all(Option::is_some), "{verifier:?}: {said:?}");
        assert!(said[1].as_ref().is_some_and(|why| why.to_lowercase().contains("old")), "{verifier:?}: {said:?}");
    }
}
