//! Connections that are kept between messages.

use std::sync::Arc;
use std::time::Duration;

use selfmx_mail::{Relay, RelaySettings};
use selfmx_testing::{Act, Fault, Phase, Sink, SinkSettings};

use crate::support::{kinds, plain_message, settings, sink_and_impatient_relay, sink_and_relay, to};

#[tokio::test]
async fn one_connection_serves_many_messages_and_is_replaced_after_a_while() {
    let sink = Sink::well_behaved().await;
    let relay = Relay::new(RelaySettings { messages_per_connection: 3, ..settings(sink.address()) }).unwrap();
    for _ in 0..7 {
        assert_eq!(kinds(&relay.deliver(&to(&["a"]), &plain_message()).await), ["delivered"]);
    }
    let connections: Vec<usize> = sink.ledger().delivered().iter().map(|transaction| transaction.connection).collect();
    assert_eq!(connections, [0, 0, 0, 1, 1, 1, 2]);
    relay.close().await;
    sink.ledger().until("three goodbyes", |ledger| ledger.commands().iter().filter(|(_, command)| command == "QUIT").count() == 3).await;
}

/// Hands sixty messages over at once, each of which is delivered.
async fn sixty_at_once(relay: &Arc<Relay>) {
    let sending: Vec<_> = (0..60)
        .map(|_| {
            let relay = Arc::clone(relay);
            tokio::spawn(async move { relay.deliver(&to(&["a"]), &plain_message()).await })
        })
        .collect();
    for sent in sending {
        assert_eq!(kinds(&sent.await.unwrap()), ["delivered"]);
    }
}

#[tokio::test]
async fn no_more_connections_than_allowed_are_made() {
    let sink = Sink::well_behaved().await;
    let relay = Arc::new(Relay::new(RelaySettings { pool_size: 3, ..settings(sink.address()) }).unwrap());
    sixty_at_once(&relay).await;
    assert!(sink.ledger().connections() <= 3, "{}", sink.ledger().connections());
    assert_eq!(sink.ledger().delivered_count(), 60);
}

/// A relay that takes fewer connections than we would make says so to those beyond, and that is about no message.
#[tokio::test]
async fn who_is_turned_away_for_the_number_of_connections_waits_for_one_of_them() {
    let slow = Fault::new(Phase::FinalDot, Act::Late(Duration::from_millis(10)));
    let sink = Sink::start(SinkSettings { most_connections: Some(2), faults: vec![slow], ..SinkSettings::default() }).await;
    let relay = Arc::new(Relay::new(settings(sink.address())).unwrap());
    sixty_at_once(&relay).await;
    assert_eq!(sink.ledger().delivered_count(), 60);
    assert!(sink.ledger().connections() <= 20, "{}: it is not asked again and again", sink.ledger().connections());
}

#[tokio::test]
async fn who_is_turned_away_where_nobody_is_connected_is_told_so() {
    let (_sink, relay) = sink_and_relay(SinkSettings { most_connections: Some(0), ..SinkSettings::default() }).await;
    let verdicts = relay.deliver(&to(&["a"]), &plain_message()).await;
    assert_eq!(kinds(&verdicts), ["asked to come back"]);
}

#[tokio::test]
async fn an_unused_connection_is_closed_with_a_goodbye() {
    let sink = Sink::well_behaved().await;
    let relay = Relay::new(RelaySettings { idle_timeout: Duration::from_millis(20), ..settings(sink.address()) }).unwrap();
    relay.deliver(&to(&["a"]), &plain_message()).await;
    sink.ledger().until("the goodbye", |ledger| ledger.closed() == 1).await;
    assert_eq!(sink.ledger().commands().last().unwrap().1, "QUIT");
    relay.deliver(&to(&["a"]), &plain_message()).await;
    sink.ledger().until("the second goodbye", |ledger| ledger.closed() == 2).await;
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_meanwhile_costs_no_message() {
    for (phase, act) in
        [(Phase::Mail, Act::Close), (Phase::Mail, Act::Reply("421 4.4.2 idle for too long".to_owned())), (Phase::Mail, Act::Silence)]
    {
        let faults = vec![Fault::new(phase, act.clone()).from_transaction(1).on_first_connections(1)];
        let (sink, relay) = sink_and_impatient_relay(SinkSettings { faults, ..SinkSettings::default() }).await;
        for _ in 0..2 {
            assert_eq!(kinds(&relay.deliver(&to(&["a"]), &plain_message()).await), ["delivered"], "{act:?}");
        }
        assert_eq!((sink.ledger().connections(), sink.ledger().delivered_count()), (2, 2));
    }
}

#[tokio::test]
async fn a_relay_that_closes_after_each_message_gets_the_next_on_a_new_connection() {
    let faults = vec![Fault::new(Phase::FinalDot, Act::ReplyAndClose("250 2.0.0 Ok".to_owned()))];
    let (sink, relay) = sink_and_relay(SinkSettings { faults, ..SinkSettings::default() }).await;
    for count in 1..4 {
        assert_eq!(kinds(&relay.deliver(&to(&["a"]), &plain_message()).await), ["delivered"]);
        sink.ledger().until("the end of the connection", |ledger| ledger.closed() == count).await;
    }
    assert_eq!(sink.ledger().connections(), 3);
}

#[tokio::test]
async fn a_new_connection_that_hangs_up_is_not_tried_at_once_again() {
    let faults = vec![Fault::new(Phase::Mail, Act::Close)];
    let (sink, relay) = sink_and_relay(SinkSettings { faults, ..SinkSettings::default() }).await;
    assert_eq!(kinds(&relay.deliver(&to(&["a"]), &plain_message()).await), ["broken off"]);
    assert_eq!(sink.ledger().connections(), 1);
}

#[tokio::test]
async fn a_dropped_delivery_drops_its_connection() {
    let faults = vec![Fault::new(Phase::FinalDot, Act::Silence).for_local("slow")];
    let (sink, relay) = sink_and_relay(SinkSettings { faults, ..SinkSettings::default() }).await;
    let (envelope, message) = (to(&["slow"]), plain_message());
    tokio::select! {
        verdicts = relay.deliver(&envelope, &message) => panic!("{verdicts:?}"),
        () = sink.ledger().until("the message", |ledger| ledger.transactions().len() == 1) => {}
    }
    sink.ledger().until("the end of the connection", |ledger| ledger.closed() == 1).await;
    assert_eq!(kinds(&relay.deliver(&to(&["a"]), &plain_message()).await), ["delivered"]);
}
