//! Lists that confine a key: where it may be used from, and as whom and by which templates it may send.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net};
use selfmx_domain::{Address, Domain, Problem, TemplateId};

/// Everything, or only what one of a list's members covers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Allowed<T> {
    /// Everything.
    #[default]
    Any,
    /// What one of these covers; nothing where there are none.
    Only(Vec<T>),
}

impl<T> Allowed<T> {
    /// The list, where there is one.
    #[must_use]
    pub fn listed(&self) -> Option<&[T]> {
        match self {
            Self::Any => None,
            Self::Only(members) => Some(members),
        }
    }
}

impl<T> From<Option<Vec<T>>> for Allowed<T> {
    fn from(listed: Option<Vec<T>>) -> Self {
        listed.map_or(Self::Any, Self::Only)
    }
}

impl<T> Allowed<T> {
    /// Whether `value` is allowed.
    #[must_use]
    pub fn allows<V>(&self, value: &V) -> bool
    where
        T: Covers<V>,
    {
        self.listed().is_none_or(|members| members.iter().any(|member| member.covers(value)))
    }

    /// Whether all that `other` allows is allowed here: each of its members is covered by one of ours.
    #[must_use]
    pub fn includes(&self, other: &Self) -> bool
    where
        T: Covers<T>,
    {
        match (self, other) {
            (Self::Any, _) => true,
            (Self::Only(_), Self::Any) => false,
            (Self::Only(_), Self::Only(others)) => others.iter().all(|member| self.allows(member)),
        }
    }
}

/// What a member of an [`Allowed`] list covers.
pub trait Covers<V> {
    /// Whether `value` is covered.
    fn covers(&self, value: &V) -> bool;
}

/// One IP address or a range of them in CIDR notation (RFC 4632, RFC 4291 section 2.3).
///
/// An IPv4 address in IPv6 form (`::ffff:192.0.2.1`) is the IPv4 address. A range is written from its first address: `10.0.0.0/8`, not `10.1.2.3/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network(IpNet);

impl Network {
    /// Whether `address` is in it. An IPv4 address in IPv6 form is the IPv4 address.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl FromStr for Network {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let network = match text.parse::<IpAddr>() {
            Ok(address) => IpNet::from(address),
            Err(_) => text.parse::<IpNet>().or(Err(Problem::NotANetwork))?,
        };
        let network = canonical(network);
        if network.trunc() != network {
            return Err(Problem::HostBits(network.trunc().to_string()));
        }
        Ok(Self(network))
    }
}

/// An IPv4 range in its own form where it is written in IPv6's.
fn canonical(network: IpNet) -> IpNet {
    const MAPPED_BITS: u8 = 96;
    let IpNet::V6(six) = network else { return network };
    let four = six.addr().to_ipv4_mapped().zip(six.prefix_len().checked_sub(MAPPED_BITS));
    four.and_then(|(address, bits)| Ipv4Net::new(address, bits).ok()).map_or(network, IpNet::V4)
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Covers<IpAddr> for Network {
    fn covers(&self, address: &IpAddr) -> bool {
        self.contains(*address)
    }
}

impl Covers<Self> for Network {
    fn covers(&self, other: &Self) -> bool {
        self.0.contains(&other.0)
    }
}

/// Whom mail may come from: one address, or every address at a domain (not at those below it).
///
/// ```
/// use selfmx_auth::{Covers, Sender};
/// use selfmx_domain::Address;
///
/// let sender: Sender = "@bücher.example".parse()?;
/// assert_eq!(sender.to_string(), "@xn--bcher-kva.example");
/// assert!(sender.covers(&"shop@BÜCHER.example".parse::<Address>()?));
/// # Ok::<(), selfmx_domain::Problem>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Sender {
    /// This address. Its local part is compared without regard to the case of ASCII letters, as mailboxes in use are.
    Address(Address),
    /// Every address at this domain.
    Domain(Domain),
}

impl FromStr for Sender {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let sender = match text.strip_prefix('@') {
            Some(domain) => domain.parse().map(Self::Domain),
            None => text.parse().map(Self::Address),
        };
        sender.or(Err(Problem::NotASender))
    }
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{address}"),
            Self::Domain(domain) => write!(f, "@{domain}"),
        }
    }
}

impl Covers<Address> for Sender {
    fn covers(&self, address: &Address) -> bool {
        match self {
            Self::Address(own) => own.domain() == address.domain() && own.local().eq_ignore_ascii_case(address.local()),
            Self::Domain(domain) => domain == address.domain(),
        }
    }
}

impl Covers<Self> for Sender {
    fn covers(&self, other: &Self) -> bool {
        match other {
            Self::Address(address) => self.covers(address),
            Self::Domain(domain) => matches!(self, Self::Domain(own) if own == domain),
        }
    }
}

