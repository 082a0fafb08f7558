//! How often a client address may present a wrong key.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use selfmx_domain::{Rate, RateLimit};

use crate::rates::{Table, gcra};

/// 131,072 networks at most, 4 MiB.
const SHELVES: u16 = 8_192;

/// Too many wrong keys came from one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many failed authentications from this address")]
pub struct TooManyFailures {
    /// How long to wait until one more counts as within the limit.
    pub retry_after: Duration,
}

/// The failed authentications of the last minute, by where they came from: an IPv4 address, or an IPv6 network of 64 bits, which is what one customer has.
///
/// Only failures are counted, and only failures are refused: whoever presents a good key never comes here, so nobody can lock another out.
///
/// Who has many addresses gains little. A network is forgotten only once its failures are paid back, never for want of room: a network that finds no room
/// shares one count with all others that find none. So neither memory nor an old count can be overrun, and what is lost meanwhile is only that newcomers'
/// failures are told `too many` sooner.
#[derive(Debug)]
pub struct Failures {
    limit: RateLimit,
    counts: Mutex<Counts>,
}

#[derive(Debug)]
struct Counts {
    networks: Table<Network>,
    /// When what all those owe that found no room is paid back.
    crowd_whole_at: Option<Instant>,
}

/// Whose failures are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Network {
    V4([u8; 4]),
    V6([u8; 8]),
}

impl Failures {
    /// So many failures a minute from one address; 0: any number.
    #[must_use]
    pub fn new(per_minute: u32) -> Self {
        Self::with_shelves(per_minute, SHELVES)
    }

    /// One failure more from `client`.
    ///
    /// # Errors
    ///
    /// [`TooManyFailures`] where that is one too many.
    pub fn count(&self, client: IpAddr, now: Instant) -> Result<(), TooManyFailures> {
        let RateLimit::AtMost(rate) = self.limit else {
            return Ok(());
        };
        // Each change of the counts is whole, whoever panicked.
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.add(Network::of(client), rate, now).map_err(|retry_after| TooManyFailures { retry_after })
    }

    fn with_shelves(per_minute: u32, shelves: u16) -> Self {
        let limit = RateLimit::per_minute(per_minute);
        Self { limit, counts: Mutex::new(Counts { networks: Table::new(shelves), crowd_whole_at: None }) }
    }
}

impl Counts {
    fn add(&mut self, network: Network, rate: Rate, now: Instant) -> Result<(), Duration> {
        if self.networks.has_place(network, now) {
            let spent = gcra::spend(rate, self.networks.debt(network, now))?;
            self.networks.owe(network, spent.debt, now);
            return Ok(());
        }
        let debt = self.crowd_whole_at.map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
        self.crowd_whole_at = Some(now + gcra::spend(rate, debt)?.debt);
        Ok(())
    }
}

impl Network {
    fn of(client: IpAddr) -> Self {
        match client.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.octets()),
            IpAddr::V6(address) => {
                let [a, b, c, d, e, f, g, h, ..] = address.octets();
                Self::V6([a, b, c, d, e, f, g, h])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    /// How many of 1,000 failures from `client` at once are within the limit.
    fn within(failures: &Failures, client: &str, now: Instant) -> usize {
        let client = client.parse().unwrap();
        (0..1_000).filter(|_| failures.count(client, now).is_ok()).count()
    }

    #[test]
    fn so_many_a_minute_and_then_one_each_second() {
        let (failures, now) = (Failures::new(60), Instant::now());
        assert_eq!(within(&failures, "192.0.2.1", now), 60);
        assert_eq!(failures.count(Ipv4Addr::new(192, 0, 2, 1).into(), now), Err(TooManyFailures { retry_after: Duration::from_secs(1) }));
        assert_eq!(within(&failures, "192.0.2.1", now + Duration::from_secs(2)), 2);
        assert_eq!(within(&failures, "192.0.2.1", now + 2 * MINUTE), 60);
    }

    #[test]
    fn none_is_no_limit() {
        assert_eq!(within(&Failures::new(0), "192.0.2.1", Instant::now()), 1_000);
    }

    #[test]
    fn addresses_are_counted_apart_and_networks_of_ipv6_together() {
        let (failures, now) = (Failures::new(60), Instant::now());
        assert_eq!(within(&failures, "192.0.2.1", now), 60);
        assert_eq!(within(&failures, "192.0.2.2", now), 60);
        assert_eq!(within(&failures, "2001:db8::1", now), 60);
        assert_eq!(within(&failures, "2001:db8::ffff:ffff:ffff:ffff", now), 0);
        assert_eq!(within(&failures, "2001:db8:0:1::1", now), 60);
        // IPv4 in IPv6's clothes.
        assert_eq!(within(&failures, "::ffff:192.0.2.1", now), 0);
    }

    #[test]
    fn who_has_many_networks_resets_no_count() {
        let (failures, now) = (Failures::with_shelves(60, 4), Instant::now());
        assert_eq!(within(&failures, "192.0.2.1", now), 60);
        let newcomers = (0..65_536_u128).map(|subnet| Ipv6Addr::from_bits(0x2001_0db8 << 96 | subnet << 64).into());
        let counted = newcomers.filter(|client| failures.count(*client, now).is_ok()).count();
        // At most one for each of the other 63 places, and 60 for all who found none.
        assert!((60..=63 + 60).contains(&counted), "{counted}");
        assert_eq!(within(&failures, "192.0.2.1", now), 0);
        // Each newcomer has paid back after a second, and the crowd one of its sixty.
        assert!(failures.count(Ipv4Addr::new(198, 51, 100, 1).into(), now + Duration::from_secs(1)).is_ok());
    }
}
