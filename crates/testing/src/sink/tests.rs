//! A sink does wrong what it is told to, to whom and as often as it is told.

use std::io::ErrorKind;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::*;

const SOON: Duration = Duration::from_millis(50);

struct Talk(BufReader<TcpStream>);

impl Talk {
    async fn with(sink: &Sink) -> Self {
        let mut talk = Self(BufReader::new(TcpStream::connect(sink.address()).await.unwrap()));
        assert!(talk.hears().await.starts_with("220"));
        talk
    }

    async fn hears(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).await.unwrap();
        line
    }

    async fn asks(&mut self, command: &str) -> String {
        self.0.get_mut().write_all(format!("{command}\r\n").as_bytes()).await.unwrap();
        self.hears().await
    }

    /// A mail up to its final dot, whose reply is not waited for.
    async fn sends(&mut self, to: &str) {
        assert!(self.asks("MAIL FROM:<a@b.example>").await.starts_with("250"));
        assert!(self.asks(&format!("RCPT TO:<{to}>")).await.starts_with("250"));
        assert!(self.asks("DATA").await.starts_with("354"));
        self.0.get_mut().write_all(b"Subject: x\r\n\r\nx\r\n.\r\n").await.unwrap();
    }
}

async fn sink(fault: Fault) -> Sink {
    Sink::start(SinkSettings { faults: vec![fault], ..SinkSettings::default() }).await
}

#[tokio::test]
async fn a_fault_befalls_each_recipient_of_a_prefix_so_many_times() {
    let sink = sink(Fault::reply(Phase::Rcpt, "450 later").for_locals_from("twice.").times(2)).await;
    let mut talk = Talk::with(&sink).await;
    talk.asks("MAIL FROM:<a@b.example>").await;
    let mut replies = Vec::new();
    for to in ["twice.a", "twice.a", "twice.b", "twice.a", "once.twice.", "twice.b", "twice.b"] {
        replies.push(talk.asks(&format!("RCPT TO:<{to}@b.example>")).await.starts_with("250"));
    }
    assert_eq!(replies, [false, false, false, true, true, false, true]);
}

#[tokio::test]
async fn mail_waits_at_a_gate_until_it_is_opened_and_the_ledger_knows_both_moments() {
    let gate = Gate::default();
    let sink = sink(Fault::new(Phase::FinalDot, Act::Held(gate.clone()))).await;
    let mut talk = Talk::with(&sink).await;
    talk.sends("c@b.example").await;
    gate.reached(1).await;
    assert!(timeout(SOON, talk.hears()).await.is_err());
    gate.open();
    assert!(talk.hears().await.starts_with("250"));
    let transactions = sink.wait_for(1).await;
    assert!(transactions[0].taken && transactions[0].answered >= transactions[0].came + SOON);
}

#[tokio::test]
async fn a_reply_comes_late_a_connection_is_reset_and_a_taken_mail_stays_taken() {
    let late = sink(Fault::new(Phase::FinalDot, Act::Late(SOON))).await;
    let mut talk = Talk::with(&late).await;
    talk.sends("c@b.example").await;
    assert!(talk.hears().await.starts_with("250"));
    let taken = late.wait_for(1).await;
    assert!(taken[0].answered >= taken[0].came + SOON);

    let resetting = sink(Fault::new(Phase::FinalDot, Act::Reset)).await;
    let mut talk = Talk::with(&resetting).await;
    talk.sends("c@b.example").await;
    assert_eq!(talk.0.read_u8().await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert!(!resetting.ledger().transactions()[0].taken);
}

#[tokio::test]
async fn replies_drip_and_never_end() {
    let dripping = sink(Fault::new(Phase::Noop, Act::Drip("250 ok".to_owned(), Duration::from_millis(1)))).await;
    assert_eq!(Talk::with(&dripping).await.asks("NOOP").await, "250 ok\r\n");
    let endless = sink(Fault::new(Phase::Noop, Act::Endless("250-on".to_owned()))).await;
    let mut talk = Talk::with(&endless).await;
    talk.asks("NOOP").await;
    for _ in 0..1000 {
        assert_eq!(talk.hears().await, "250-on\r\n");
    }
}
