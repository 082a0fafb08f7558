//! Reading a body: bounded in size, in time, and together with all others in memory.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::HeaderMap;
use hyper::body::{Body as _, Incoming};
use hyper::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::Failure;

/// What a body is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    /// JSON in UTF-8.
    Json,
    /// A mail (RFC 5322).
    Message,
}

/// How large a body may be, and how slow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// The most octets.
    pub(crate) octets: usize,
    /// How long it may take.
    pub(crate) time: Duration,
    /// Each so many octets that have arrived lengthen the time by a second.
    pub(crate) rate: usize,
}

impl Bounds {
    /// Refuses a body that is said to be too large, before any of it is read.
    pub(crate) fn check_declared(&self, headers: &HeaderMap) -> Result<(), Failure> {
        let declared = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        let limit = u64::try_from(self.octets).unwrap_or(u64::MAX);
        if declared.is_some_and(|declared| declared > limit) {
            return Err(Failure::TooLarge { limit: self.octets });
        }
        Ok(())
    }

    /// How long after its begin a body of which so many octets have arrived may still go on.
    fn time_for(&self, octets: usize) -> Duration {
        let earned = octets.checked_div(self.rate).unwrap_or(0);
        self.time + Duration::from_secs(u64::try_from(earned).unwrap_or(0))
    }
}

/// The room that all bodies together have in memory. The first octets of each come from a part of their own, so that a few large bodies, however
/// slow, never keep out the small ones.
#[derive(Debug)]
pub(crate) struct Room {
    first: Arc<Semaphore>,
    rest: Arc<Semaphore>,
    /// How many octets of each body count as its first ones.
    first_octets: usize,
}

impl Room {
    /// Room for so many octets, and for the first ones of each body a quarter more.
    pub(crate) fn new(octets: usize) -> Self {
        let semaphore = |octets: usize| Arc::new(Semaphore::new(octets.min(Semaphore::MAX_PERMITS)));
        Self { first: semaphore(octets / 4), rest: semaphore(octets), first_octets: octets / 1024 }
    }
}

/// The body of one request. The room that it takes among all bodies is given back when it is dropped.
pub(crate) struct Body {
    incoming: Incoming,
    bounds: Bounds,
    room: Arc<Room>,
    first: Option<OwnedSemaphorePermit>,
    rest: Option<OwnedSemaphorePermit>,
}

impl Body {
    /// A body that nobody has read yet, and that takes its octets from `room`.
    pub(crate) const fn new(incoming: Incoming, bounds: Bounds, room: Arc<Room>) -> Self {
        Self { incoming, bounds, room, first: None, rest: None }
    }

    /// Reads all of it, where `headers` say that it is what is wanted, as it is.
    pub(crate) async fn collect(&mut self, headers: &HeaderMap, wanted: Media) -> Result<Vec<u8>, Failure> {
        if headers.contains_key(CONTENT_ENCODING) {
            return Err(Failure::Encoding);
        }
        if !self.incoming.is_end_stream() && !wanted.is_told_by(headers) {
            return Err(Failure::MediaType { wanted: wanted.as_str() });
        }
        let begin = Instant::now();
        let mut octets = Vec::new();
        loop {
            let frame = timeout_at(begin + self.bounds.time_for(octets.len()), self.incoming.frame());
            let Some(frame) = frame.await.or(Err(Failure::BodyTooSlow))? else {
                return Ok(octets);
            };
            let Ok(part) = frame.map_err(Failure::Body)?.into_data() else { continue };
            if octets.len() + part.len() > self.bounds.octets {
                return Err(Failure::TooLarge { limit: self.bounds.octets });
            }
            self.hold(octets.len(), part.len())?;
            octets.extend_from_slice(&part);
        }
    }

    /// Takes room for `more` octets after those that have it already.
    fn hold(&mut self, octets: usize, more: usize) -> Result<(), Failure> {
        let first = more.min(self.room.first_octets.saturating_sub(octets));
        take(&self.room.first, &mut self.first, first)?;
        take(&self.room.rest, &mut self.rest, more - first)
    }
}

