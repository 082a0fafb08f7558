//! Every phase of the conversation and everything that goes wrong there: what it means for whom, and that nobody else is hurt.

use selfmx_domain::Verdict;
use selfmx_testing::{Act, Fault, Phase, Sink, SinkSettings};

use crate::support::{kind, kinds, one_by_one, plain_message, sink_and_impatient_relay, sink_and_relay, to};

/// What goes wrong, and what it means for the recipient whom it concerns.
fn faults() -> Vec<(Phase, Act, &'static str)> {
    let reply = |reply: &str| Act::Reply(reply.to_owned());
    let mut faults = Vec::new();
    for phase in [Phase::Greeting, Phase::Ehlo] {
        faults.extend([
            (phase, reply("450 4.3.2 not now"), "asked to come back"),
            (phase, reply("554 5.3.2 never"), "broken off"),
            (phase, reply("421 4.3.2 closing"), "asked to come back"),
        ]);
    }
    for phase in [Phase::Mail, Phase::Rcpt, Phase::Data, Phase::FinalDot] {
        faults.extend([
            (phase, reply("450 4.2.0 later"), "asked to come back"),
            (phase, reply("550-5.1.1 no such\r\n550 5.1.1 user"), if phase == Phase::Rcpt { "bounced" } else { "rejected" }),
            (phase, reply("421 4.3.2 closing"), "asked to come back"),
        ]);
    }
    for phase in [Phase::Greeting, Phase::Ehlo, Phase::Mail, Phase::Rcpt, Phase::Data] {
        for act in [Act::Close, Act::Silence, reply("HTTP/1.1 400 Bad Request"), reply("354 go on"), reply(&"2".repeat(4096))] {
            let is_go_ahead = phase == Phase::Data && act == reply("354 go on");
            faults.extend((!is_go_ahead).then_some((phase, act, "broken off")));
        }
    }
    for act in [Act::Close, Act::Silence, reply("HTTP/1.1 400 Bad Request"), reply("354 go on"), reply("250-a\r\n550 b")] {
        faults.push((Phase::FinalDot, act, "ambiguous"));
    }
    faults.push((Phase::Mail, reply("530 5.7.0 Authentication required"), "held"));
    faults.push((Phase::Data, reply("250 2.0.0 what?"), "broken off"));
    faults
}

#[tokio::test]
async fn each_fault_in_each_phase_has_its_verdict() {
    let message = plain_message();
    for capabilities in [SinkSettings::default().capabilities, one_by_one()] {
        for (phase, act, expected) in faults() {
            let behaviour = SinkSettings {
                capabilities: capabilities.clone(),
                faults: vec![Fault::new(phase, act.clone())],
                ..SinkSettings::default()
            };
            let (sink, relay) = sink_and_impatient_relay(behaviour).await;
            let verdicts = relay.deliver(&to(&["a", "b"]), &message).await;
            assert_eq!(kinds(&verdicts), [expected; 2], "{phase:?}, {act:?}: {verdicts:?}");
            assert!(sink.ledger().delivered_count() == 0 || expected == "ambiguous", "{phase:?}, {act:?}");
        }
    }
}

#[tokio::test]
async fn a_refused_recipient_hurts_no_other_recipient_and_no_other_message() {
    let message = plain_message();
    for capabilities in [SinkSettings::default().capabilities, one_by_one()] {
        for (reply, expected) in [("550 5.1.1 no", "bounced"), ("450 4.2.0 later", "asked to come back")] {
            let faults = vec![Fault::reply(Phase::Rcpt, reply).for_local("bad")];
            let (sink, relay) =
                sink_and_relay(SinkSettings { capabilities: capabilities.clone(), faults, ..SinkSettings::default() }).await;
            let verdicts = relay.deliver(&to(&["a", "bad", "c"]), &message).await;
            assert_eq!(kinds(&verdicts), ["delivered", expected, "delivered"]);
            assert_eq!(kinds(&relay.deliver(&to(&["bad", "bad"]), &message).await), [expected; 2]);
            assert_eq!(kinds(&relay.deliver(&to(&["d"]), &message).await), ["delivered"]);
            let delivered: Vec<_> = sink.ledger().delivered().into_iter().map(|transaction| transaction.recipients).collect();
            assert_eq!(delivered, [vec!["a@to.example", "c@to.example"], vec!["d@to.example"]]);
            assert_eq!(sink.ledger().connections(), 1, "all of it over one connection");
        }
    }
}

