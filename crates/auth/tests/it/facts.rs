//! The model: what a key can do as a plain set of facts, over a universe so small that all of it can be listed. One key can do no more than another
//! where its facts are a subset of the other's. It is written to be obvious, and shares no code with the crate.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::LazyLock;

use selfmx_auth::{Authority, Network};
use selfmx_domain::{Mode, RateLimit};
use time::{Duration, OffsetDateTime};

use crate::any::NOW;

/// One thing that a key can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fact {
    /// It holds this permission; `later` stands for all that are added later.
    Holds(&'static str),
    /// It counts as a key of this tenant, or as a `platform` key.
    CountsAs(&'static str),
    /// Its mail reaches a relay.
    Relays,
    /// It is recognised so many minutes from now.
    LivesAt(i64),
    /// It can be used from there.
    From(IpAddr),
    /// Its mail can come from there.
    As(&'static str),
    /// It can send by this template; by `none` as well.
    By(&'static str),
    /// It gets whatever rate its tenant or the server says, later too.
    Follows,
    /// It can make so many requests within so many seconds.
    Requests { within: u64, count: u64 },
}

pub(crate) type Facts = BTreeSet<Fact>;

pub(crate) const PERMISSIONS: [&str; 10] = [
    "send",
    "templates:read",
    "templates:write",
    "webhooks:read",
    "webhooks:write",
    "api-keys:read",
    "api-keys:write",
    "logs:read",
    "suppressions:read",
    "suppressions:write",
];
pub(crate) const TENANTS: [&str; 4] =
    ["platform", "tenant_default", "tenant_01h455vb4pex5vsknk084sn02q", "tenant_01h455vb4pex5vsknk084sn03q"];
/// Minutes at which keys expire, or do not yet.
pub(crate) const MINUTES: [i64; 6] = [0, 1, 2, 3, 4, 1_000_000];
pub(crate) const ADDRESSES: [&str; 14] = [
    "10.0.0.0",
    "10.0.0.1",
    "10.0.0.2",
    "10.0.0.3",
    "10.0.0.4",
    "10.0.0.5",
    "10.0.0.6",
    "10.0.0.7",
    "2001:db8::",
    "2001:db8::1",
    "2001:db8::2",
    "2001:db8::3",
    "203.0.113.9",
    "2001:db9::1",
];
/// `z@` is never listed: only a whole domain allows it.
pub(crate) const SENDERS: [&str; 7] =
    ["a@x.example", "b@x.example", "z@x.example", "a@y.example", "z@y.example", "z@sub.x.example", "z@x.example.y.example"];
/// The last one is never listed.
pub(crate) const TEMPLATES: [&str; 4] = [
    "tmpl_01h455vb4pex5vsknk084sn021",
    "tmpl_01h455vb4pex5vsknk084sn022",
    "tmpl_01h455vb4pex5vsknk084sn023",
    "tmpl_01h455vb4pex5vsknk084sn024",
];
/// Requests in seconds.
pub(crate) const RATES: [(u32, u32); 7] = [(1, 1), (2, 1), (2, 60), (10, 60), (100, 60), (200, 60), (600, 3600)];
/// At once, and in the long run.
const WITHIN: [u64; 2] = [0, 1_000_000_000];

/// All that a key with this authority can do; `usual` is the rate that counts where it says none.
pub(crate) fn facts(authority: &Authority, usual: RateLimit) -> Facts {
    let mut facts = Facts::new();
    let held: Vec<&str> = authority.permissions.iter().map(|permission| permission.as_str()).collect();
    let everything = held.contains(&"*");
    for permission in PERMISSIONS.into_iter().chain(["later"]) {
        if everything || held.contains(&permission) {
            facts.insert(Fact::Holds(permission));
        }
    }
    let own = authority.tenant.map_or("platform".to_owned(), |tenant| tenant.to_string());
    let operator = everything && own == "platform";
    facts.extend(TENANTS.into_iter().filter(|tenant| operator || *tenant == own).map(Fact::CountsAs));
    if authority.mode == Mode::Live {
        facts.insert(Fact::Relays);
    }
    facts.extend(MINUTES.into_iter().filter(|minute| lives_at(authority, NOW + Duration::minutes(*minute))).map(Fact::LivesAt));
    facts.extend(addresses().iter().copied().filter(|address| may_come_from(authority, *address)).map(Fact::From));
    facts.extend(SENDERS.into_iter().filter(|sender| may_send_as(authority, sender)).map(Fact::As));
    facts.extend(TEMPLATES.into_iter().chain(["none"]).filter(|template| may_send_by(authority, template)).map(Fact::By));
    if authority.rate_limit.is_none() {
        facts.insert(Fact::Follows);
    }
    let rate = match authority.rate_limit {
        None if operator => RateLimit::Unlimited,
        rate => rate.unwrap_or(usual),
    };
    facts.extend(requests(rate));
    facts
}

/// All that a rate allows: each number of requests that some rate reaches exactly.
pub(crate) fn requests(limit: RateLimit) -> Facts {
    let most = |limit: RateLimit, within: u64| match limit {
        RateLimit::Unlimited => u64::MAX,
        RateLimit::AtMost(rate) => {
            let (requests, seconds) = (u64::from(rate.requests().get()), u64::from(rate.seconds().get()));
            requests + within * requests / seconds
        }
    };
    let mut facts = Facts::new();
    for within in WITHIN {
        let counts = crate::any::limits().into_iter().map(|other| most(other, within));
        facts.extend(counts.filter(|count| *count <= most(limit, within)).map(|count| Fact::Requests { within, count }));
    }
    facts
}

pub(crate) fn addresses() -> &'static [IpAddr] {
    static PARSED: LazyLock<Vec<IpAddr>> = LazyLock::new(|| ADDRESSES.iter().map(|text| text.parse().unwrap()).collect());
    &PARSED
}

pub(crate) fn lives_at(authority: &Authority, moment: OffsetDateTime) -> bool {
    match authority.expires_at {
        None => true,
        Some(end) => moment.unix_timestamp_nanos() < end.unix_timestamp_nanos(),
    }
}

pub(crate) fn may_come_from(authority: &Authority, address: IpAddr) -> bool {
    let Some(networks) = authority.allowed_ips.listed() else { return true };
    networks.iter().any(|network| holds(network, address))
}

/// Whether the first bits are the same, from the network's text.
fn holds(network: &Network, address: IpAddr) -> bool {
    let text = network.to_string();
    let (first, bits) = text.split_once('/').unwrap();
    let bits: u32 = bits.parse().unwrap();
    match (first.parse().unwrap(), address) {
        (IpAddr::V4(first), IpAddr::V4(own)) => bits == 0 || first.to_bits() >> (32 - bits) == own.to_bits() >> (32 - bits),
        (IpAddr::V6(first), IpAddr::V6(own)) => bits == 0 || first.to_bits() >> (128 - bits) == own.to_bits() >> (128 - bits),
        _ => false,
    }
}

pub(crate) fn may_send_as(authority: &Authority, sender: &str) -> bool {
    let Some(allowed) = authority.allowed_senders.listed() else { return true };
    allowed.iter().map(|allowed| allowed.to_string().to_lowercase()).any(|allowed| match allowed.strip_prefix('@') {
        Some(domain) => sender.rsplit('@').next() == Some(domain),
        None => sender == allowed,
    })
}

/// `none` is mail without a template.
pub(crate) fn may_send_by(authority: &Authority, template: &str) -> bool {
    let Some(allowed) = authority.allowed_templates.listed() else { return true };
    allowed.iter().any(|allowed| allowed.to_string() == template)
}
