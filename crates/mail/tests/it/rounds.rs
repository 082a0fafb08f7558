//! Relays that take fewer recipients at once than a message has.

use selfmx_testing::{Act, Fault, Phase, Sink, SinkSettings};

use crate::support::{kinds, one_by_one, plain_message, sink_and_relay, to};

/// Refuses each of these the first time.
fn once(locals: &[&str], reply: &str) -> Vec<Fault> {
    locals.iter().map(|local| Fault::reply(Phase::Rcpt, reply).for_local(local).times(1)).collect()
}

/// Over which connection to whom each message came.
fn came(sink: &Sink) -> Vec<(usize, String)> {
    let transactions = sink.ledger().transactions();
    transactions.iter().map(|transaction| (transaction.connection, transaction.recipients.join(" ").replace("@to.example", ""))).collect()
}

#[tokio::test]
async fn those_beyond_what_a_relay_takes_at_once_follow_at_once_and_everybody_gets_it_once() {
    for capabilities in [SinkSettings::default().capabilities, one_by_one()] {
        for reply in ["452 4.5.3 too many recipients", "452 too many", "552 5.5.3 too many recipients", "552 too many"] {
            let faults = [once(&["c", "d"], reply), once(&["d"], reply)].concat();
            let (sink, relay) =
                sink_and_relay(SinkSettings { faults, capabilities: capabilities.clone(), ..SinkSettings::default() }).await;
            assert_eq!(kinds(&relay.deliver(&to(&["a", "b", "c", "d"]), &plain_message()).await), ["delivered"; 4], "{reply}");
            assert_eq!(came(&sink), [(0, "a b".to_owned()), (0, "c".to_owned()), (0, "d".to_owned())], "{reply}");
        }
    }
}

#[tokio::test]
async fn who_is_refused_without_others_before_is_not_one_too_many() {
    for (reply, becomes) in [("452 4.5.3 too many", "asked to come back"), ("552 mailbox full", "bounced"), ("552 5.2.2 full", "bounced")] {
        let faults = vec![Fault::reply(Phase::Rcpt, reply).for_local("b")];
        let (sink, relay) = sink_and_relay(SinkSettings { faults, ..SinkSettings::default() }).await;
        assert_eq!(kinds(&relay.deliver(&to(&["a", "b"]), &plain_message()).await), ["delivered", becomes], "{reply}");
        assert_eq!(kinds(&relay.deliver(&to(&["b"]), &plain_message()).await), [becomes], "{reply}");
        assert_eq!(came(&sink), [(0, "a".to_owned())], "{reply}");
    }
}

#[tokio::test]
async fn where_the_message_got_to_nobody_nothing_follows() {
    let faults = [once(&["b"], "452 4.5.3 too many"), vec![Fault::reply(Phase::FinalDot, "451 later")]].concat();
    let (sink, relay) = sink_and_relay(SinkSettings { faults, ..SinkSettings::default() }).await;
    assert_eq!(kinds(&relay.deliver(&to(&["a", "b"]), &plain_message()).await), ["asked to come back"; 2]);
    assert_eq!(came(&sink).len(), 1);
}

/// What is with somebody is not begun anew where the connection ends between the two.
#[tokio::test]
async fn what_breaks_off_between_two_transactions_concerns_those_alone_who_were_left() {
    for act in [Act::Close, Act::Reply("421 4.3.0 closing".to_owned())] {
        let faults = [once(&["b"], "452 4.5.3 too many"), vec![Fault::new(Phase::Mail, act.clone()).from_transaction(1)]].concat();
        let (sink, relay) = sink_and_relay(SinkSettings { faults, ..SinkSettings::default() }).await;
        let verdicts = relay.deliver(&to(&["a", "b"]), &plain_message()).await;
        assert_eq!(kinds(&verdicts[..1]), ["delivered"], "{act:?}");
        assert!(["broken off", "asked to come back"].contains(&kinds(&verdicts)[1]), "{act:?}: {verdicts:?}");
        assert_eq!(came(&sink), [(0, "a".to_owned())], "{act:?}");
    }
}

/// Whoever may not send any more between the two keeps what became of the first.
#[tokio::test]
async fn what_is_taken_back_between_two_transactions_is_left_for_later() {
    let faults = once(&["b"], "452 4.5.3 too many");
    let (sink, relay) = sink_and_relay(SinkSettings { faults, ..SinkSettings::default() }).await;
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let may_send = || asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0;
    let verdicts = relay.deliver_if(&to(&["a", "b"]), &plain_message(), &may_send).await.unwrap();
    assert_eq!(kinds(&verdicts), ["delivered", "asked to come back"]);
    assert_eq!(came(&sink), [(0, "a".to_owned())]);
}
