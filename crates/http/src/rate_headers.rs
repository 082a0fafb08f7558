//! What an answer says of its caller's rate limit.

use std::time::Duration;

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use selfmx_app::Standing;
use time::OffsetDateTime;

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

const NANOS_PER_SECOND: i128 = 1_000_000_000;

/// Adds how the caller's limit stands; the reset is in Unix seconds, rounded up.
pub(crate) fn tell(headers: &mut HeaderMap, standing: &Standing, now: OffsetDateTime) {
    let whole_in = i128::try_from(standing.whole_in.as_nanos()).unwrap_or(i128::MAX);
    let reset = now.unix_timestamp_nanos().saturating_add(whole_in).saturating_add(NANOS_PER_SECOND - 1).div_euclid(NANOS_PER_SECOND);
    headers.insert(LIMIT, standing.limit.into());
    headers.insert(REMAINING, standing.remaining.into());
    headers.insert(RESET, i64::try_from(reset).unwrap_or(i64::MAX).into());
}

/// The value of `Retry-After` (RFC 9110 section 10.2.3): whole seconds, rounded up, at least one.
pub(crate) fn retry_after(wait: Duration) -> HeaderValue {
    wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1).into()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn the_reset_is_rounded_up_to_a_second_at_which_the_limit_is_whole() {
        let reset = |now, whole_in| {
            let mut headers = HeaderMap::new();
            tell(&mut headers, &Standing { limit: 100, remaining: 7, whole_in }, now);
            assert_eq!((&headers[LIMIT], &headers[REMAINING]), (&HeaderValue::from_static("100"), &HeaderValue::from_static("7")));
            headers[RESET].to_str().unwrap().parse::<i64>().unwrap()
        };
        let (now, half) = (datetime!(2026-01-01 00:00 UTC), Duration::from_millis(500));
        assert_eq!(reset(now, Duration::ZERO), 1_767_225_600);
        assert_eq!(reset(now, Duration::from_nanos(1)), 1_767_225_601);
        assert_eq!(reset(now, Duration::from_secs(60)), 1_767_225_660);
        assert_eq!(reset(now + half, half), 1_767_225_601);
        assert_eq!(reset(now + half, half + Duration::from_nanos(1)), 1_767_225_602);
        assert!(reset(now, Duration::MAX) > 0);
    }

    #[test]
    fn a_wait_is_whole_seconds_rounded_up_and_at_least_one() {
        for (nanos, text) in [(0, "1"), (1, "1"), (1_000_000_000, "1"), (1_000_000_001, "2"), (60_000_000_000, "60")] {
            assert_eq!(retry_after(Duration::from_nanos(nanos)), text, "{nanos}");
        }
        assert_eq!(retry_after(Duration::MAX), u64::MAX.to_string().as_str());
    }
}