#[tokio::test]
async fn a_relay_that_hangs_up_or_closes_hurts_one_message_only() {
    let message = plain_message();
    for phase in [Phase::Rcpt, Phase::Data, Phase::FinalDot] {
        for act in [Act::Close, Act::Silence, Act::Reply("421 4.7.0 closing".to_owned())] {
            let faults = vec![Fault::new(phase, act.clone()).for_local("bad")];
            let (sink, relay) = sink_and_impatient_relay(SinkSettings { faults, ..SinkSettings::default() }).await;
            assert_eq!(kinds(&relay.deliver(&to(&["a"]), &message).await), ["delivered"]);
            let verdicts = relay.deliver(&to(&["good", "bad"]), &message).await;
            assert!(verdicts.iter().all(|verdict| matches!(verdict, Verdict::Deferred(_))), "{phase:?}, {act:?}: {verdicts:?}");
            assert_eq!(kinds(&relay.deliver(&to(&["b"]), &message).await), ["delivered"], "{phase:?}, {act:?}");
            assert_eq!(sink.ledger().delivered_count(), 2);
            assert_eq!(sink.ledger().connections(), 2, "what the relay may have taken is not offered at once again");
        }
    }
}

#[tokio::test]
async fn a_refusal_before_the_hang_up_stands() {
    let faults = vec![Fault::reply(Phase::Rcpt, "550 5.1.1 no").for_local("bad"), Fault::new(Phase::FinalDot, Act::Close)];
    let (_sink, relay) = sink_and_relay(SinkSettings { faults, ..SinkSettings::default() }).await;
    let verdicts = relay.deliver(&to(&["a", "bad"]), &plain_message()).await;
    assert_eq!(kinds(&verdicts), ["ambiguous", "bounced"]);
}

#[tokio::test]
async fn the_reply_is_kept_with_its_codes() {
    let faults = vec![Fault::reply(Phase::Rcpt, "550-5.7.509 Access denied,\r\n550 5.7.509 see the policy").for_local("bad")];
    let (_sink, relay) = sink_and_relay(SinkSettings { faults, ..SinkSettings::default() }).await;
    let verdicts = relay.deliver(&to(&["bad", "a"]), &plain_message()).await;
    let [Verdict::Bounced(refusal), Verdict::Delivered(reply)] = &verdicts[..] else { panic!("{verdicts:?}") };
    assert_eq!(refusal.to_string(), "550 5.7.509 Access denied, see the policy");
    assert_eq!(reply.to_string(), "250 2.0.0 Ok: kept as 0-1");
}

#[tokio::test]
async fn replies_without_end_are_not_read_without_end() {
    for reply in ["250-x\r\n".repeat(200), format!("250-{}\r\n250 x", "x".repeat(3000)), format!("250-{}\r\n", "x".repeat(1900)).repeat(30)]
    {
        for phase in [Phase::Ehlo, Phase::Mail, Phase::Rset] {
            let faults = vec![Fault::reply(phase, &reply), Fault::reply(Phase::Rcpt, "550 no")];
            let (_sink, relay) = sink_and_relay(SinkSettings { faults, ..SinkSettings::default() }).await;
            let verdicts = relay.deliver(&to(&["a"]), &plain_message()).await;
            assert_eq!(kind(&verdicts[0]), if phase == Phase::Rset { "bounced" } else { "broken off" }, "{phase:?}: {verdicts:?}");
        }
    }
}

#[tokio::test]
async fn a_relay_that_is_not_there_is_tried_again_later() {
    let sink = Sink::well_behaved().await;
    let relay = selfmx_mail::Relay::new(crate::support::settings(sink.address())).unwrap();
    let address = sink.address();
    drop(sink);
    // The listener is closed by the runtime once the task that held it has ended.
    while tokio::net::TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert_eq!(kinds(&relay.deliver(&to(&["a"]), &plain_message()).await), ["broken off"]);
    let again = Sink::start_at(address, SinkSettings::default()).await;
    assert_eq!(kinds(&relay.deliver(&to(&["a"]), &plain_message()).await), ["delivered"]);
    assert_eq!(again.ledger().delivered_count(), 1);
}
