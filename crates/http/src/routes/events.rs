//! Events as they happen.

use hyper::HeaderMap;
use selfmx_app::App;
use selfmx_auth::{Permit, needs};
use selfmx_domain::{EventFilter, EventPosition, Problem};
use selfmx_wire::RequestError;

use crate::following::{Admission, Following};
use crate::{Answer, Call, Failure, Reply};

/// The query parameters of [`stream`].
pub(crate) const STREAM: &[&str] = &["email_id", "event", "follow"];

const LAST_EVENT_ID: &str = "Last-Event-ID";

/// `GET /v1/events/stream`.
pub(crate) async fn stream(permit: Permit<needs::LogsRead>, call: Call<App>) -> Answer {
    let query = call.query();
    let filter = EventFilter { email: query.id("email_id")?, kind: query.parsed("event")? };
    let (stays, after) = (query.flag("follow")?.unwrap_or(true), last_event_id(call.headers())?);
    let admission = Admission::of(&call, &permit)?;
    let (place, at) = call.state().event_stream(&permit, after).await?;
    let following = Following { admission, filter, at, stays, place };
    Ok(Reply::stream("text/event-stream", following.begin()))
}

/// The place after which a reader goes on. Whoever has none yet may send it empty.
fn last_event_id(headers: &HeaderMap) -> Result<Option<EventPosition>, Failure> {
    let mut given = headers.get_all(LAST_EVENT_ID).iter();
    let Some(value) = given.next() else { return Ok(None) };
    let wrong = |problem: Problem| Failure::from(RequestError::from(problem.at(LAST_EVENT_ID)));
    if given.next().is_some() {
        return Err(wrong(Problem::NotOneOf("given once")));
    }
    match value.to_str().unwrap_or("?") {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(wrong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: &str = "0000000000000000002a.1f.00000000000000000000000000000007";

    fn read(values: &[&[u8]]) -> Result<Option<String>, String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(LAST_EVENT_ID, hyper::header::HeaderValue::from_bytes(value).unwrap());
        }
        let place = last_event_id(&headers).map(|place| place.map(|place| place.to_string()));
        place.map_err(|failure| failure.field().unwrap_or_default().to_owned())
    }

    #[test]
    fn a_place_is_one_that_the_stream_gave_or_none() {
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&[b""]), Ok(None));
        assert_eq!(read(&[PLACE.as_bytes()]), Ok(Some(PLACE.to_owned())));
        for wrong in [&[&b"1"[..]][..], &[b"\xff"], &[b"?"], &[PLACE.as_bytes(), PLACE.as_bytes()], &[b"", b""]] {
            assert_eq!(read(wrong), Err(LAST_EVENT_ID.to_owned()), "{wrong:?}");
        }
    }
}
