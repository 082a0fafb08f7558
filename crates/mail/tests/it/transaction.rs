//! What goes over the wire for one message.

use std::sync::atomic::{AtomicUsize, Ordering};

use selfmx_domain::Verdict;
use selfmx_mail::{Envelope, Relay, RelaySettings};
use selfmx_testing::{Fault, Phase, Sink, SinkSettings};

use crate::support::{draft, kinds, message, one_by_one, parts, plain_message, settings, sink_and_relay, to};

fn offering(capabilities: &[&str]) -> SinkSettings {
    SinkSettings { capabilities: capabilities.iter().map(|text| (*text).to_owned()).collect(), ..SinkSettings::default() }
}

fn commands(sink: &Sink) -> Vec<String> {
    sink.ledger().commands().into_iter().map(|(_, command)| command).collect()
}

#[tokio::test]
async fn the_message_arrives_octet_for_octet() {
    let (sink, relay) = sink_and_relay(SinkSettings::default()).await;
    let bodies =
        [".\r\n..\r\n.a\r\n", "a\r\n.\r\nQUIT\r\n", "", "From x\r\n\r\n\r\n", &"0123456789\r\n".repeat(20_000), &".\r\n".repeat(60_000)];
    for body in bodies {
        let message = format!("Subject: x\r\n\r\n{body}");
        assert_eq!(kinds(&relay.deliver(&to(&["a"]), message.as_bytes()).await), ["delivered"]);
        assert!(sink.ledger().delivered().last().unwrap().octets == message.as_bytes(), "{} octets", message.len());
    }
}

#[tokio::test]
async fn what_is_not_canonical_is_not_sent() {
    let (sink, relay) = sink_and_relay(SinkSettings::default()).await;
    for message in [
        "A: b\r\n\r\nx\n.\r\nMAIL FROM:<x@y>\r\n",
        "A: b\n\nx\n",
        "A: b\r\n\r\nx\r.\r\n",
        "A: b\r\n\r\nx",
        "A: b\r\n\r\nx\0\r\n",
        "",
        "A: b\r\n\r\né\r\n",
    ] {
        assert_eq!(kinds(&relay.deliver(&to(&["a"]), message.as_bytes()).await), ["undeliverable"], "{message:?}");
    }
    assert_eq!(sink.ledger().connections(), 0);
}

#[tokio::test]
async fn commands_go_out_together_where_the_relay_can_take_them_and_one_by_one_where_not() {
    let faults = || vec![Fault::reply(Phase::Mail, "550 no")];
    let expected =
        ["EHLO client.example", "MAIL FROM:<sender@from.example> SIZE=294", "RCPT TO:<a@to.example>", "RCPT TO:<b@to.example>", "DATA"];
    let (sink, relay) = sink_and_relay(SinkSettings { faults: faults(), ..SinkSettings::default() }).await;
    assert_eq!(kinds(&relay.deliver(&to(&["a", "b"]), &plain_message()).await), ["rejected"; 2]);
    let length = plain_message().len();
    assert_eq!(commands(&sink), expected.map(|line| line.replace("294", &length.to_string())));
    let (sink, relay) = sink_and_relay(SinkSettings { faults: faults(), capabilities: one_by_one(), ..SinkSettings::default() }).await;
    assert_eq!(kinds(&relay.deliver(&to(&["a", "b"]), &plain_message()).await), ["rejected"; 2]);
    assert_eq!(commands(&sink).len(), 2, "nothing after the refused MAIL");
}

#[tokio::test]
async fn a_message_for_nobody_is_not_sent_and_the_connection_is_reset() {
    for (capabilities, asked) in [(SinkSettings::default().capabilities, true), (one_by_one(), false)] {
        let faults = vec![Fault::reply(Phase::Rcpt, "550 no")];
        let (sink, relay) = sink_and_relay(SinkSettings { faults, capabilities, ..SinkSettings::default() }).await;
        assert_eq!(kinds(&relay.deliver(&to(&["a"]), &plain_message()).await), ["bounced"]);
        assert_eq!(commands(&sink).contains(&"DATA".to_owned()), asked);
        assert_eq!(commands(&sink).last().unwrap(), "RSET");
        assert!(sink.ledger().transactions().is_empty());
    }
}

