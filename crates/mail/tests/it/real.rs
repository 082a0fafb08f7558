//! Against servers that are not ours: Postfix with STARTTLS and AUTH, and Postfix's `smtp-sink`.

use std::sync::Arc;

use selfmx_domain::Verdict;
use selfmx_mail::{Credentials, Relay, RelaySettings, RelayStatus, Security};
use selfmx_testing::{Postfix, Sink, SmtpSink};

use crate::drafts;
use crate::support::{draft, kinds, message, plain_message, settings, to};

fn relay_to(postfix: &Postfix, pass: &str) -> Relay {
    let certificate = postfix.certificate().pem().as_bytes().to_vec();
    Relay::new(RelaySettings {
        security: Security::StartTls,
        credentials: Some(Credentials::new(Postfix::USER, pass)),
        extra_roots: vec![certificate],
        ..settings(postfix.address())
    })
    .unwrap()
}

#[tokio::test]
async fn postfix_takes_every_mail_of_the_corpus_and_hands_on_the_same_octets() {
    let next = Sink::well_behaved().await;
    let postfix = Postfix::start(Some(next.address()));
    let relay = relay_to(&postfix, Postfix::PASS);
    assert_eq!(relay.probe().await.unwrap().code(), 250, "{}", postfix.log());
    let messages: Vec<_> = drafts::all().into_iter().map(|(name, parts)| (name, message(&draft(parts)))).collect();
    for (number, (name, message)) in messages.iter().enumerate() {
        let envelope = selfmx_mail::Envelope { smtputf8: message.needs_smtputf8(), ..to(&[&format!("n{number}")]) };
        let verdicts = relay.deliver(&envelope, message.octets()).await;
        assert_eq!(kinds(&verdicts), ["delivered"], "{name}: {verdicts:?}\n{}", postfix.log());
    }
    let arrived = next.wait_for(messages.len()).await;
    for (number, (name, message)) in messages.iter().enumerate() {
        let recipient = format!("n{number}@to.example");
        let transaction = arrived.iter().find(|transaction| transaction.recipients == [recipient.as_str()]).unwrap();
        // Postfix puts its own Received before everything else.
        assert!(transaction.octets.starts_with(b"Received: "), "{name}");
        assert!(transaction.octets.ends_with(message.octets()), "{name}: {}", String::from_utf8_lossy(&transaction.octets));
    }
    relay.close().await;
}

#[tokio::test]
async fn postfix_refuses_recipients_one_by_one() {
    let next = Sink::well_behaved().await;
    let postfix = Postfix::start(Some(next.address()));
    let relay = relay_to(&postfix, Postfix::PASS);
    let verdicts = relay.deliver(&to(&["a", "refused", "later", "b"]), &plain_message()).await;
    assert_eq!(kinds(&verdicts), ["delivered", "bounced", "asked to come back", "delivered"], "{}", postfix.log());
    let Verdict::Bounced(reply) = &verdicts[1] else { panic!("{verdicts:?}") };
    assert_eq!((reply.code(), reply.enhanced().unwrap().to_string()), (550, "5.1.1".to_owned()));
    assert_eq!(kinds(&relay.deliver(&to(&["refused"]), &plain_message()).await), ["bounced"]);
    assert_eq!(kinds(&relay.deliver(&to(&["c"]), &plain_message()).await), ["delivered"]);
    assert_eq!(next.wait_for(2).await.iter().map(|transaction| transaction.recipients.len()).sum::<usize>(), 3);
}

#[tokio::test]
async fn postfix_holds_us_with_wrong_credentials_or_none_and_without_its_certificate() {
    let postfix = Postfix::start(None);
    let relay = relay_to(&postfix, "wrong");
    assert_eq!(kinds(&relay.deliver(&to(&["a"]), &plain_message()).await), ["held"], "{}", postfix.log());
    assert!(matches!(relay.status(), RelayStatus::Held { reason } if reason.contains("535 5.7.8")));

    let in_clear = Relay::new(settings(postfix.address())).unwrap();
    assert_eq!(kinds(&in_clear.deliver(&to(&["a"]), &plain_message()).await), ["held"]);
    assert!(matches!(in_clear.status(), RelayStatus::Held { reason } if reason.contains("530 5.7.0")));

    let untrusting = RelaySettings { security: Security::StartTls, ..settings(postfix.address()) };
    let untrusting = Relay::new(untrusting).unwrap();
    assert_eq!(kinds(&untrusting.deliver(&to(&["a"]), &plain_message()).await), ["held"]);
    assert!(matches!(untrusting.status(), RelayStatus::Held { reason } if reason.contains("not trusted")));
}

#[tokio::test]
async fn smtp_sink_takes_a_thousand_over_ten_connections() {
    let sink = SmtpSink::start(&[]);
    let relay = Arc::new(Relay::new(settings(sink.address())).unwrap());
    let message = Arc::new(plain_message());
    let senders: Vec<_> = (0..10)
        .map(|_| {
            let (relay, message) = (Arc::clone(&relay), Arc::clone(&message));
            tokio::spawn(async move {
                for _ in 0..100 {
                    assert_eq!(kinds(&relay.deliver(&to(&["a", "b"]), &message).await), ["delivered"; 2]);
                }
            })
        })
        .collect();
    for sender in senders {
        sender.await.unwrap();
    }
    relay.close().await;
}

#[tokio::test]
async fn smtp_sink_s_refusals_and_hang_ups_are_understood() {
    for (options, expected) in [
        (["-q", "rcpt"], "broken off"),
        (["-Q", "rcpt"], "asked to come back"),
        (["-f", "rcpt"], "bounced"),
        (["-r", "rcpt"], "asked to come back"),
        (["-f", "mail"], "rejected"),
        (["-f", "data"], "rejected"),
        (["-r", "."], "asked to come back"),
        (["-f", "."], "rejected"),
        (["-q", "."], "ambiguous"),
        (["-Q", "."], "asked to come back"),
    ] {
        let sink = SmtpSink::start(&options);
        let relay = Relay::new(settings(sink.address())).unwrap();
        let verdicts = relay.deliver(&to(&["a"]), &plain_message()).await;
        assert_eq!(kinds(&verdicts), [expected], "{options:?}: {verdicts:?}");
    }
}
