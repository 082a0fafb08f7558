//! TLS and AUTH: what is refused, what is held, and what never leaves in clear.

use std::time::Duration;

use selfmx_mail::{Credentials, Relay, RelayError, RelaySettings, RelayStatus, Security, Verification};
use selfmx_testing::{Act, Certificate, Fault, Phase, Sink, SinkSettings, SinkTls};

use crate::support::{kinds, plain_message, settings, to};

const USER: &str = "mailer";
const PASS: &str = "swordfish";

/// A sink with STARTTLS and AUTH.
fn guarded(certificate: &Certificate) -> SinkSettings {
    SinkSettings {
        tls: SinkTls::StartTls(certificate.clone()),
        credentials: Some((USER.to_owned(), PASS.to_owned())),
        ..SinkSettings::default()
    }
}

/// Settings that trust the certificate and have the right credentials.
fn trusting(sink: &Sink, certificate: &Certificate) -> RelaySettings {
    RelaySettings {
        security: Security::StartTls,
        credentials: Some(Credentials::new(USER, PASS)),
        extra_roots: vec![certificate.pem().as_bytes().to_vec()],
        ..settings(sink.address())
    }
}

async fn deliver(settings: RelaySettings) -> (Relay, Vec<&'static str>) {
    let relay = Relay::new(settings).unwrap();
    let verdicts = kinds(&relay.deliver(&to(&["a"]), &plain_message()).await);
    (relay, verdicts)
}

#[tokio::test]
async fn mail_goes_out_within_tls_after_auth() {
    let certificate = Certificate::for_loopback();
    for (security, tls) in
        [(Security::StartTls, SinkTls::StartTls(certificate.clone())), (Security::ImplicitTls, SinkTls::Implicit(certificate.clone()))]
    {
        for mechanism in ["PLAIN", "LOGIN", "CRAM-MD5 LOGIN"] {
            let mechanisms = mechanism.split(' ').map(str::to_owned).collect();
            let sink = Sink::start(SinkSettings { tls: tls.clone(), mechanisms, ..guarded(&certificate) }).await;
            let (relay, verdicts) = deliver(RelaySettings { security, ..trusting(&sink, &certificate) }).await;
            assert_eq!(verdicts, ["delivered"], "{security:?}, {mechanism}");
            assert_eq!(relay.status(), RelayStatus::Ready);
            let transaction = sink.ledger().delivered().remove(0);
            assert_eq!((transaction.tls, transaction.user.as_deref()), (true, Some(USER)));
        }
    }
}

#[tokio::test]
async fn a_name_works_as_well_as_an_address() {
    let certificate = Certificate::for_names(&["localhost"]);
    let sink = Sink::start(guarded(&certificate)).await;
    let (_relay, verdicts) = deliver(RelaySettings { host: "localhost".to_owned(), ..trusting(&sink, &certificate) }).await;
    assert_eq!(verdicts, ["delivered"]);
}

#[tokio::test]
async fn capabilities_are_asked_again_within_tls() {
    let certificate = Certificate::for_loopback();
    let within = vec!["8BITMIME".to_owned()];
    let sink = Sink::start(SinkSettings { capabilities_within_tls: Some(within), ..guarded(&certificate) }).await;
    let (_relay, verdicts) = deliver(trusting(&sink, &certificate)).await;
    assert_eq!(verdicts, ["delivered"]);
    assert_eq!(sink.ledger().delivered()[0].parameters, "", "SIZE was offered in clear only");
}

#[tokio::test]
async fn what_is_injected_before_tls_ends_the_connection() {
    let certificate = Certificate::for_loopback();
    let injected = "250 2.0.0 injected\r\n";
    let sink = Sink::start(SinkSettings { injected: injected.to_owned(), ..guarded(&certificate) }).await;
    let (relay, verdicts) = deliver(trusting(&sink, &certificate)).await;
    assert_eq!(verdicts, ["broken off"]);
    assert!(matches!(relay.probe().await, Err(RelayError::Injected)));
    assert!(sink.ledger().commands().iter().all(|(_, command)| command != "AUTH" && !command.starts_with("MAIL")));
}

