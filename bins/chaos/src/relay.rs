//! The relay: a sink that misbehaves by the recipient's local part, and its ledger.
//!
//! | local part begins with | what happens |
//! |---|---|
//! | `defer2.` | 450 at RCPT, twice |
//! | `reject.` | 550 at RCPT |
//! | `slow.` | the reply after the dot comes 2 s late |
//! | `late.` | it comes as late as the run says |
//! | `storm421.` | 421 at RCPT, at DATA and at the dot, once each |
//! | `gate.` | waits after the dot, before the reply, until the run lets it on |
//! | `bothgates.` | waits at RCPT, and once more after the dot |
//! | `mark.` | the reply says `mark-of-the-reply` |

use std::net::SocketAddr;
use std::time::Duration;

use selfmx_testing::{Act, Fault, Gate, Phase, Sink, SinkSettings, Transaction};
use tokio::time::timeout;

use crate::failure::Failure;
use crate::ledger::{Delivery, Watch};
use crate::mail;

/// What the relay says of `mark.`'s mail, so that it can be found in what the server records.
pub(crate) const REPLY_MARK: &str = "mark-of-the-reply";

/// The relay of one run.
pub(crate) struct Relay {
    sink: Sink,
    /// Where `gate.` waits, and `bothgates.` in the end.
    pub(crate) gate: RelayGate,
    /// Where `bothgates.` waits first.
    pub(crate) rcpt_gate: RelayGate,
}

/// A place where mail waits until it is let on.
#[derive(Clone, Debug, Default)]
pub(crate) struct RelayGate(Gate);

impl RelayGate {
    /// Lets all on who wait and who come.
    pub(crate) fn open(&self) {
        self.0.open();
    }

    /// Waits until so many have come, counted from the beginning.
    pub(crate) async fn reached(&self, count: usize, patience: Duration) -> Result<(), Failure> {
        let waited = timeout(patience, self.0.reached(count)).await;
        waited.map_err(|_late| Failure::InVain { what: format!("mail {count} at the relay's gate"), waited: patience })
    }
}

impl Relay {
    /// Starts one; `late` is how late `late.` is answered.
    pub(crate) async fn start(late: Duration) -> Self {
        let (gate, rcpt_gate) = (RelayGate::default(), RelayGate::default());
        let busy = |phase| Fault::reply(phase, "421 4.3.2 too busy").for_locals_from("storm421.").times(1);
        let faults = vec![
            Fault::reply(Phase::Rcpt, "450 4.2.0 later").for_locals_from("defer2.").times(2),
            Fault::reply(Phase::Rcpt, "550 5.1.1 no such user").for_locals_from("reject."),
            Fault::new(Phase::FinalDot, Act::Late(Duration::from_secs(2))).for_locals_from("slow."),
            Fault::new(Phase::FinalDot, Act::Late(late)).for_locals_from("late."),
            busy(Phase::Rcpt),
            busy(Phase::Data),
            busy(Phase::FinalDot),
            Fault::new(Phase::FinalDot, Act::Held(gate.0.clone())).for_locals_from("gate."),
            Fault::new(Phase::Rcpt, Act::Held(rcpt_gate.0.clone())).for_locals_from("bothgates."),
            Fault::new(Phase::FinalDot, Act::Held(gate.0.clone())).for_locals_from("bothgates."),
            Fault::reply(Phase::FinalDot, &format!("250 2.0.0 {REPLY_MARK}")).for_locals_from("mark."),
        ];
        let sink = Sink::start(SinkSettings { faults, ..SinkSettings::default() }).await;
        Self { sink, gate, rcpt_gate }
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.sink.address()
    }

    /// Its ledger: what it took.
    pub(crate) fn deliveries(&self, watch: Watch) -> Vec<Delivery> {
        deliveries_of(&self.sink, watch)
    }
}

/// What a relay has taken.
pub(crate) fn deliveries_of(sink: &Sink, watch: Watch) -> Vec<Delivery> {
    let transactions = sink.ledger().transactions();
    transactions.iter().filter(|transaction| transaction.taken).flat_map(|taken| deliveries(taken, watch)).collect()
}

fn deliveries(taken: &Transaction, watch: Watch) -> impl Iterator<Item = Delivery> {
    let message = mail::id(&taken.octets).unwrap_or_default();
    taken.recipients.iter().map(move |recipient| Delivery {
        message: message.clone(),
        recipient: recipient.clone(),
        came: watch.of(taken.came),
        whole: mail::is_whole(&taken.octets, recipient),
    })
}
