//! Who may do what: each route of the table, asked by everybody, with every object that there can be.

pub(crate) mod callers;
mod foreign;
mod matrix;
pub(crate) mod objects;
mod refused;

use selfmx_testing::{HttpAnswer, HttpClient};

use crate::described;
use crate::world::World;

/// The request id that all requests here bring, so that answers can be compared octet by octet.
const REQUEST_ID: (&str, &str) = ("x-request-id", "the-same-for-all");

/// What a body that a path takes is.
pub(crate) fn content_type(path: &str) -> (&'static str, &'static str) {
    let is_report = path.split('?').next().is_some_and(|path| path.ends_with("/feedback"));
    ("content-type", if is_report { "message/rfc822" } else { "application/json" })
}

/// Everything that an answer tells: its status, its headers but for the date, its body.
fn whole(answer: &HttpAnswer) -> String {
    let told = answer.headers.iter().filter(|(name, _)| *name != "date");
    let mut headers: Vec<String> = told.map(|(name, value)| format!("{name}: {value:?}")).collect();
    headers.sort();
    format!("{}\n{}\n{}", answer.status, headers.join("\n"), String::from_utf8_lossy(&answer.body))
}

/// A connection that is kept for as long as the server keeps it.
struct Line<'a> {
    world: &'a World,
    http: HttpClient,
}

impl<'a> Line<'a> {
    async fn open(world: &'a World) -> Self {
        Self { world, http: world.server.connect().await }
    }

    /// Asks with a key, where there is one.
    async fn ask(&mut self, method: &str, path: &str, secret: Option<&str>, body: &str) -> HttpAnswer {
        let bearer = secret.map(|secret| format!("Bearer {secret}"));
        let key = bearer.as_ref().map(|bearer| ("authorization", bearer.as_str()));
        let headers: Vec<_> = [REQUEST_ID, content_type(path)].into_iter().chain(key).collect();
        let answer = self.http.send_octets(method, path, &headers, body.into()).await.unwrap();
        described::check(method, path, &answer);
        // What nobody reads of a body ends the connection.
        if answer.header("connection") == Some("close") {
            self.http = self.world.server.connect().await;
        }
        answer
    }
}
