//! The rule by which a rate is kept: the generic cell rate algorithm (ITU-T I.371).
//!
//! Of a bucket it needs to know only how long it takes until it is whole again, its debt. A request adds `seconds / requests` to the debt, which is never
//! above `seconds`: so many requests may come at once, and then one each `seconds / requests`.

use std::cell::Cell;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::StateInformationMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::state::direct::NotKeyed;
use governor::{Quota, RateLimiter};
use selfmx_domain::Rate;

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// What follows from a request that fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spent {
    /// How long it takes from now until the bucket is whole again.
    pub(crate) debt: Duration,
    /// How many requests more fit at once.
    pub(crate) remaining: u32,
}

/// One request more for a bucket with this debt.
///
/// # Errors
///
/// Where it does not fit: how long to wait until it does.
pub(crate) fn spend(rate: Rate, debt: Duration) -> Result<Spent, Duration> {
    let limiter: Limiter = RateLimiter::new(quota(rate), Owed(Cell::new(nanos(debt))), Now);
    let decision = limiter.check().map_err(|refusal| refusal.wait_time_from(Now.now()))?;
    Ok(Spent { debt: limiter.into_state_store().0.get().into(), remaining: decision.remaining_burst_capacity() })
}

/// The interval is rounded up: a bucket is whole again some nanoseconds late rather than early.
fn quota(rate: Rate) -> Quota {
    let window = u64::from(rate.seconds().get()) * NANOS_PER_SECOND;
    let interval = Duration::from_nanos(window.div_ceil(u64::from(rate.requests().get())));
    // An interval is never 0, which is all that could be refused.
    Quota::with_period(interval).unwrap_or(Quota::per_second(NonZeroU32::MIN)).allow_burst(rate.requests())
}

/// The library's decision on one request, in a time that begins now: then the state that it keeps is the debt.
type Limiter = RateLimiter<NotKeyed, Owed, Now, StateInformationMiddleware>;

/// The debt that a decision begins with, and after it the one that it ends with.
#[derive(Debug)]
struct Owed(Cell<Nanos>);

impl StateStore for Owed {
    type Key = NotKeyed;

    fn measure_and_replace<T, F, E>(&self, _: &NotKeyed, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let (decision, debt) = decide(Some(self.0.get()))?;
        self.0.set(debt);
        Ok(decision)
    }
}

/// The clock of a time that begins now.
#[derive(Debug)]
struct Now;

impl Clock for Now {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::default()
    }
}

/// What the library could not hold is some 580 years.
fn nanos(duration: Duration) -> Nanos {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX).into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rate(requests: u32, seconds: u32) -> Rate {
        Rate::new(requests.try_into().unwrap(), seconds.try_into().unwrap())
    }

    /// Spends until it is refused, and tells how often it could, and how long to wait.
    fn drained(rate: Rate, mut debt: Duration) -> (u32, Duration) {
        for spent in 0..=rate.requests().get() {
            match spend(rate, debt) {
                Ok(after) => debt = after.debt,
                Err(wait) => return (spent, wait),
            }
        }
        panic!("it is never refused")
    }

    #[test]
    fn a_burst_fits_and_then_one_each_interval() {
        assert_eq!(drained(rate(100, 60), Duration::ZERO), (100, Duration::from_millis(600)));
        assert_eq!(drained(rate(1, 1), Duration::ZERO), (1, Duration::from_secs(1)));
    }

    #[test]
    fn an_interval_that_is_no_whole_number_is_rounded_up() {
        let spent = spend(rate(3, 1), Duration::ZERO).unwrap();
        assert_eq!(spent, Spent { debt: Duration::from_nanos(333_333_334), remaining: 2 });
    }

    #[test]
    fn the_extremes_neither_overflow_nor_divide_by_nothing() {
        for (requests, seconds) in [(1, u32::MAX), (u32::MAX, 1), (u32::MAX, u32::MAX), (1, 1)] {
            let rate = rate(requests, seconds);
            let first = spend(rate, Duration::ZERO).unwrap();
            assert_eq!(first.remaining, requests - 1);
            assert!(first.debt > Duration::ZERO && first.debt <= Duration::from_secs(u64::from(seconds)));
            assert!(spend(rate, Duration::MAX).is_err());
        }
    }

    proptest! {
        #[test]
        fn remaining_is_what_can_be_spent_and_the_wait_is_exact(requests in 1..200_u32, seconds in 1..5_000_u32, debt in 0..10_000_000_u64) {
            let (rate, debt) = (rate(requests, seconds), Duration::from_micros(debt));
            match spend(rate, debt) {
                Ok(spent) => {
                    let (more, wait) = drained(rate, spent.debt);
                    prop_assert_eq!(more, spent.remaining);
                    prop_assert!(wait > Duration::ZERO);
                }
                Err(wait) => {
                    prop_assert!(spend(rate, debt - wait).is_ok());
                    prop_assert!(spend(rate, debt - wait + Duration::from_nanos(1)).is_err());
                }
            }
        }
    }
}
