//! Which addresses may be dialled on somebody else's behalf.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What no tenant may make us dial, and no more of IPv4: "IANA IPv4 Special-Purpose Address Registry" (RFC 6890), multicast and the reserved rest.
const REFUSED_V4: [(Ipv4Addr, u8); 18] = [
    // This network (RFC 791 section 3.2): the system takes 0.0.0.0 for itself.
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    // Private (RFC 1918).
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    // Between a provider and its customers (RFC 6598).
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    // Loopback (RFC 1122 section 3.2.1.3).
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    // Link-local (RFC 3927), where clouds answer with credentials.
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    // Private (RFC 1918).
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    // Protocol assignments (RFC 6890 section 2.1).
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    // Documentation (RFC 5737).
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    // AS112 (RFC 7535), which many networks run for themselves.
    (Ipv4Addr::new(192, 31, 196, 0), 24),
    // The nearest multicast relay (RFC 7450).
    (Ipv4Addr::new(192, 52, 193, 0), 24),
    // Relays of 6to4, given up (RFC 7526).
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    // Private (RFC 1918).
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    // AS112 (RFC 7534).
    (Ipv4Addr::new(192, 175, 48, 0), 24),
    // Benchmarks (RFC 2544).
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    // Documentation (RFC 5737).
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    // Documentation (RFC 5737).
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    // Multicast (RFC 5771).
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    // Reserved (RFC 1112 section 4), and the limited broadcast (RFC 919 section 7).
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// Where all global unicast addresses of IPv6 are that IANA has given out ("Internet Protocol Version 6 Address Space"). Beyond it lie loopback
/// and the unspecified address, everything that stands for an IPv4 address (mapped, compatible, NAT64), discard (RFC 6666) and dummy (RFC 9780), segment routing's
/// 5f00::/16 (RFC 9602), unique local (RFC 4193), link-local, site-local (RFC 3879) and multicast (RFC 4291).
const GLOBAL_V6: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// What is refused within that: "IANA IPv6 Special-Purpose Address Registry" (RFC 6890).
const REFUSED_V6: [(Ipv6Addr, u8); 5] = [
    // Protocol assignments (RFC 2928): Teredo (RFC 4380), benchmarks (RFC 5180), ORCHID (RFC 4843, RFC 7343) AS112 (RFC 7535) and
    // others of which none takes what we send.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    // Documentation (RFC 3849).
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    // 6to4 (RFC 3056): an IPv4 address in another form.
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    // AS112 (RFC 7534).
    (Ipv6Addr::new(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0), 48),
    // Documentation (RFC 9637).
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// A public unicast address: one that may be dialled on somebody else's behalf, because it leads to nothing that only we can reach.
///
/// Refused is whatever the registries of special-purpose addresses name, what is not given out, and every IPv6 address that stands for an IPv4 one,
/// even a public one. It has to be asked of the very address that is dialled then: a name may resolve to another one the next time.
///
/// ```
/// use selfmx_domain::PublicAddress;
///
/// assert!(PublicAddress::of("9.9.9.9".parse()?).is_some());
/// assert!(PublicAddress::of("169.254.169.254".parse()?).is_none());
/// assert!(PublicAddress::of("::ffff:127.0.0.1".parse()?).is_none());
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicAddress(IpAddr);

impl PublicAddress {
    /// The address, where it is public.
    #[must_use]
    pub fn of(address: IpAddr) -> Option<Self> {
        let is_public = match address {
            IpAddr::V4(address) => !REFUSED_V4.iter().any(|range| holds_v4(*range, address)),
            IpAddr::V6(address) => holds_v6(GLOBAL_V6, address) && !REFUSED_V6.iter().any(|range| holds_v6(*range, address)),
        };
        is_public.then_some(Self(address))
    }

    /// The address itself.
    #[must_use]
    pub const fn ip(self) -> IpAddr {
        self.0
    }
}

/// Which addresses may be connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Any: the operator says where to.
    Anywhere,
    /// Public ones only, as [`PublicAddress`] has it: somebody else says where to, and what only this machine can reach is not theirs.
    PublicOnly,
}

impl Reach {
    /// Whether this very address may be connected to.
    #[must_use]
    pub fn admits(self, address: IpAddr) -> bool {
        self == Self::Anywhere || PublicAddress::of(address).is_some()
    }
}

fn holds_v4((network, length): (Ipv4Addr, u8), address: Ipv4Addr) -> bool {
    (network.to_bits() ^ address.to_bits()).leading_zeros() >= u32::from(length)
}

fn holds_v6((network, length): (Ipv6Addr, u8), address: Ipv6Addr) -> bool {
    (network.to_bits() ^ address.to_bits()).leading_zeros() >= u32::from(length)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// First and last address of what is refused, and whether the address before it and the one after it are public.
    const REFUSED: [(&str, &str, bool, bool); 48] = [
        ("0.0.0.0", "0.255.255.255", false, true),
        ("10.0.0.0", "10.255.255.255", true, true),
        ("100.64.0.0", "100.127.255.255", true, true),
        ("127.0.0.0", "127.255.255.255", true, true),
        ("169.254.0.0", "169.254.255.255", true, true),
        ("172.16.0.0", "172.31.255.255", true, true),
        ("192.0.0.0", "192.0.0.255", true, true),
        ("192.0.2.0", "192.0.2.255", true, true),
        ("192.31.196.0", "192.31.196.255", true, true),
        ("192.52.193.0", "192.52.193.255", true, true),
        ("192.88.99.0", "192.88.99.255", true, true),
        ("192.168.0.0", "192.168.255.255", true, true),
        ("192.175.48.0", "192.175.48.255", true, true),
        ("198.18.0.0", "198.19.255.255", true, true),
        ("198.51.100.0", "198.51.100.255", true, true),
        ("203.0.113.0", "203.0.113.255", true, true),
        ("224.0.0.0", "239.255.255.255", true, false),
        ("240.0.0.0", "255.255.255.254", false, false),
        ("255.255.255.255", "255.255.255.255", false, false),
        ("192.0.0.170", "192.0.0.171", false, false),
        // Unspecified and loopback, then IPv4-compatible and mapped addresses.
        ("::", "::1", false, false),
        ("::", "::ffff:ffff", false, false),
        ("::ffff:0.0.0.0", "::ffff:255.255.255.255", false, false),
        ("::ffff:0:0:0", "::ffff:0:ffff:ffff", false, false),
        ("64:ff9b::", "64:ff9b::ffff:ffff", false, false),
        ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", false, false),
        ("100::", "100::ffff:ffff:ffff:ffff", false, false),
        ("100:0:0:1::", "100:0:0:1:ffff:ffff:ffff:ffff", false, false),
        // All that lies below what is given out.
        ("::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false, true),
        // Teredo, benchmarks, ORCHID twice, and all that lies around them.
        ("2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff", true, false),
        // What the registry names within the protocol assignments: anycast of PCP and TURN, AMT, AS112, drone ids.
        ("2001:1::1", "2001:1::3", false, false),
        ("2001:3::", "2001:3:ffff:ffff:ffff:ffff:ffff:ffff", false, false),
        ("2001:4:112::", "2001:4:112:ffff:ffff:ffff:ffff:ffff", false, false),
        ("2001:30::", "2001:3f:ffff:ffff:ffff:ffff:ffff:ffff", false, false),
        ("2001:2::", "2001:2:0:ffff:ffff:ffff:ffff:ffff", false, false),
        ("2001:10::", "2001:1f:ffff:ffff:ffff:ffff:ffff:ffff", false, false),
        ("2001:20::", "2001:2f:ffff:ffff:ffff:ffff:ffff:ffff", false, false),
        ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", true, true),
        ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", true, true),
        ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true, true),
        ("2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff", true, true),
        ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", true, true),
        // All that lies above what is given out.
        ("4000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true, false),
        ("5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false, false),
        ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false, false),
        ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false, false),
        ("fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false, false),
        ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false, false),
    ];

    fn parsed(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn is_public(address: IpAddr) -> bool {
        PublicAddress::of(address).is_some()
    }

    /// The address that lies `step` away, or this one at the end of all.
    fn neighbour(address: IpAddr, step: i8) -> IpAddr {
        match address {
            IpAddr::V4(address) => Ipv4Addr::from_bits(address.to_bits().saturating_add_signed(step.into())).into(),
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits().saturating_add_signed(step.into())).into(),
        }
    }

    #[test]
    fn a_range_is_refused_from_its_first_to_its_last_address_and_no_further() {
        for (first, last, before, after) in REFUSED {
            let (first, last) = (parsed(first), parsed(last));
            assert!(!is_public(first) && !is_public(last), "{first} to {last}");
            assert_eq!(is_public(neighbour(first, -1)), before, "before {first}");
            assert_eq!(is_public(neighbour(last, 1)), after, "after {last}");
        }
    }

    #[test]
    fn what_anybody_can_reach_is_public() {
        for text in ["1.1.1.1", "9.9.9.9", "193.0.6.139", "2001:4860:4860::8888", "2606:4700::6810:84e5", "2a00::1", "3ffe::1"] {
            let address = parsed(text);
            assert_eq!(PublicAddress::of(address).map(PublicAddress::ip), Some(address));
        }
    }

    /// The same question put to the written form, digit by digit.
    fn naive(address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => match address.octets() {
                [0 | 10 | 127 | 224..=255, ..] | [169, 254, ..] | [192, 168, ..] => false,
                [100, second, ..] => second / 64 != 1,
                [172, second, ..] => second / 16 != 1,
                [198, 18 | 19, ..] | [192, 0, 0 | 2, _] | [192, 88, 99, _] | [198, 51, 100, _] | [203, 0, 113, _] => false,
                [192, 31, 196, _] | [192, 52, 193, _] | [192, 175, 48, _] => false,
                _ => true,
            },
            IpAddr::V6(address) => {
                let text: String = address.segments().iter().map(|segment| format!("{segment:04x}")).collect();
                let refused = ["20010db8", "2002", "3fff0", "2620004f8000"].iter().any(|prefix| text.starts_with(prefix));
                let assignments = text.starts_with("20010") && (text[5..].starts_with('0') || text[5..].starts_with('1'));
                (text.starts_with('2') || text.starts_with('3')) && !refused && !assignments
            }
        }
    }

    /// Any address, and many at the edges of what is refused.
    fn addresses() -> impl Strategy<Value = IpAddr> {
        let near = (0..REFUSED.len(), any::<bool>(), -2_i8..=2).prop_map(|(index, at_first, step)| {
            let (first, last, ..) = REFUSED[index];
            neighbour(parsed(if at_first { first } else { last }), step)
        });
        let within = (0..REFUSED.len(), any::<u128>()).prop_map(|(index, bits)| match parsed(REFUSED[index].0) {
            IpAddr::V4(first) => Ipv4Addr::from_bits(first.to_bits() ^ (bits as u32 >> (bits >> 123))).into(),
            IpAddr::V6(first) => Ipv6Addr::from_bits(first.to_bits() ^ (bits >> (bits >> 121))).into(),
        });
        prop_oneof![any::<IpAddr>(), near, within]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn it_decides_as_a_naive_reading_does(address in addresses()) {
            prop_assert_eq!(is_public(address), naive(address), "{}", address);
        }
    }
}
