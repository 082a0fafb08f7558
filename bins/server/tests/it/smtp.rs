//! `POST /v1/test-smtp`: whether the relay would take mail, without sending any.

use selfmx_testing::{Act, Fault, Phase, Sink, SinkSettings};
use serde_json::json;

use crate::process::KEY;
use crate::world::{World, fault, text};

async fn tested(world: &World) -> selfmx_testing::HttpAnswer {
    world.server.ask("POST", "/v1/test-smtp", Some(KEY), None).await
}

#[tokio::test]
async fn without_a_relay_the_answer_says_that_mail_is_captured() {
    let world = World::start().await;
    let answer = tested(&world).await;
    assert_eq!((answer.status, &answer.json()["status"]), (200, &json!("ok")));
    assert!(text(&answer.json()["message"]).contains("captured"), "{}", answer.json());
}

#[tokio::test]
async fn a_relay_that_answers_is_asked_all_but_for_a_mail() {
    let sink = Sink::well_behaved().await;
    let world = World::relayed(sink.address(), &[]).await;
    let answer = tested(&world).await;
    assert_eq!((answer.status, &answer.json()["status"]), (200, &json!("ok")));
    assert!(text(&answer.json()["message"]).contains("250"), "{}", answer.json());
    let verbs: Vec<String> = sink.ledger().commands().iter().map(|(_, line)| line[..4].to_owned()).collect();
    assert_eq!(verbs, ["EHLO", "NOOP", "QUIT"]);
}

#[tokio::test]
async fn a_relay_that_cannot_be_used_is_a_502_with_its_last_answer() {
    let credentials = Some(("mailer".to_owned(), "right".to_owned()));
    let refusing =
        Sink::start(SinkSettings { faults: vec![Fault::reply(Phase::Greeting, "554 5.3.2 Go away")], ..SinkSettings::default() }).await;
    let locked = Sink::start(SinkSettings { credentials, ..SinkSettings::default() }).await;
    let rude = Sink::start(SinkSettings { faults: vec![Fault::new(Phase::Ehlo, Act::Close)], ..SinkSettings::default() }).await;
    let gone = Sink::well_behaved().await.address();
    let login = [("SMTP_USER", "mailer"), ("SMTP_PASS", "wrong-canary")];
    for (relay, variables, words) in [
        (refusing.address(), &[][..], "554 5.3.2 Go away"),
        (locked.address(), &login, "535 5.7.8 Error: authentication failed"),
        (rude.address(), &[], "EHLO"),
        (gone, &[], "cannot be reached"),
        // A relay that does not offer what is required.
        (refusing.address(), &[("SMTP_TLS", "true")], "554 5.3.2 Go away"),
        (locked.address(), &[("SMTP_TLS", "true")], "STARTTLS"),
    ] {
        let world = World::relayed(relay, variables).await;
        let answer = tested(&world).await;
        assert_eq!(fault(&answer), (502, "relay_failed".to_owned(), String::new()), "{words}");
        let message = text(&answer.json()["error"]["message"]);
        assert!(message.contains(words) && !message.contains("wrong-canary"), "{message}");
    }
}
