//! The words of which random keys are made, and what plainly follows from each.

use std::sync::LazyLock;

use selfmx_auth::Permission;

/// One member of a list: as a request says it, as an answer shows it, and which of the sampled things it covers.
pub(super) struct Word {
    pub(super) said: &'static str,
    pub(super) shown: &'static str,
    pub(super) covers: &'static [&'static str],
}

const fn word(said: &'static str, shown: &'static str, covers: &'static [&'static str]) -> Word {
    Word { said, shown, covers }
}

/// What a word covers is written down here by hand, by samples. Each word has a sample that no word within it has.
pub(super) const NETWORKS: &[Word] = &[
    word("10.0.0.0/8", "10.0.0.0/8", &["10.1.2.3", "10.1.2.4", "10.1.9.9", "10.2.0.1", "10.200.0.1"]),
    word("10.0.0.0/9", "10.0.0.0/9", &["10.1.2.3", "10.1.2.4", "10.1.9.9", "10.2.0.1"]),
    word("10.128.0.0/9", "10.128.0.0/9", &["10.200.0.1"]),
    word("10.1.0.0/16", "10.1.0.0/16", &["10.1.2.3", "10.1.2.4", "10.1.9.9"]),
    word("10.1.2.3", "10.1.2.3/32", &["10.1.2.3"]),
    word("::ffff:10.1.2.4", "10.1.2.4/32", &["10.1.2.4"]),
    word("192.0.2.0/24", "192.0.2.0/24", &["192.0.2.7", "192.0.2.8"]),
    word("192.0.2.7/32", "192.0.2.7/32", &["192.0.2.7"]),
    word("2001:db8::/32", "2001:db8::/32", &["2001:db8::1", "2001:db8::2"]),
    word("2001:DB8::1", "2001:db8::1/128", &["2001:db8::1"]),
    word(
        "0.0.0.0/0",
        "0.0.0.0/0",
        &["10.1.2.3", "10.1.2.4", "10.1.9.9", "10.2.0.1", "10.200.0.1", "192.0.2.7", "192.0.2.8", "203.0.113.1"],
    ),
    word("::/0", "::/0", &["2001:db8::1", "2001:db8::2", "2001:db9::1"]),
];

/// Every sample of an address. IPv4's and IPv6's are all that there is: two words together cover everything.
pub(super) const ADDRESSES: &[&str] = &[
    "10.1.2.3",
    "10.1.2.4",
    "10.1.9.9",
    "10.2.0.1",
    "10.200.0.1",
    "192.0.2.7",
    "192.0.2.8",
    "203.0.113.1",
    "2001:db8::1",
    "2001:db8::2",
    "2001:db9::1",
];

pub(super) const SENDERS: &[Word] = &[
    word("a@one.example", "a@one.example", &["a@one.example"]),
    word("A@ONE.example", "A@one.example", &["a@one.example"]),
    word("b@one.example", "b@one.example", &["b@one.example"]),
    word("@one.example", "@one.example", &["a@one.example", "b@one.example", "z@one.example"]),
    word("c@two.example", "c@two.example", &["c@two.example"]),
    word("@Two.Example", "@two.example", &["c@two.example", "z@two.example"]),
    word("@mail.one.example", "@mail.one.example", &["x@mail.one.example"]),
    word("@bücher.example", "@xn--bcher-kva.example", &["x@xn--bcher-kva.example"]),
];

/// Every sample of a sender; the last is in no word.
pub(super) const FROM: &[&str] = &[
    "a@one.example",
    "b@one.example",
    "z@one.example",
    "c@two.example",
    "z@two.example",
    "x@mail.one.example",
    "x@xn--bcher-kva.example",
    "z@elsewhere.example",
];

pub(super) const TEMPLATES: &[Word] = &[
    word("tmpl_01h455vb4pex5vsknk084sn02q", "tmpl_01h455vb4pex5vsknk084sn02q", &["tmpl_01h455vb4pex5vsknk084sn02q"]),
    word("tmpl_01h455vb4pex5vsknk084sn03q", "tmpl_01h455vb4pex5vsknk084sn03q", &["tmpl_01h455vb4pex5vsknk084sn03q"]),
    word("tmpl_01h455vb4pex5vsknk084sn04q", "tmpl_01h455vb4pex5vsknk084sn04q", &["tmpl_01h455vb4pex5vsknk084sn04q"]),
];

/// What may be sent by; no list of templates covers the last two.
pub(super) const BY: &[&str] = &[
    "tmpl_01h455vb4pex5vsknk084sn02q",
    "tmpl_01h455vb4pex5vsknk084sn03q",
    "tmpl_01h455vb4pex5vsknk084sn04q",
    "another template",
    NO_TEMPLATE,
];
pub(super) const NO_TEMPLATE: &str = "no template";

/// All that there are: none that is added is left out.
pub(super) static PERMISSIONS: LazyLock<Vec<&str>> =
    LazyLock::new(|| Permission::ALL.iter().map(|permission| permission.as_str()).collect());

/// Rates that no walk uses up; 0 is none.
pub(super) const RATES: &[u64] = &[0, 1_000, 20_000, 50_000, 100_000];
/// The server's own, which the operator does not use up over all walks either.
pub(super) const USUAL_RATE: u64 = 20_000;

/// Ends that no walk lives to see.
pub(super) const ENDS: &[&str] = &["2035-01-01T00:00:00.000Z", "2040-01-01T00:00:00.000Z", "2045-01-01T00:00:00.000Z"];

/// What a shown member of a list covers.
pub(super) fn covered(words: &[Word], shown: &str) -> &'static [&'static str] {
    words.iter().find(|word| word.shown == shown).map(|word| word.covers).unwrap_or_else(|| panic!("nobody said {shown}"))
}