#[tokio::test]
async fn a_relay_without_starttls_gets_nothing() {
    let certificate = Certificate::for_loopback();
    let sink = Sink::start(SinkSettings { credentials: None, ..SinkSettings::default() }).await;
    let (relay, verdicts) = deliver(trusting(&sink, &certificate)).await;
    assert_eq!(verdicts, ["held"]);
    assert_eq!(relay.status(), RelayStatus::Held { reason: "the relay does not offer STARTTLS, which is required".to_owned() });
    assert_eq!(sink.ledger().commands().len(), 1, "EHLO and nothing else");
}

#[tokio::test]
async fn a_refused_starttls_is_tried_again_later_and_never_in_clear() {
    let certificate = Certificate::for_loopback();
    for (act, expected) in [
        (Act::Reply("454 4.7.0 TLS not available".to_owned()), "asked to come back"),
        (Act::Reply("554 5.7.0 no TLS".to_owned()), "broken off"),
        (Act::Reply("250 2.0.0 Ok".to_owned()), "broken off"),
        (Act::Close, "broken off"),
    ] {
        let sink = Sink::start(SinkSettings { faults: vec![Fault::new(Phase::StartTls, act.clone())], ..guarded(&certificate) }).await;
        let (_relay, verdicts) = deliver(trusting(&sink, &certificate)).await;
        assert_eq!(verdicts, [expected], "{act:?}");
        assert!(sink.ledger().commands().iter().all(|(_, command)| !command.starts_with("MAIL") && command != "AUTH"));
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_holds_the_relay() {
    let certificate = Certificate::for_loopback();
    let foreign = Certificate::for_names(&["mail.other.example"]);
    for (tls, security) in
        [(SinkTls::StartTls(foreign.clone()), Security::StartTls), (SinkTls::Implicit(foreign.clone()), Security::ImplicitTls)]
    {
        let sink = Sink::start(SinkSettings { tls, ..guarded(&foreign) }).await;
        let usual = RelaySettings { security, ..trusting(&sink, &certificate) };
        let (relay, verdicts) = deliver(usual.clone()).await;
        assert_eq!(verdicts, ["held"], "an unknown authority");
        assert!(matches!(relay.status(), RelayStatus::Held { reason } if reason.contains("not trusted")));
        let wrong_name = RelaySettings { extra_roots: vec![foreign.pem().as_bytes().to_vec()], ..usual.clone() };
        assert_eq!(deliver(wrong_name).await.1, ["held"], "another host's");
        assert_eq!(sink.ledger().delivered_count(), 0);
        let accepting = RelaySettings { verification: Verification::Accept, ..usual };
        assert_eq!(deliver(accepting).await.1, ["delivered"], "verification was turned off");
    }
}

#[tokio::test]
async fn verification_is_on_unless_it_is_turned_off() {
    let settings = RelaySettings::new("smtp.example", 587, "client.example".parse().unwrap());
    assert_eq!((settings.verification, settings.security), (Verification::Verify, Security::StartTls));
    assert_eq!(RelaySettings::new("smtp.example", 465, "client.example".parse().unwrap()).security, Security::ImplicitTls);
    let certificate = Certificate::for_loopback();
    let sink = Sink::start(guarded(&certificate)).await;
    let (_relay, verdicts) = deliver(RelaySettings { extra_roots: vec![], ..trusting(&sink, &certificate) }).await;
    assert_eq!(verdicts, ["held"]);
}

#[tokio::test]
async fn refused_credentials_hold_the_relay_which_is_then_left_alone() {
    let certificate = Certificate::for_loopback();
    let sink = Sink::start(guarded(&certificate)).await;
    let wrong = RelaySettings { credentials: Some(Credentials::new(USER, "guess")), ..trusting(&sink, &certificate) };
    let (relay, verdicts) = deliver(wrong).await;
    assert_eq!(verdicts, ["held"]);
    let reason = "the relay refused our credentials: 535 5.7.8 Error: authentication failed".to_owned();
    assert_eq!(relay.status(), RelayStatus::Held { reason });
    assert_eq!(kinds(&relay.deliver(&to(&["a", "b"]), &plain_message()).await), ["held"; 2]);
    assert_eq!(sink.ledger().connections(), 1, "it was left alone");
    assert!(!format!("{relay:?}").contains("guess"));
}

#[tokio::test]
async fn a_held_relay_is_tried_again_after_its_rest_and_by_a_probe_at_once() {
    let certificate = Certificate::for_loopback();
    let refuse_once = vec![Fault::reply(Phase::Auth, "535 5.7.8 not yet").on_first_connections(1)];
    let sink = Sink::start(SinkSettings { faults: refuse_once.clone(), ..guarded(&certificate) }).await;
    let (relay, verdicts) = deliver(RelaySettings { hold: Duration::ZERO, ..trusting(&sink, &certificate) }).await;
    assert_eq!(verdicts, ["held"]);
    assert_eq!(kinds(&relay.deliver(&to(&["a"]), &plain_message()).await), ["delivered"]);
    assert_eq!(relay.status(), RelayStatus::Ready);

    let sink = Sink::start(SinkSettings { faults: refuse_once, ..guarded(&certificate) }).await;
    let (relay, verdicts) = deliver(trusting(&sink, &certificate)).await;
    assert_eq!(verdicts, ["held"]);
    assert_eq!(relay.probe().await.unwrap().code(), 250);
    assert_eq!(kinds(&relay.deliver(&to(&["a"]), &plain_message()).await), ["delivered"]);
}

#[tokio::test]
async fn auth_that_fails_for_now_is_tried_again_and_auth_that_cannot_be_holds() {
    let certificate = Certificate::for_loopback();
    for (faults, mechanisms, expected) in [
        (vec![Fault::reply(Phase::Auth, "454 4.7.0 later")], vec!["PLAIN"], "asked to come back"),
        (vec![Fault::reply(Phase::Auth, "534 5.7.9 too weak")], vec!["PLAIN", "LOGIN"], "held"),
        (vec![Fault::reply(Phase::Auth, "538 5.7.11 encrypt")], vec!["LOGIN"], "held"),
        (vec![Fault::new(Phase::Auth, Act::Close)], vec!["PLAIN"], "broken off"),
        (vec![Fault::reply(Phase::Auth, "334 !!!")], vec!["LOGIN"], "broken off"),
        (vec![], vec!["CRAM-MD5"], "held"),
        (vec![], vec![], "held"),
    ] {
        let mechanisms: Vec<String> = mechanisms.into_iter().map(str::to_owned).collect();
        let sink = Sink::start(SinkSettings { faults: faults.clone(), mechanisms: mechanisms.clone(), ..guarded(&certificate) }).await;
        let impatient = RelaySettings { timeout: Duration::from_secs(5), ..trusting(&sink, &certificate) };
        assert_eq!(deliver(impatient).await.1, [expected], "{faults:?}, {mechanisms:?}");
        let asked = sink.ledger().commands().iter().any(|(_, command)| command == "AUTH");
        assert_eq!(asked, mechanisms.iter().any(|mechanism| mechanism != "CRAM-MD5"), "{mechanisms:?}");
    }
}

#[tokio::test]
async fn credentials_never_go_out_in_clear() {
    let relay = |host: &str| {
        let settings = RelaySettings::new(host, 25, "client.example".parse().unwrap());
        Relay::new(RelaySettings { security: Security::Plain, credentials: Some(Credentials::new(USER, PASS)), ..settings })
    };
    for host in ["smtp.example", "192.0.2.1", "localhost.example", "0.0.0.0"] {
        assert!(matches!(relay(host), Err(RelayError::ClearCredentials)), "{host}");
    }
    for host in ["localhost", "127.0.0.1", "::1"] {
        assert!(relay(host).is_ok(), "{host}");
    }
    assert!(!format!("{:?}", relay("localhost").unwrap()).contains(PASS));
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused_at_once() {
    let settings = RelaySettings::new("smtp.example", 587, "client.example".parse().unwrap());
    let refused = |settings: RelaySettings| Relay::new(settings).unwrap_err();
    assert!(matches!(refused(RelaySettings { host: "no host".to_owned(), ..settings.clone() }), RelayError::HostName));
    for root in [&b"no certificate"[..], b"", b"\x30\x00", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let given = RelaySettings { extra_roots: vec![root.to_vec()], ..settings.clone() };
        assert!(matches!(refused(given), RelayError::BadRoot), "{root:?}");
    }
}

#[tokio::test]
async fn a_relay_that_speaks_no_tls_is_tried_again_later() {
    let sink = Sink::well_behaved().await;
    let speechless = RelaySettings { security: Security::ImplicitTls, verification: Verification::Accept, ..settings(sink.address()) };
    assert_eq!(deliver(speechless).await.1, ["broken off"]);
}
