//! How many requests are allowed in how long.

use std::num::NonZeroU32;

/// So many requests in so many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    requests: NonZeroU32,
    seconds: NonZeroU32,
}

impl Rate {
    /// `requests` in `seconds`.
    #[must_use]
    pub const fn new(requests: NonZeroU32, seconds: NonZeroU32) -> Self {
        Self { requests, seconds }
    }

    /// `requests` in a minute.
    #[must_use]
    pub const fn per_minute(requests: NonZeroU32) -> Self {
        const MINUTE: NonZeroU32 = NonZeroU32::new(60).unwrap();
        Self::new(requests, MINUTE)
    }

    /// How many requests.
    #[must_use]
    pub const fn requests(self) -> NonZeroU32 {
        self.requests
    }

    /// In how many seconds.
    #[must_use]
    pub const fn seconds(self) -> NonZeroU32 {
        self.seconds
    }

    /// Whether it allows no more than `other`, neither at once nor in the long run.
    ///
    /// ```
    /// use selfmx_domain::RateLimit;
    ///
    /// let (slow, fast) = (RateLimit::per_minute(10), RateLimit::per_minute(20));
    /// assert!(slow.is_within(fast) && !fast.is_within(slow) && fast.is_within(RateLimit::Unlimited));
    /// ```
    #[must_use]
    pub const fn is_within(self, other: Self) -> bool {
        let (own, others) =
            (self.requests.get() as u64 * other.seconds.get() as u64, other.requests.get() as u64 * self.seconds.get() as u64);
        own <= others && self.requests.get() <= other.requests.get()
    }
}

/// A rate, or none at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RateLimit {
    /// As many requests as one likes.
    Unlimited,
    /// At most so many.
    AtMost(Rate),
}

impl RateLimit {
    /// The most requests per minute that can be said.
    pub const MAX_PER_MINUTE: u32 = 1_000_000;

    /// A limit of so many requests per minute; 0 means none, as everywhere in the contract.
    #[must_use]
    pub const fn per_minute(requests: u32) -> Self {
        match NonZeroU32::new(requests) {
            Some(requests) => Self::AtMost(Rate::per_minute(requests)),
            None => Self::Unlimited,
        }
    }

    /// The number of requests that [`per_minute`](Self::per_minute) made it of.
    #[must_use]
    pub const fn requests(self) -> u32 {
        match self {
            Self::Unlimited => 0,
            Self::AtMost(rate) => rate.requests.get(),
        }
    }

    /// Whether it allows no more than `other`.
    #[must_use]
    pub const fn is_within(self, other: Self) -> bool {
        match (self, other) {
            (_, Self::Unlimited) => true,
            (Self::Unlimited, Self::AtMost(_)) => false,
            (Self::AtMost(own), Self::AtMost(other)) => own.is_within(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(requests: u32, seconds: u32) -> RateLimit {
        RateLimit::AtMost(Rate::new(NonZeroU32::new(requests).unwrap(), NonZeroU32::new(seconds).unwrap()))
    }

    #[test]
    fn a_rate_is_within_another_only_where_neither_burst_nor_average_exceeds_it() {
        assert!(rate(100, 60).is_within(rate(100, 60)));
        assert!(!rate(101, 60).is_within(rate(100, 60)));
        // As many a minute, but more at once.
        assert!(!rate(600, 3600).is_within(rate(10, 60)) && rate(10, 60).is_within(rate(600, 3600)));
        // Fewer at once, but more a minute.
        assert!(!rate(10, 1).is_within(rate(100, 60)));
        assert!(rate(u32::MAX, 1).is_within(RateLimit::Unlimited) && RateLimit::Unlimited.is_within(RateLimit::Unlimited));
        assert!(!RateLimit::Unlimited.is_within(rate(u32::MAX, 1)));
    }

    #[test]
    fn zero_means_none() {
        assert_eq!((RateLimit::per_minute(0), RateLimit::per_minute(0).requests()), (RateLimit::Unlimited, 0));
        assert_eq!((RateLimit::per_minute(7), RateLimit::per_minute(7).requests()), (rate(7, 60), 7));
        let limit = Rate::per_minute(NonZeroU32::new(7).unwrap());
        assert_eq!((limit.requests().get(), limit.seconds().get()), (7, 60));
    }
}
