//! When an event is posted again, and when an endpoint is given up: pure functions.

use std::time::Duration;

use time::OffsetDateTime;

use crate::Jitter;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// What an answer means for the event that was posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PostOutcome {
    /// The endpoint has it: any 2xx.
    Accepted,
    /// The endpoint wants no events any more: 410.
    Gone,
    /// It is to be posted again: anything else, redirects among it, and no answer at all.
    Failed {
        /// How long the endpoint asked us to wait (RFC 9110 section 10.2.3).
        retry_after: Option<Duration>,
    },
}

impl PostOutcome {
    /// What an answer with this status, and this `Retry-After`, means.
    #[must_use]
    pub const fn of(status: u16, retry_after: Option<Duration>) -> Self {
        match status {
            200..=299 => Self::Accepted,
            410 => Self::Gone,
            _ => Self::Failed { retry_after },
        }
    }
}

/// How often and when an event is posted: at once, then after 1 and 5 and 30 minutes, then after 2 and 5 and 10 and 10 hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WebhookRetry;

impl WebhookRetry {
    /// How often an event is posted, at most.
    pub const ATTEMPTS: u32 = 8;

    /// The longest that an endpoint can put us off by `Retry-After`, unless we had waited longer anyway.
    pub const LONGEST_PUT_OFF: Duration = Duration::from_secs(24 * HOUR);

    /// How long an endpoint may fail without one success before it is disabled.
    pub const PATIENCE: Duration = Duration::from_secs(5 * 24 * HOUR);

    const DELAYS: [u64; 7] = [MINUTE, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 10 * HOUR];

    /// How long to wait after `failures` failed attempts; `None` where there is no further attempt.
    ///
    /// Never less than the schedule says, lengthened by up to a tenth of itself by the [`Jitter`]; longer where the endpoint asked for it, to
    /// [`LONGEST_PUT_OFF`](Self::LONGEST_PUT_OFF).
    ///
    /// ```
    /// use std::time::Duration;
    /// use selfmx_domain::{Jitter, WebhookRetry};
    ///
    /// let none = Jitter::from_bytes([0, 0]);
    /// assert_eq!(WebhookRetry::delay(1, None, none), Some(Duration::from_secs(60)));
    /// assert_eq!(WebhookRetry::delay(1, Some(Duration::from_secs(90)), none), Some(Duration::from_secs(90)));
    /// assert_eq!(WebhookRetry::delay(8, None, none), None);
    /// ```
    #[must_use]
    pub fn delay(failures: u32, retry_after: Option<Duration>, jitter: Jitter) -> Option<Duration> {
        let index = usize::try_from(failures.checked_sub(1)?).ok()?;
        let scheduled = Duration::from_secs(*Self::DELAYS.get(index)?);
        let asked = retry_after.unwrap_or_default().min(Self::LONGEST_PUT_OFF);
        Some(jitter.lengthen(scheduled.max(asked)))
    }

    /// Whether an endpoint that has failed since `failing_since`, without one success, is to be disabled.
    #[must_use]
    pub fn is_over(failing_since: OffsetDateTime, now: OffsetDateTime) -> bool {
        now - failing_since >= Self::PATIENCE
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    const NONE: Jitter = Jitter::from_bytes([0, 0]);

    #[test]
    fn the_documented_schedule_holds() {
        let minutes: Vec<_> = (0..=9).map(|failures| WebhookRetry::delay(failures, None, NONE).map(|delay| delay.as_secs() / 60)).collect();
        assert_eq!(minutes, [None, Some(1), Some(5), Some(30), Some(120), Some(300), Some(600), Some(600), None, None]);
        assert_eq!(
            (1..100).filter(|failures| WebhookRetry::delay(*failures, None, NONE).is_some()).count() + 1,
            WebhookRetry::ATTEMPTS as usize
        );
    }

    #[test]
    fn a_2xx_is_a_success_410_an_end_and_all_else_is_tried_again() {
        let wait = Some(Duration::from_secs(7));
        for status in 100..600 {
            let expected = match status {
                200..300 => PostOutcome::Accepted,
                410 => PostOutcome::Gone,
                _ => PostOutcome::Failed { retry_after: wait },
            };
            assert_eq!(PostOutcome::of(status, wait), expected, "{status}");
        }
    }

    #[test]
    fn patience_ends_after_five_days() {
        let since = datetime!(2026-01-01 0:00 UTC);
        assert!(!WebhookRetry::is_over(since, datetime!(2026-01-05 23:59:59.999 UTC)));
        assert!(WebhookRetry::is_over(since, datetime!(2026-01-06 0:00 UTC)));
        assert!(!WebhookRetry::is_over(since, datetime!(2025-12-01 0:00 UTC)), "a clock that went back gives nobody up");
    }

    /// What endpoints ask for: nothing, about what the schedule says, or anything.
    fn asked() -> impl Strategy<Value = Option<u64>> {
        prop_oneof![Just(None), (0..3 * 24 * HOUR).prop_map(Some), any::<u64>().prop_map(Some)]
    }

    proptest! {
        #[test]
        fn delays_never_undercut_the_schedule_and_stay_bounded(failures: u32, low in 0_u32..12, asked in asked(), jitter: [u8; 2]) {
            for failures in [failures, low] {
                let retry_after = asked.map(Duration::from_secs);
                let jitter = Jitter::from_bytes(jitter);
                let delay = WebhookRetry::delay(failures, retry_after, jitter);
                prop_assert_eq!(delay.is_some(), (1..WebhookRetry::ATTEMPTS).contains(&failures));
                let Some(delay) = delay else { continue };
                let scheduled = WebhookRetry::delay(failures, None, NONE).unwrap();
                let plain = scheduled.max(retry_after.unwrap_or_default().min(WebhookRetry::LONGEST_PUT_OFF));
                prop_assert!(delay >= plain && delay <= plain + plain / 10, "{:?} for {:?}", delay, plain);
            }
        }

        #[test]
        fn asking_for_more_time_never_gives_less(failures in 1_u32..8, less: u32, more: u32, jitter: [u8; 2]) {
            let (less, more) = (less.min(more), less.max(more));
            let delay = |seconds: u32| WebhookRetry::delay(failures, Some(Duration::from_secs(seconds.into())), Jitter::from_bytes(jitter));
            prop_assert!(delay(less) <= delay(more));
        }
    }
}
