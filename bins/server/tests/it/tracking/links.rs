//! The links of a tracked message, and links that a server of ours would make.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use selfmx_domain::{EmailId, Tracking};
use selfmx_mail::Tracker;
use selfmx_storage::{SecretKey, Vault};
use selfmx_testing::python::read_mail;
use selfmx_testing::{HttpAnswer, OsEntropy, SystemClock};

use crate::process::SECRET_KEY;
use crate::world::World;

/// Where readers reach the server, behind a proxy that takes the path off.
pub(crate) const BASE: &str = "https://track.example/mail";

/// The decoded part of this type of a message.
pub(crate) fn part(octets: &[u8], media_type: &str) -> String {
    let read = read_mail(&[octets]).remove(0);
    let part = read["parts"].as_array().unwrap().iter().find(|part| part["type"] == media_type).unwrap().clone();
    String::from_utf8(BASE64_STANDARD.decode(part["content"].as_str().unwrap()).unwrap()).unwrap().replace("\r\n", "\n")
}

/// The paths on the server of this kind of links (`o` or `c`) that stand in double quotes, in their order.
pub(crate) fn paths(html: &str, kind: &str) -> Vec<String> {
    let begin = format!("\"{BASE}/t/{kind}/");
    html.split(&begin).skip(1).map(|rest| format!("/t/{kind}/{}", rest.split('"').next().unwrap())).collect()
}

/// The tokens of a picture and of a link to `https://forged.example/`, as whoever has this secret key makes them.
pub(crate) fn tokens(secret_key: &str) -> (String, String) {
    let vault = Vault::new(secret_key.parse::<SecretKey>().unwrap(), vec![]);
    let tracker = Arc::new(Tracker::new(BASE.parse().ok(), vault.derived(Tracker::KEYS).unwrap().iter().map(|key| &key[..])));
    let email = EmailId::generate(&SystemClock, &OsEntropy);
    let tracks = tracker.tracks(Tracking { opens: true, clicks: true }, email, 1).unwrap();
    let html = tracks.rewritten("<a href=\"https://forged.example/\">");
    let token = |kind| paths(&html, kind).remove(0).split('/').next_back().unwrap().to_owned();
    (token("o"), token("c"))
}

/// A path of the route table with a token that this test's servers take.
pub(crate) fn with_token(pattern: &str) -> String {
    if !pattern.contains("{token}") {
        return pattern.to_owned();
    }
    let (open, click) = tokens(SECRET_KEY);
    pattern.replace("{token}", if pattern.starts_with("/t/o/") { &open } else { &click })
}

/// Asks as a reader does: without a key.
pub(crate) async fn read(world: &World, method: &str, path: &str) -> HttpAnswer {
    world.server.ask(method, path, None, None).await
}
