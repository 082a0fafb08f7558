//! Who may reach public addresses only comes to none on this machine, however it is spelled.

use selfmx_domain::Verdict;
use selfmx_mail::{Credentials, Reach, Relay, RelayError, RelaySettings};
use selfmx_testing::Sink;

use crate::support::{kinds, plain_message, settings, to};

/// What the system takes for this machine without being an IP address in its usual form.
const SPELLINGS: [&str; 9] = ["localhost", "LOCALHOST", "127.1", "127.0.1", "0x7f.1", "0x7f000001", "0177.0.0.1", "2130706433", "0"];

/// The same as addresses: refused before anything is tried.
const LITERALS: [&str; 5] = ["127.0.0.1", "127.255.255.254", "0.0.0.0", "::1", "::ffff:127.0.0.1"];

fn at(host: &str, reach: Reach, sink: &Sink) -> RelaySettings {
    RelaySettings { host: host.to_owned(), reach, ..settings(sink.address()) }
}

#[tokio::test]
async fn no_spelling_of_this_machine_is_connected_to() {
    let (sink, message) = (Sink::well_behaved().await, plain_message());
    for host in SPELLINGS {
        let relay = Relay::new(at(host, Reach::PublicOnly, &sink)).unwrap();
        assert!(matches!(relay.probe().await, Err(RelayError::NoPublicAddress)), "{host}");
        let verdicts = relay.deliver(&to(&["a"]), &message).await;
        // Tried again later, as whatever cannot be reached: a name may lead elsewhere by then.
        assert_eq!(kinds(&verdicts), ["broken off"], "{host}");
        let Verdict::Deferred(deferral) = &verdicts[0] else { panic!("{verdicts:?}") };
        assert!(format!("{deferral:?}").contains("only public addresses"), "{deferral:?}");
    }
    for host in LITERALS {
        assert!(matches!(Relay::new(at(host, Reach::PublicOnly, &sink)), Err(RelayError::NoPublicAddress)), "{host}");
    }
    // In brackets it is neither an address nor a name.
    let bracketed = Relay::new(at("[::ffff:127.0.0.1]", Reach::PublicOnly, &sink)).unwrap();
    assert!(bracketed.probe().await.is_err());
    assert_eq!(sink.ledger().connections(), 0);
}

#[tokio::test]
async fn whoever_may_reach_any_address_comes_to_this_machine_by_each_of_them() {
    let sink = Sink::well_behaved().await;
    // All of loopback leads here, but the sink listens at one address of it alone, and not by IPv6.
    let here = |host: &&str| !["127.255.255.254", "::1"].contains(host);
    let hosts: Vec<_> = SPELLINGS.into_iter().chain(LITERALS).filter(here).collect();
    for host in &hosts {
        Relay::new(at(host, Reach::Anywhere, &sink)).unwrap().probe().await.unwrap();
    }
    assert_eq!(sink.ledger().connections(), hosts.len());
}

#[tokio::test]
async fn credentials_in_clear_go_to_the_operator_s_own_machine_alone() {
    let sink = Sink::well_behaved().await;
    let with_credentials = |reach| RelaySettings { credentials: Some(Credentials::new("u", "p")), ..at("localhost", reach, &sink) };
    assert!(Relay::new(with_credentials(Reach::Anywhere)).is_ok());
    assert!(matches!(Relay::new(with_credentials(Reach::PublicOnly)), Err(RelayError::ClearCredentials)));
}
