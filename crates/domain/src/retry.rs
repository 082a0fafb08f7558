//! When a failed attempt is made again: a pure function.

use std::time::Duration;

const STEPS: [u64; 3] = [60, 300, 1800];
const LONGEST: Duration = Duration::from_secs(24 * 3600);
const STANDARD_BASE_SECONDS: u64 = 60;

/// A draw between 0 and 1 that spreads retries, so that mails that failed together do not come back together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jitter(u16);

impl Jitter {
    /// The draw that two random bytes make.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 2]) -> Self {
        Self(u16::from_be_bytes(bytes))
    }

    /// The delay, lengthened by up to a tenth of itself.
    pub(crate) fn lengthen(self, delay: Duration) -> Duration {
        let plain = millis(delay);
        Duration::from_millis(plain + plain / 10 * u64::from(self.0) / u64::from(u16::MAX))
    }
}

/// How often and when an attempt is repeated.
///
/// After the first failure 1 minute, then 5, then 30, then twice the last, never more than a day; all of it scaled by the base delay, and lengthened by
/// up to a tenth of itself by the [`Jitter`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    retries: u32,
    base: Duration,
}

impl RetryPolicy {
    /// A message that may be with the relay already is not offered again sooner than this.
    pub const AMBIGUOUS_DELAY: Duration = Duration::from_secs(300);

    /// `retries` attempts after the first one; `base` is the delay before the first of them (the environment's `QUEUE_RETRY_DELAY`).
    #[must_use]
    pub const fn new(retries: u32, base: Duration) -> Self {
        Self { retries, base }
    }

    /// How long to wait after `failures` failed attempts; `None` where there is no further attempt.
    ///
    /// ```
    /// use std::time::Duration;
    /// use selfmx_domain::{Jitter, RetryPolicy};
    ///
    /// let policy = RetryPolicy::new(3, Duration::from_secs(60));
    /// let none = Jitter::from_bytes([0, 0]);
    /// assert_eq!(policy.delay(2, none), Some(Duration::from_secs(300)));
    /// assert_eq!(policy.delay(4, none), None);
    /// ```
    #[must_use]
    pub fn delay(&self, failures: u32, jitter: Jitter) -> Option<Duration> {
        if failures == 0 || failures > self.retries {
            return None;
        }
        let scaled = step(failures).saturating_mul(millis(self.base)) / STANDARD_BASE_SECONDS;
        let bounded = scaled.min(millis(LONGEST));
        Some(jitter.lengthen(Duration::from_millis(bounded)))
    }
}

impl Default for RetryPolicy {
    /// Three retries, the first after a minute.
    fn default() -> Self {
        Self::new(3, Duration::from_secs(STANDARD_BASE_SECONDS))
    }
}

/// Seconds after the given failure at the standard base.
fn step(failures: u32) -> u64 {
    let index = usize::try_from(failures - 1).unwrap_or(usize::MAX);
    if let Some(seconds) = STEPS.get(index) {
        return *seconds;
    }
    let doublings = u32::try_from(index - STEPS.len() + 1).unwrap_or(u32::MAX).min(20);
    STEPS.last().copied().unwrap_or(STANDARD_BASE_SECONDS) << doublings
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NONE: Jitter = Jitter(0);

    #[test]
    fn the_documented_delays_hold() {
        let policy = RetryPolicy::new(6, Duration::from_secs(60));
        let seconds: Vec<_> = (1..=7).map(|failures| policy.delay(failures, NONE).map(|delay| delay.as_secs())).collect();
        assert_eq!(seconds, [Some(60), Some(300), Some(1800), Some(3600), Some(7200), Some(14400), None]);
    }

    #[test]
    fn the_base_scales_all_delays() {
        let policy = RetryPolicy::new(3, Duration::from_secs(6));
        assert_eq!(policy.delay(2, NONE), Some(Duration::from_secs(30)));
        assert_eq!(RetryPolicy::new(3, Duration::ZERO).delay(3, NONE), Some(Duration::ZERO));
    }

    proptest! {
        #[test]
        fn delays_grow_stay_bounded_and_end(retries in 0_u32..200, base in 0_u64..100_000, failures in 0_u32..400, jitter: u16) {
            let policy = RetryPolicy::new(retries, Duration::from_secs(base));
            let delay = policy.delay(failures, Jitter(jitter));
            prop_assert_eq!(delay.is_some(), failures >= 1 && failures <= retries);
            let Some(delay) = delay else { return Ok(()) };
            let plain = policy.delay(failures, NONE).unwrap();
            prop_assert!(delay >= plain && delay <= plain + plain / 10 && plain <= LONGEST);
            if let Some(next) = policy.delay(failures + 1, NONE) {
                prop_assert!(next >= plain);
            }
        }
    }
}
