//! What became of each recipient.

use std::collections::BTreeSet;

use selfmx_testing::{Act, Fault, Phase, Sink, SinkSettings};
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use crate::forms::is_time;
use crate::process::until;
use crate::world::{World, recipient, text};

async fn sink(faults: Vec<Fault>) -> Sink {
    Sink::start(SinkSettings { faults, ..SinkSettings::default() }).await
}

/// The ids of the emails with a status.
async fn with_status(world: &World, status: &str) -> Vec<String> {
    let list = world.get(&format!("/v1/emails?status={status}")).await.json();
    list["data"].as_array().unwrap().iter().map(|email| text(&email["id"])).collect()
}

fn time(value: &Value) -> OffsetDateTime {
    OffsetDateTime::parse(value.as_str().unwrap(), &Rfc3339).unwrap()
}

/// The events of one recipient, each as its kind, attempt and response.
fn events(email: &Value, address: &str) -> Vec<(String, u64, String)> {
    let events = email["events"].as_array().unwrap().iter().filter(|event| event["to"] == address);
    events.map(|event| (text(&event["type"]), event["attempt"].as_u64().unwrap(), text(&event["smtp_response"]))).collect()
}

#[tokio::test]
async fn each_recipient_has_a_result_of_its_own_and_only_who_was_put_off_is_tried_again() {
    let sink = sink(vec![
        Fault::reply(Phase::Rcpt, "550 5.1.1 No such user").for_local("gone"),
        Fault::reply(Phase::Rcpt, "450 4.2.1 Come back later").for_local("later").on_first_connections(1),
        // The next mail goes over another connection, where nothing is put off.
        Fault::reply(Phase::Mail, "421 4.3.2 Too busy").from_transaction(1).on_first_connections(1),
    ])
    .await;
    let world = World::relayed(sink.address(), &[("QUEUE_RETRY_DELAY", "3600")]).await;
    let id = world.send(json!({"to": ["fine@r.example", "gone@r.example"], "cc": "later@r.example", "bcc": "hidden@r.example"})).await;
    until(&world.database, "SELECT count(*) FROM recipients WHERE attempts = 1", "4").await;
    let email = world.email(&id).await;
    assert_eq!((&email["status"], &email["delivered_at"]), (&json!("queued"), &Value::Null));
    let shown = |email: &Value, address: &str| {
        let recipient = recipient(email, address);
        (text(&recipient["status"]), recipient["attempts"].as_u64().unwrap(), text(&recipient["last_response"]))
    };
    let told = |status: &str, attempts: u64, response: &str| (status.to_owned(), attempts, response.to_owned());
    assert_eq!(shown(&email, "gone@r.example"), told("bounced", 1, "550 5.1.1 No such user"));
    assert_eq!(recipient(&email, "gone@r.example")["bounce_type"], "hard");
    assert_eq!(shown(&email, "later@r.example"), told("queued", 1, "450 4.2.1 Come back later"));
    let (next, made) = (&recipient(&email, "later@r.example")["next_attempt_at"], &email["created_at"]);
    assert!(is_time(next) && (time(next) - time(made)).whole_minutes() >= 60 && (time(next) - time(made)).whole_minutes() <= 67, "{next}");
    for address in ["fine@r.example", "hidden@r.example"] {
        let (status, attempts, response) = shown(&email, address);
        assert!(status == "delivered" && attempts == 1 && response.starts_with("250 2.0.0 Ok: kept as 0-1"), "{address}: {response}");
    }
    assert_eq!(with_status(&world, "queued").await, [id.as_str()]);

    world.database.execute("UPDATE queue SET due_at = now()").await;
    let email = world.settled(&id).await;
    assert_eq!((&email["status"], &email["delivered_at"]), (&json!("bounced"), &Value::Null), "one bounced");
    let (status, attempts, response) = shown(&email, "later@r.example");
    assert!(status == "delivered" && attempts == 2 && response.starts_with("250 2.0.0 Ok: kept as 1-1"), "{email}");
    assert!(recipient(&email, "later@r.example").get("next_attempt_at").is_none());
    let kinds = |address: &str| events(&email, address).into_iter().map(|(kind, attempt, _)| (kind, attempt)).collect::<Vec<_>>();
    assert_eq!(kinds("gone@r.example"), [("bounced".to_owned(), 1)]);
    assert_eq!(kinds("later@r.example"), [("deferred".to_owned(), 1), ("delivered".to_owned(), 2)]);
    assert_eq!(events(&email, "later@r.example")[0].2, "450 4.2.1 Come back later");
    assert_eq!(with_status(&world, "bounced").await, [id.as_str()]);

    // Counted from outside: everyone got it once, the same message each time, and nobody in a header who is in none.
    let arrived = sink.ledger().delivered();
    assert_eq!(arrived.len(), 2);
    let mut reached: Vec<_> = arrived.iter().flat_map(|mail| mail.recipients.clone()).collect();
    reached.sort();
    assert_eq!(reached, ["fine@r.example", "hidden@r.example", "later@r.example"]);
    let raw = world.raw(&id).await;
    for mail in &arrived {
        assert_eq!((mail.sender.as_str(), mail.octets == raw), ("shop@sender.example", true), "{mail:?}");
    }
    assert!(!String::from_utf8(raw).unwrap().contains("hidden@"));
}