#[tokio::test]
async fn a_relay_that_waits_for_a_message_to_nobody_gets_an_empty_one() {
    let faults = vec![Fault::reply(Phase::Rcpt, "550 no"), Fault::reply(Phase::Data, "354 go on")];
    let (_sink, relay) = sink_and_relay(SinkSettings { faults, ..SinkSettings::default() }).await;
    assert_eq!(kinds(&relay.deliver(&to(&["a"]), &plain_message()).await), ["bounced"]);
}

#[tokio::test]
async fn many_recipients_go_in_groups() {
    let (sink, relay) = sink_and_relay(SinkSettings::default()).await;
    let locals: Vec<String> = (0..500).map(|n| format!("{n}-{}", "x".repeat(55))).collect();
    let locals: Vec<&str> = locals.iter().map(String::as_str).collect();
    assert_eq!(kinds(&relay.deliver(&to(&locals), &plain_message()).await), vec!["delivered"; 500]);
    assert_eq!(sink.ledger().delivered()[0].recipients.len(), 500);
    assert!(relay.deliver(&to(&[]), &plain_message()).await.is_empty());
}

#[tokio::test]
async fn a_message_above_the_relay_s_size_is_not_sent() {
    let (sink, relay) = sink_and_relay(offering(&["SIZE 100"])).await;
    let verdicts = relay.deliver(&to(&["a"]), &plain_message()).await;
    let Verdict::Rejected(reply) = &verdicts[0] else { panic!("{verdicts:?}") };
    assert!(reply.to_string().starts_with("552 5.3.4 ") && reply.text().ends_with("the relay takes 100 at most"), "{reply}");
    assert_eq!(commands(&sink), ["EHLO client.example"]);
    let (_sink, relay) = sink_and_relay(offering(&["SIZE 0"])).await;
    assert_eq!(kinds(&relay.deliver(&to(&["a"]), &plain_message()).await), ["delivered"], "0 is no limit");
}

#[tokio::test]
async fn utf_8_addresses_go_only_where_smtputf8_is_offered() {
    let (sink, relay) = sink_and_relay(offering(&["PIPELINING", "8BITMIME"])).await;
    let verdicts = relay.deliver(&to(&["a", "é"]), &plain_message()).await;
    assert_eq!(kinds(&verdicts), ["delivered", "rejected"]);
    let refused = "553 5.6.7 the address needs SMTPUTF8, which the relay does not offer";
    assert!(matches!(&verdicts[1], Verdict::Rejected(reply) if reply.to_string() == refused), "{verdicts:?}");
    assert_eq!(sink.ledger().delivered()[0].recipients, ["a@to.example"]);

    let mut shown = parts();
    shown.reply_to.push("é@x.example".parse().unwrap());
    let shown = message(&draft(shown));
    let envelope = Envelope { smtputf8: shown.needs_smtputf8(), ..to(&["a"]) };
    assert_eq!(kinds(&relay.deliver(&envelope, shown.octets()).await), ["rejected"], "its header has UTF-8");
    let sender = Envelope { sender: "é@x.example".parse().unwrap(), ..to(&["a"]) };
    assert_eq!(kinds(&relay.deliver(&sender, &plain_message()).await), ["rejected"]);
    assert_eq!(sink.ledger().delivered_count(), 1);

    let (sink, relay) = sink_and_relay(SinkSettings::default()).await;
    assert_eq!(kinds(&relay.deliver(&to(&["a", "é"]), &plain_message()).await), ["delivered"; 2]);
    assert_eq!(kinds(&relay.deliver(&envelope, shown.octets()).await), ["delivered"]);
    assert_eq!(kinds(&relay.deliver(&to(&["a"]), &plain_message()).await), ["delivered"]);
    let parameters: Vec<String> = sink.ledger().delivered().iter().map(|transaction| transaction.parameters.clone()).collect();
    assert!(parameters[0].ends_with(" SMTPUTF8") && !parameters[0].contains("BODY="), "{parameters:?}");
    assert!(parameters[1].ends_with(" BODY=8BITMIME SMTPUTF8"), "{parameters:?}");
    assert!(parameters[2].starts_with("SIZE=") && !parameters[2].contains(' '), "{parameters:?}");
}

