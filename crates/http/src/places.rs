//! How many connections there may be, in all and from one address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// The places that there are for connections.
#[derive(Debug)]
pub(crate) struct Places {
    taken: Mutex<Taken>,
    limit: usize,
    limit_per_address: usize,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// Why a connection gets no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// There are too many.
    All,
    /// There are too many from this address.
    Address,
}

/// A place that is taken, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    address: Option<IpAddr>,
}

impl Places {
    /// So many places in all, and so many for one address.
    pub(crate) fn new(limit: usize, limit_per_address: usize) -> Arc<Self> {
        Arc::new(Self { taken: Mutex::default(), limit, limit_per_address })
    }

    /// Takes a place for a connection from `address`; `None` for one that counts in all only.
    pub(crate) fn take(self: &Arc<Self>, address: Option<IpAddr>) -> Result<Place, Full> {
        let address = address.map(network);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.all >= self.limit {
            return Err(Full::All);
        }
        if let Some(address) = address {
            let count = taken.by_address.entry(address).or_default();
            if *count >= self.limit_per_address {
                return Err(Full::Address);
            }
            *count += 1;
        }
        taken.all += 1;
        Ok(Place { places: Arc::clone(self), address })
    }

    fn give_back(&self, address: Option<IpAddr>) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all = taken.all.saturating_sub(1);
        let Some(address) = address else { return };
        let Some(count) = taken.by_address.get_mut(&address) else { return };
        *count = count.saturating_sub(1);
        if *count == 0 {
            taken.by_address.remove(&address);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.give_back(self.address);
    }
}

/// What counts as one address: of IPv6 the /64, all of which one subscriber has.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn places_are_bounded_in_all_and_per_address_and_given_back() {
        let places = Places::new(3, 2);
        let first = places.take(address("192.0.2.1")).unwrap();
        let _second = places.take(address("192.0.2.1")).unwrap();
        assert_eq!(places.take(address("192.0.2.1")).unwrap_err(), Full::Address);
        let third = places.take(address("192.0.2.2")).unwrap();
        assert_eq!(places.take(address("192.0.2.3")).unwrap_err(), Full::All);
        assert_eq!(places.take(None).unwrap_err(), Full::All);
        drop((first, third));
        assert!(places.take(address("192.0.2.1")).is_ok());
        assert!(!places.taken.lock().unwrap().by_address.contains_key(&address("192.0.2.2").unwrap()));
    }

    #[test]
    fn a_proxy_s_connections_count_in_all_only() {
        let places = Places::new(10, 1);
        let _proxied: Vec<_> = (0..10).map(|_| places.take(None).unwrap()).collect();
        assert_eq!(places.take(None).unwrap_err(), Full::All);
    }

    #[test]
    fn one_subscriber_s_ipv6_addresses_are_one() {
        let places = Places::new(10, 1);
        let _first = places.take(address("2001:db8::1")).unwrap();
        assert_eq!(places.take(address("2001:db8::ffff:1")).unwrap_err(), Full::Address);
        assert!(places.take(address("2001:db8:0:1::1")).is_ok());
    }
}