#[tokio::test]
async fn who_is_put_off_each_time_bounces_softly_after_as_many_retries_as_are_set() {
    for retries in [0, 2] {
        let sink = sink(vec![Fault::reply(Phase::FinalDot, "451 4.7.1 Greylisted")]).await;
        let world = World::relayed(sink.address(), &[("QUEUE_RETRY_ATTEMPTS", &retries.to_string())]).await;
        let id = world.send(json!({})).await;
        let email = world.settled(&id).await;
        let recipient = recipient(&email, "anna@recipient.example");
        assert_eq!(
            (&email["status"], &recipient["attempts"], &recipient["bounce_type"]),
            (&json!("bounced"), &json!(retries + 1), &json!("soft"))
        );
        assert_eq!(recipient["last_response"], "451 4.7.1 Greylisted");
        let mut kinds: Vec<_> = events(&email, "anna@recipient.example").into_iter().map(|(kind, ..)| kind).collect();
        assert_eq!(kinds.pop().as_deref(), Some("bounced"));
        assert_eq!(kinds, vec!["deferred"; retries]);
        let offered = sink.ledger().transactions();
        let ids: BTreeSet<_> = offered.iter().map(|mail| &mail.octets).collect();
        assert_eq!((offered.len(), ids.len()), (retries + 1, 1), "the same octets each time");
    }
}

#[tokio::test]
async fn a_bounce_is_hard_and_the_address_suppressed_only_where_the_address_is_to_blame() {
    let sink = sink(vec![
        Fault::reply(Phase::Rcpt, "550 5.1.1 No such user").for_local("gone"),
        Fault::reply(Phase::Rcpt, "552 5.2.2 Mailbox full").for_local("full"),
        Fault::reply(Phase::Rcpt, "550 5.7.1 Not from you").for_local("strict"),
        Fault::reply(Phase::Rcpt, "550 Unknown").for_local("plain"),
        Fault::reply(Phase::FinalDot, "550 This looks like spam"),
    ])
    .await;
    let world = World::relayed(sink.address(), &[]).await;
    let id = world.send(json!({"to": ["gone@r.example", "full@r.example", "strict@r.example", "plain@r.example", "fine@r.example"]})).await;
    let email = world.settled(&id).await;
    let types = ["gone", "full", "strict", "plain", "fine"].map(|local| {
        let recipient = recipient(&email, &format!("{local}@r.example"));
        assert_eq!((&recipient["status"], &recipient["attempts"]), (&json!("bounced"), &json!(1)), "{recipient}");
        text(&recipient["bounce_type"])
    });
    assert_eq!(types, ["hard", "soft", "soft", "hard", "soft"]);
    let listed = "SELECT string_agg(address, ' ' ORDER BY address) FROM suppressions";
    assert_eq!(world.database.query_one_text(listed).await, "gone@r.example plain@r.example");
}

#[tokio::test]
async fn a_relay_that_is_never_reached_fails_the_email() {
    let gone = sink(vec![]).await.address();
    let world = World::relayed(gone, &[("QUEUE_RETRY_ATTEMPTS", "1")]).await;
    let id = world.send(json!({})).await;
    let email = world.settled(&id).await;
    let recipient = recipient(&email, "anna@recipient.example");
    assert_eq!((&email["status"], &recipient["status"], &recipient["attempts"]), (&json!("failed"), &json!("failed"), &json!(2)));
    assert!(text(&recipient["last_response"]).contains("cannot be reached") && recipient.get("bounce_type").is_none(), "{recipient}");
    assert_eq!(with_status(&world, "failed").await, [id.as_str()]);
}

