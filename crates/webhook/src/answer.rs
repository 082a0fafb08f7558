//! What an endpoint answered, read within bounds.

use std::time::Duration;

use bytes::Buf;
use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::Incoming;
use hyper::header::RETRY_AFTER;
use selfmx_domain::PostOutcome;
use time::OffsetDateTime;
use tokio::time::{Instant, timeout_at};

/// An endpoint's answer. Its status decides, whether or not its text came whole and in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// How long the endpoint asks us to wait, by its `Retry-After` (RFC 9110 section 10.2.3).
    pub retry_after: Option<Duration>,
    /// The beginning of the text, at most [`MAX_KEPT`](Self::MAX_KEPT) octets; what is no UTF-8 or a control character is shown as U+FFFD.
    pub excerpt: String,
}

impl Answer {
    /// How much of an answer is read, in octets: its head and its text together.
    pub const MAX_READ: usize = 64 * 1024;

    /// How much of an answer's text is kept, in octets.
    pub const MAX_KEPT: usize = 1024;

    /// What it means for the event.
    #[must_use]
    pub const fn outcome(&self) -> PostOutcome {
        PostOutcome::of(self.status, self.retry_after)
    }

    /// Reads the text until it ends or breaks off, or the time runs out. `now` is what a date in `Retry-After` is compared with.
    pub(crate) async fn read(response: Response<Incoming>, now: OffsetDateTime, deadline: Instant) -> Self {
        let status = response.status().as_u16();
        let asked = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = asked.and_then(|value| wait(value, now));
        let mut body = response.into_body();
        let mut kept = Vec::new();
        while let Ok(Some(Ok(frame))) = timeout_at(deadline, body.frame()).await {
            if let Ok(data) = frame.into_data() {
                let room = Self::MAX_KEPT - kept.len();
                kept.extend(data.chunk().iter().take(room));
            }
        }
        Self { status, retry_after, excerpt: excerpt(&kept) }
    }
}

/// `Retry-After`: seconds, or a date in one of the three forms that have to be understood (RFC 9110 section 5.6.7).
fn wait(value: &str, now: OffsetDateTime) -> Option<Duration> {
    if value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More seconds than fit are as many as we wait at most.
        return (!value.is_empty()).then(|| Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let at = OffsetDateTime::from(httpdate::parse_http_date(value).ok()?);
    Some(Duration::try_from(at - now).unwrap_or_default())
}

/// The octets as text that can be stored and shown.
fn excerpt(octets: &[u8]) -> String {
    let shown = |c: char| if c.is_control() && !matches!(c, '\n' | '\r' | '\t') { '\u{fffd}' } else { c };
    let mut text: String = String::from_utf8_lossy(octets).chars().map(shown).collect();
    text.truncate(text.floor_char_boundary(Answer::MAX_KEPT));
    text
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = datetime!(2026-11-23 22:00:00 UTC);
        let seconds = |value: &str| wait(value, now).map(|wait| wait.as_secs());
        assert_eq!(seconds("0"), Some(0));
        assert_eq!(seconds("120"), Some(120));
        assert_eq!(seconds("99999999999999999999999"), Some(u64::MAX));
        assert_eq!(seconds("Mon, 23 Nov 2026 22:02:00 GMT"), Some(120));
        assert_eq!(seconds("Monday, 23-Nov-26 22:02:00 GMT"), Some(120), "as RFC 850 has it");
        assert_eq!(seconds("Mon Nov 23 22:02:00 2026"), Some(120), "as C writes it");
        assert!(seconds("Fri, 31 Dec 9999 23:59:59 GMT").is_some());
        assert_eq!(seconds("Mon, 23 Nov 2026 21:00:00 GMT"), Some(0), "a time that has passed is now");
        for none in ["", "-1", "1.5", "soon", "Mon, 23 Nov 2026 22:02:00", "2026-11-23T22:02:00Z", "GMT"] {
            assert_eq!(seconds(none), None, "{none}");
        }
    }

    #[test]
    fn an_excerpt_can_be_stored_and_shown() {
        assert_eq!(excerpt(b"ok\r\n\t\"fine\""), "ok\r\n\t\"fine\"");
        assert_eq!(excerpt(b"a\0b\x1b[31m\xff\xc2\x9b"), "a\u{fffd}b\u{fffd}[31m\u{fffd}\u{fffd}");
        assert_eq!(excerpt(&[0xff; 1024]).len(), 1023, "three octets for each that is none");
        assert_eq!(excerpt("é".repeat(512).as_bytes()).len(), 1024);
    }
}