fn take(room: &Arc<Semaphore>, held: &mut Option<OwnedSemaphorePermit>, octets: usize) -> Result<(), Failure> {
    let octets = u32::try_from(octets).or(Err(Failure::Busy))?;
    let more = Arc::clone(room).try_acquire_many_owned(octets).or(Err(Failure::Busy))?;
    match held {
        Some(held) => held.merge(more),
        None => *held = Some(more),
    }
    Ok(())
}

impl Media {
    /// The media type.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Message => "message/rfc822",
        }
    }

    /// Whether there is one `Content-Type`, and it is this one. JSON has no parameter but `charset=utf-8`; those of a message say nothing of its octets.
    fn is_told_by(self, headers: &HeaderMap) -> bool {
        let told = |essence: &str| essence.eq_ignore_ascii_case(self.as_str());
        match self {
            Self::Json => content_type(headers).is_some_and(|(essence, parameters)| told(essence) && parameters.split(';').all(is_utf8)),
            Self::Message => content_type(headers).is_some_and(|(essence, _)| told(essence)),
        }
    }
}

fn is_utf8(parameter: &str) -> bool {
    ["", "charset=utf-8", "charset=\"utf-8\""].iter().any(|utf8| parameter.trim().eq_ignore_ascii_case(utf8))
}

/// The media type of the one `Content-Type`, and its parameters.
fn content_type(headers: &HeaderMap) -> Option<(&str, &str)> {
    let mut given = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (given.next(), given.next()) else {
        return None;
    };
    let text = value.to_str().ok()?;
    let (essence, parameters) = text.split_once(';').unwrap_or((text, ""));
    Some((essence.trim(), parameters))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(values: &[&str]) -> bool {
        let headers: HeaderMap = values.iter().map(|value| (CONTENT_TYPE, value.parse().unwrap())).collect();
        Media::Json.is_told_by(&headers)
    }

    #[test]
    fn only_json_in_utf_8_is_json() {
        for value in ["application/json", "Application/JSON", "application/json; charset=utf-8", "application/json;charset=\"UTF-8\""] {
            assert!(json(&[value]), "{value}");
        }
        for value in
            ["", "text/plain", "application/json5", "text/json", "application/json; charset=latin1", "application/json, text/plain"]
        {
            assert!(!json(&[value]), "{value}");
        }
        assert!(!json(&[]));
        // `HeaderMap` keeps the last of those that `collect` gives it, so two are appended one by one.
        let mut headers = HeaderMap::new();
        headers.append(CONTENT_TYPE, "application/json".parse().unwrap());
        headers.append(CONTENT_TYPE, "application/json".parse().unwrap());
        assert!(!Media::Json.is_told_by(&headers));
    }

    #[test]
    fn a_message_is_one_whatever_is_said_of_it() {
        let told = |value: &str| Media::Message.is_told_by(&HeaderMap::from_iter([(CONTENT_TYPE, value.parse().unwrap())]));
        assert!(told("message/rfc822") && told("Message/RFC822 ; charset=us-ascii"));
        assert!(!told("message/global") && !told("text/plain") && !told("application/json") && !told(""));
    }

    #[test]
    fn what_has_arrived_earns_time() {
        let bounds = Bounds { octets: 10, time: Duration::from_secs(30), rate: 1000 };
        assert_eq!(bounds.time_for(999), Duration::from_secs(30));
        assert_eq!(bounds.time_for(10_000), Duration::from_secs(40));
    }

    #[test]
    fn a_declared_length_is_checked_first() {
        let bounds = Bounds { octets: 10, time: Duration::ZERO, rate: 1 };
        let checked = |length: &str| bounds.check_declared(&HeaderMap::from_iter([(CONTENT_LENGTH, length.parse().unwrap())]));
        assert!(checked("10").is_ok());
        assert!(matches!(checked("11"), Err(Failure::TooLarge { limit: 10 })));
    }
}