#[tokio::test]
async fn an_answer_that_never_came_is_waited_out_and_the_same_message_goes_again() {
    let sink = sink(vec![Fault::new(Phase::FinalDot, Act::Close).on_first_connections(1)]).await;
    let world = World::relayed(sink.address(), &[]).await;
    let id = world.send(json!({})).await;
    until(&world.database, "SELECT count(*) FROM recipients WHERE attempts = 1", "1").await;
    let email = world.email(&id).await;
    let waiting = recipient(&email, "anna@recipient.example");
    // The relay may have it: though retries follow at once here, this one does not.
    assert_eq!(waiting["status"], "queued");
    assert!(time(&waiting["next_attempt_at"]) - time(&email["created_at"]) >= Duration::minutes(5), "{email}");
    assert!(text(&waiting["last_response"]).contains("may"), "it says what is not known: {email}");
    world.database.execute("UPDATE queue SET due_at = now()").await;
    assert_eq!(world.settled(&id).await["status"], "delivered");
    let offered = sink.ledger().transactions();
    assert_eq!((offered.len(), offered[0].octets == offered[1].octets), (2, true));
    assert!(String::from_utf8_lossy(&offered[0].octets).contains(&format!("Message-ID: <{id}@")));
}

#[tokio::test]
async fn a_mail_on_its_way_is_shown_as_sending() {
    let sink = sink(vec![Fault::new(Phase::FinalDot, Act::Silence)]).await;
    let world = World::relayed(sink.address(), &[]).await;
    let id = world.send(json!({})).await;
    sink.ledger().until("the mail", |ledger| ledger.transactions().len() == 1).await;
    assert_eq!(world.email(&id).await["status"], "sending");
    assert_eq!(with_status(&world, "sending").await, [id.as_str()]);
    assert_eq!(with_status(&world, "queued").await, Vec::<String>::new());
    assert_eq!(world.get("/health").await.json()["queue_depth"], 1);
}

#[tokio::test]
async fn connections_are_kept_between_mails_and_no_more_are_open_than_are_set() {
    let sink = sink(vec![]).await;
    let world = World::relayed(sink.address(), &[("SMTP_POOL_SIZE", "2")]).await;
    for _ in 0..30 {
        world.send(json!({})).await;
    }
    sink.wait_for(30).await;
    assert!((1..=2).contains(&sink.ledger().connections()), "{} connections", sink.ledger().connections());
    // At the end it says goodbye.
    assert_eq!(world.server.stop().await.code, Some(0));
    let farewells = sink.ledger().commands().into_iter().filter(|(_, line)| line == "QUIT").count();
    assert_eq!(farewells, sink.ledger().connections());
}

#[tokio::test]
async fn an_address_beyond_ascii_reaches_only_a_relay_that_can_carry_it() {
    let without =
        Sink::start(SinkSettings { capabilities: vec!["PIPELINING".to_owned(), "8BITMIME".to_owned()], ..SinkSettings::default() }).await;
    let world = World::relayed(without.address(), &[]).await;
    let id = world.send(json!({"to": "anna@bücher.example", "bcc": "用户@r.example"})).await;
    let email = world.settled(&id).await;
    assert_eq!(recipient(&email, "anna@xn--bcher-kva.example")["status"], "delivered", "a domain alone needs nothing");
    let lost = recipient(&email, "用户@r.example");
    assert_eq!((&email["status"], &lost["status"], &lost["attempts"]), (&json!("bounced"), &json!("bounced"), &json!(1)));
    assert_eq!((&lost["bounce_type"], text(&lost["last_response"]).contains("SMTPUTF8")), (&json!("soft"), true), "{lost}");
    assert_eq!(world.get("/v1/suppressions").await.json()["data"], json!([]), "another relay may carry it");

    let with = sink(vec![]).await;
    let world = World::relayed(with.address(), &[]).await;
    let id = world.send(json!({"to": "用户@r.example"})).await;
    assert_eq!(world.settled(&id).await["status"], "delivered");
    let arrived = with.wait_for(1).await;
    assert_eq!(arrived[0].recipients, ["用户@r.example"]);
    assert!(arrived[0].parameters.contains("SMTPUTF8"), "{:?}", arrived[0].parameters);
}
