//! What the tests start from.

use selfmx_domain::{Deferral, Draft, DraftParts, EmailId, Limits, Verdict};
use selfmx_mail::{Envelope, Identity, Message, Relay, RelaySettings, Security, compose};
use selfmx_testing::{Fault, Sink, SinkSettings};
use std::net::SocketAddr;
use std::time::Duration;
use time::macros::datetime;

/// A plain mail from one to one, to be changed.
pub(crate) fn parts() -> DraftParts {
    let parts = DraftParts::new(
        "sender@from.example".parse().unwrap(),
        vec!["recipient@to.example".parse().unwrap()],
        "A subject".parse().unwrap(),
    );
    DraftParts { text: Some("A text.\n".to_owned()), ..parts }
}

/// A draft of parts, with room for anything.
pub(crate) fn draft(parts: DraftParts) -> Draft {
    Draft::new(parts, &Limits { recipients: 100, headers: 100, ..Limits::default() }).unwrap()
}

pub(crate) fn identity() -> Identity {
    let id: EmailId = "msg_01h455vb4pex5vsknk084sn02q".parse().unwrap();
    Identity { id, date: datetime!(2026-01-02 03:04:05 UTC) }
}

/// The message of a draft.
pub(crate) fn message(draft: &Draft) -> Message {
    compose(draft, &identity()).unwrap()
}

/// A small message.
pub(crate) fn plain_message() -> Vec<u8> {
    message(&draft(parts())).into_octets()
}

/// An envelope to these local parts.
pub(crate) fn to(locals: &[&str]) -> Envelope {
    Envelope {
        sender: "sender@from.example".parse().unwrap(),
        recipients: locals.iter().map(|local| format!("{local}@to.example").parse().unwrap()).collect(),
        smtputf8: false,
    }
}

/// Settings for a server on this machine, without TLS.
pub(crate) fn settings(address: SocketAddr) -> RelaySettings {
    RelaySettings {
        security: Security::Plain,
        ..RelaySettings::new(address.ip().to_string(), address.port(), "client.example".parse().unwrap())
    }
}

/// A sink that behaves as it is told, and a relay that leads to it.
pub(crate) async fn sink_and_relay(behaviour: SinkSettings) -> (Sink, Relay) {
    let sink = Sink::start(behaviour).await;
    let relay = Relay::new(settings(sink.address())).unwrap();
    (sink, relay)
}

/// The same, with a relay that gives up soon where the sink says nothing.
pub(crate) async fn sink_and_impatient_relay(behaviour: SinkSettings) -> (Sink, Relay) {
    let silent = behaviour.faults.iter().any(Fault::is_silence);
    let sink = Sink::start(behaviour).await;
    let patience = Duration::from_millis(if silent { 300 } else { 30_000 });
    let relay = Relay::new(RelaySettings { timeout: patience, final_timeout: patience, ..settings(sink.address()) }).unwrap();
    (sink, relay)
}

/// What a verdict is, in a word.
pub(crate) fn kind(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Delivered(_) => "delivered",
        Verdict::Deferred(Deferral::Reply(_)) => "asked to come back",
        Verdict::Deferred(Deferral::Network(_)) => "broken off",
        Verdict::Deferred(Deferral::Ambiguous(_)) => "ambiguous",
        Verdict::Bounced(_) => "bounced",
        Verdict::Rejected(_) => "rejected",
        Verdict::Undeliverable(_) => "undeliverable",
        Verdict::Held(_) => "held",
    }
}

/// What the verdicts are.
pub(crate) fn kinds(verdicts: &[Verdict]) -> Vec<&'static str> {
    verdicts.iter().map(kind).collect()
}

/// What EHLO offers without PIPELINING.
pub(crate) fn one_by_one() -> Vec<String> {
    SinkSettings::default().capabilities.into_iter().filter(|offered| offered != "PIPELINING").collect()
}
