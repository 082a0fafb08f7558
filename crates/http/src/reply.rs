//! An answer, before it goes out.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{HeaderMap, StatusCode};
use serde::Serialize;
use tokio::sync::mpsc::Receiver;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::activity::Activity;
use crate::{Answer, Failure};

/// How much of a body is handed over at once: so much has to be taken within the idle time-out.
const PART: usize = 64 * 1024;

/// By which proxies are told to pass on what they get at once.
const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// An answer: a status, headers and a body, which is JSON but for a message's source.
#[derive(Debug)]
pub struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Instead of the body: parts that come one after the other, until the server is to stop at the latest.
    pub(crate) stream: Option<Receiver<Bytes>>,
}

impl Reply {
    /// `200` with a view.
    ///
    /// # Errors
    ///
    /// [`Failure::Unwritable`] where the view cannot be written.
    pub fn ok<V: Serialize>(view: &V) -> Answer {
        Self::json(StatusCode::OK, view)
    }

    /// `201` with a view of what was made.
    ///
    /// # Errors
    ///
    /// [`Failure::Unwritable`] where the view cannot be written.
    pub fn created<V: Serialize>(view: &V) -> Answer {
        Self::json(StatusCode::CREATED, view)
    }

    /// `202` with a view of what was accepted.
    ///
    /// # Errors
    ///
    /// [`Failure::Unwritable`] where the view cannot be written.
    pub fn accepted<V: Serialize>(view: &V) -> Answer {
        Self::json(StatusCode::ACCEPTED, view)
    }

    /// `302` with a view of where it leads.
    pub(crate) fn found<V: Serialize>(view: &V) -> Answer {
        Self::json(StatusCode::FOUND, view)
    }

    /// `200` with octets of a media type of their own.
    #[must_use]
    pub fn octets(media_type: &'static str, body: Vec<u8>) -> Self {
        Self::new(StatusCode::OK, media_type, body)
    }

    /// `200` with what is the same for everybody.
    pub(crate) fn still(media_type: &'static str, body: &'static str) -> Self {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(media_type))]);
        Self { status: StatusCode::OK, headers, body: Bytes::from_static(body.as_bytes()), stream: None }
    }

    /// `200` with parts of a media type of their own, that go out as they come; what comes on the way does not wait for more.
    pub(crate) fn stream(media_type: &'static str, parts: Receiver<Bytes>) -> Self {
        let reply = Self::new(StatusCode::OK, media_type, Vec::new()).with(BUFFERING, HeaderValue::from_static("no"));
        Self { stream: Some(parts), ..reply }
    }

    pub(crate) fn json<V: Serialize>(status: StatusCode, view: &V) -> Answer {
        Ok(Self::new(status, "application/json", serde_json::to_vec(view).map_err(Failure::Unwritable)?))
    }

    /// The same with one header more.
    pub(crate) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Takes the room for its body from `room`; one that goes out at once takes none.
    pub(crate) fn hold(&self, room: &Arc<Semaphore>) -> Result<Option<OwnedSemaphorePermit>, Failure> {
        if self.body.len() <= PART {
            return Ok(None);
        }
        let octets = u32::try_from(self.body.len()).or(Err(Failure::Busy))?;
        Arc::clone(room).try_acquire_many_owned(octets).map(Some).or(Err(Failure::Busy))
    }

    fn new(status: StatusCode, media_type: &'static str, body: Vec<u8>) -> Self {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(media_type))]);
        Self { status, headers, body: body.into(), stream: None }
    }
}

/// A body on its way out, a part at a time, so that a client that takes nothing is noticed.
pub(crate) struct Outgoing {
    rest: Rest,
    activity: Arc<Activity>,
    /// Given back when the body has gone out, or nobody takes it any more.
    _room: Option<OwnedSemaphorePermit>,
}

/// What is still to go out.
enum Rest {
    Whole(Bytes),
    /// What comes, until the server is to stop.
    Stream {
        parts: Receiver<Bytes>,
        stop: Pin<Box<WaitForCancellationFutureOwned>>,
    },
}

impl Outgoing {
    /// The body `rest` of an answer on the connection with this activity.
    pub(crate) const fn new(rest: Bytes, activity: Arc<Activity>, room: Option<OwnedSemaphorePermit>) -> Self {
        Self { rest: Rest::Whole(rest), activity, _room: room }
    }

    /// The body of an answer whose parts come one after the other, until `stop`.
    pub(crate) fn stream(parts: Receiver<Bytes>, activity: Arc<Activity>, stop: CancellationToken) -> Self {
        Self { rest: Rest::Stream { parts, stop: Box::pin(stop.cancelled_owned()) }, activity, _room: None }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let part = match &mut self.rest {
            Rest::Whole(rest) if rest.is_empty() => None,
            Rest::Whole(rest) => Some(rest.split_to(rest.len().min(PART))),
            Rest::Stream { parts, stop } => match stop.as_mut().poll(context) {
                Poll::Ready(()) => None,
                Poll::Pending => ready!(parts.poll_recv(context)),
            },
        };
        self.activity.note();
        Poll::Ready(part.map(|part| Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.rest, Rest::Whole(rest) if rest.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.rest {
            Rest::Whole(rest) => SizeHint::with_exact(u64::try_from(rest.len()).unwrap_or(u64::MAX)),
            Rest::Stream { .. } => SizeHint::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http_body_util::BodyExt as _;
    use tokio::time::{Instant, sleep};

    use super::*;

    const SPAN: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn each_part_that_is_taken_puts_idleness_off() {
        let activity = Activity::new();
        let mut body = Outgoing::new(Bytes::from(vec![0; 2 * PART + 1]), Arc::clone(&activity), None);
        assert_eq!(body.size_hint().exact(), Some(131_073));
        let begin = Instant::now();
        let taking = async {
            for part in [PART, PART, 1] {
                sleep(SPAN - Duration::from_secs(1)).await;
                assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap().len(), part);
            }
            assert!(body.is_end_stream());
        };
        tokio::join!(taking, activity.idle_for(SPAN));
        assert_eq!(begin.elapsed(), (SPAN - Duration::from_secs(1)) * 3 + SPAN);
    }
}