impl Covers<Self> for TemplateId {
    fn covers(&self, other: &Self) -> bool {
        self == other
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn networks(texts: &[&str]) -> Allowed<Network> {
        Allowed::Only(texts.iter().map(|text| text.parse().unwrap()).collect())
    }

    fn senders(texts: &[&str]) -> Allowed<Sender> {
        Allowed::Only(texts.iter().map(|text| text.parse().unwrap()).collect())
    }

    #[test]
    fn an_address_is_allowed_by_itself_or_by_its_range() {
        let allowed = networks(&["192.0.2.7", "10.0.0.0/8", "2001:db8::/32", "::ffff:198.51.100.0/120"]);
        let allows = |text: &str| allowed.allows(&text.parse::<IpAddr>().unwrap());
        for text in ["192.0.2.7", "::ffff:192.0.2.7", "10.255.255.255", "2001:db8::1", "198.51.100.9", "::ffff:198.51.100.9"] {
            assert!(allows(text), "{text}");
        }
        for text in ["192.0.2.8", "11.0.0.0", "2001:db9::", "198.51.101.0", "::192.0.2.7", "::"] {
            assert!(!allows(text), "{text}");
        }
        assert!(Allowed::<Network>::Any.allows(&"203.0.113.1".parse::<IpAddr>().unwrap()));
        assert!(!networks(&[]).allows(&"203.0.113.1".parse::<IpAddr>().unwrap()));
        // All of IPv6 is not all of IPv4.
        assert!(!networks(&["::/0"]).allows(&"192.0.2.7".parse::<IpAddr>().unwrap()));
    }

    #[test]
    fn a_range_is_written_from_its_first_address() {
        assert_eq!("10.1.2.3/8".parse::<Network>(), Err(Problem::HostBits("10.0.0.0/8".to_owned())));
        assert_eq!("::ffff:10.1.2.3/104".parse::<Network>(), Err(Problem::HostBits("10.0.0.0/8".to_owned())));
        for (text, written) in [
            ("192.0.2.7", "192.0.2.7/32"),
            ("2001:DB8::/32", "2001:db8::/32"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("0.0.0.0/0", "0.0.0.0/0"),
        ] {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), written);
        }
        for text in ["", "10.0.0.0/33", "10.0.0/8", "example", "10.0.0.0/8 ", "2001:db8::/129", "0x7f.1", "127.1"] {
            assert_eq!(text.parse::<Network>(), Err(Problem::NotANetwork), "{text}");
        }
    }

    #[test]
    fn a_sender_is_an_address_or_a_whole_domain_but_none_below_it() {
        let allowed = senders(&["Shop@a.example", "@bücher.example"]);
        let allows = |text: &str| allowed.allows(&text.parse::<Address>().unwrap());
        for text in ["shop@a.example", "SHOP@A.EXAMPLE", "anybody@bücher.example", "x@xn--bcher-kva.example"] {
            assert!(allows(text), "{text}");
        }
        for text in ["other@a.example", "x@mail.bücher.example", "shop@a.example.b.example", "x@example", "shop@b.example"] {
            assert!(!allows(text), "{text}");
        }
        for text in ["", "@", "a", "a@", "@a..example", "*@a.example@", "Name <a@b.example>", "@a@b.example"] {
            assert_eq!(text.parse::<Sender>(), Err(Problem::NotASender), "{text}");
        }
    }

    #[test]
    fn a_list_includes_another_where_each_member_is_covered() {
        assert!(networks(&["10.0.0.0/8"]).includes(&networks(&["10.1.0.0/16", "10.2.3.4"])));
        assert!(!networks(&["10.0.0.0/8"]).includes(&networks(&["10.1.0.0/16", "11.2.3.4"])));
        assert!(!networks(&["10.1.0.0/16"]).includes(&networks(&["10.0.0.0/8"])));
        assert!(senders(&["@a.example"]).includes(&senders(&["x@a.example", "@a.example"])));
        assert!(!senders(&["x@a.example"]).includes(&senders(&["@a.example"])));
        assert!(senders(&["x@a.example"]).includes(&senders(&["X@a.example"])));
        let (one, two): (TemplateId, TemplateId) =
            ("tmpl_01h455vb4pex5vsknk084sn02q".parse().unwrap(), "tmpl_01h455vb4pex5vsknk084sn03q".parse().unwrap());
        assert!(
            Allowed::Only(vec![one, two]).includes(&Allowed::Only(vec![two]))
                && !Allowed::Only(vec![one]).includes(&Allowed::Only(vec![two]))
        );
        assert!(Allowed::Any.includes(&networks(&["10.0.0.0/8"])) && Allowed::<Network>::Any.includes(&Allowed::Any));
        assert!(!networks(&["0.0.0.0/0", "::/0"]).includes(&Allowed::Any));
        assert!(networks(&["10.0.0.0/8"]).includes(&networks(&[])) && !networks(&[]).includes(&networks(&["10.0.0.0/8"])));
    }

    proptest! {
        /// What a list includes allows nothing that the list does not.
        #[test]
        fn what_is_included_allows_no_more(
            ours in proptest::collection::vec((0_u32..64, 26_u8..=32), 0..4), theirs in proptest::collection::vec((0_u32..64, 26_u8..=32), 0..4),
        ) {
            let list = |pairs: &[(u32, u8)]| {
                let network = |(low, bits): &(u32, u8)| IpNet::from(Ipv4Net::new((0x0a00_0000 + low).into(), *bits).unwrap()).trunc();
                Allowed::Only(pairs.iter().map(|pair| Network(network(pair))).collect())
            };
            let (ours, theirs) = (list(&ours), list(&theirs));
            let allowed = |list: &Allowed<Network>| -> Vec<u32> { (0..64).filter(|low| list.allows(&IpAddr::V4((0x0a00_0000 + low).into()))).collect() };
            if ours.includes(&theirs) {
                let own = allowed(&ours);
                prop_assert!(allowed(&theirs).iter().all(|low| own.contains(low)));
            }
        }
    }
}