#[tokio::test]
async fn nothing_is_asked_of_a_relay_that_offers_nothing() {
    let (sink, relay) = sink_and_relay(offering(&[])).await;
    assert_eq!(kinds(&relay.deliver(&to(&["a"]), &plain_message()).await), ["delivered"]);
    assert_eq!(sink.ledger().delivered()[0].parameters, "");
}

#[tokio::test]
async fn odd_capabilities_do_no_harm() {
    let odd = [
        "SIZE",
        "SIZE abc",
        "SIZE 99999999999999999999999999",
        "AUTH",
        "X-UNKNOWN a b c",
        "8BITMIME extra",
        "DSN",
        "CHUNKING",
        "PIPELINING x",
    ];
    for offered in odd {
        let (_sink, relay) = sink_and_relay(offering(&[offered])).await;
        assert_eq!(kinds(&relay.deliver(&to(&["a"]), &plain_message()).await), ["delivered"], "{offered}");
    }
}

#[tokio::test]
async fn quoted_local_parts_arrive_quoted() {
    let (sink, relay) = sink_and_relay(SinkSettings::default()).await;
    assert_eq!(kinds(&relay.deliver(&to(&["\"a b\"", "\"a>b\""]), &plain_message()).await), ["delivered"; 2]);
    assert_eq!(sink.ledger().delivered()[0].recipients, ["\"a b\"@to.example", "\"a>b\"@to.example"]);
}

#[tokio::test]
async fn a_probe_says_what_the_relay_said() {
    let (sink, relay) = sink_and_relay(SinkSettings::default()).await;
    assert_eq!(relay.probe().await.unwrap().to_string(), "250 2.0.0 Ok");
    assert_eq!(commands(&sink), ["EHLO client.example", "NOOP", "QUIT"]);
    let (_sink, relay) =
        sink_and_relay(SinkSettings { faults: vec![Fault::reply(Phase::Greeting, "554 5.7.1 not you")], ..SinkSettings::default() }).await;
    let error = relay.probe().await.unwrap_err();
    assert_eq!(error.reply().unwrap().to_string(), "554 5.7.1 not you");
    assert_eq!(error.to_string(), "the relay refused at the greeting: 554 5.7.1 not you");
    let nowhere = Relay::new(RelaySettings { host: "nowhere.invalid".to_owned(), ..settings("127.0.0.1:9".parse().unwrap()) }).unwrap();
    assert!(nowhere.probe().await.unwrap_err().to_string().starts_with("the relay cannot be reached"));
}

#[tokio::test]
async fn what_may_not_be_sent_any_more_never_gets_its_final_dot() {
    let (sink, relay) = sink_and_relay(SinkSettings::default()).await;
    for body in ["brief\r\n".to_owned(), "0123456789\r\n".repeat(20_000)] {
        let (message, asked) = (format!("Subject: x\r\n\r\n{body}"), AtomicUsize::new(0));
        let ask = |answer: bool| {
            asked.fetch_add(1, Ordering::Relaxed);
            answer
        };
        assert_eq!(relay.deliver_if(&to(&["a"]), message.as_bytes(), &|| ask(false)).await, None);
        assert_eq!(asked.load(Ordering::Relaxed), 1, "at the last moment, and not before");
        let sent = relay.deliver_if(&to(&["a"]), message.as_bytes(), &|| ask(true)).await.unwrap();
        assert_eq!(kinds(&sent), ["delivered"]);
    }
    assert_eq!(commands(&sink).iter().filter(|command| *command == "DATA").count(), 4);
    assert_eq!(sink.ledger().delivered_count(), 2);
    assert_eq!(relay.deliver_if(&to(&[]), b"", &|| false).await, Some(Vec::new()));
}
