//! SIGTERM: what is open finishes, nothing new begins, and the process ends with 0.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use selfmx_testing::{Act, Fault, HttpClient, Phase, Sink, SinkSettings};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::process::{KEY, until};
use crate::world::{World, email};

/// A connection on which the server waits for the rest of the body of `POST /v1/send`.
async fn begun(address: SocketAddr, length: usize, first: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /v1/send HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n\
         Content-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // So it says that it has read the head and begins with the body.
    let (mut interim, expected) = ([0; 25], b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.read_exact(&mut interim).await.unwrap();
    assert_eq!(&interim, expected);
    stream.write_all(first.as_bytes()).await.unwrap();
    stream
}

/// Sends the rest, and reads the answer to the connection's end: its head, and its body as JSON.
async fn finished(mut stream: TcpStream, rest: &str) -> (String, Value) {
    stream.write_all(rest.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), serde_json::from_str(body).unwrap())
}

#[tokio::test]
async fn a_request_that_is_open_is_answered_and_no_other_is_taken() {
    let world = World::start().await;
    let body = email(&json!({})).to_string();
    let (address, (first, second)) = (world.server.address(), body.split_at(10));
    let sending = begun(address, body.len(), first).await;
    let mut idle = world.server.connect().await;
    assert_eq!(idle.send("GET", "/health/ready", None, None).await.unwrap().status, 200);
    world.server.terminate();
    world.server.logged("draining").await;
    assert!(HttpClient::connect(address).await.is_err(), "a new connection was taken");
    assert!(idle.send("GET", "/health", None, None).await.is_err(), "an idle connection was kept");
    let (head, answer) = finished(sending, second).await;
    assert!(head.starts_with("HTTP/1.1 202 "), "{head}\n{answer}");

    let ended = world.server.ended().await;
    assert_eq!(ended.code, Some(0));
    assert!(ended.log.lines().last().unwrap().contains("\"drained\""), "{}", ended.log);
    assert_eq!(world.database.query_one_text("SELECT count(*) FROM emails").await, "1");
    assert_eq!(
        world
            .database
            .query_one_text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
            .await,
        "0"
    );
}

#[tokio::test]
async fn a_second_signal_waits_for_nothing() {
    let world = World::start().await;
    let _open = begun(world.server.address(), 10, "").await;
    world.server.terminate();
    world.server.logged("draining").await;
    let begin = Instant::now();
    world.server.terminate();
    let ended = world.server.ended().await;
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    assert!(ended.code == Some(0) && ended.log.contains("a second signal"), "{:?}: {}", ended.code, ended.log);
}

#[tokio::test]
async fn an_interrupt_is_a_request_to_stop_as_well_and_with_nothing_open_it_is_quick() {
    let world = World::start().await;
    let begin = Instant::now();
    world.server.signal("INT");
    let ended = world.server.ended().await;
    assert_eq!(ended.code, Some(0));
    assert!(begin.elapsed() < Duration::from_secs(3) && ended.log.contains("\"drained\""), "{:?}: {}", begin.elapsed(), ended.log);
}

/// Stands before a relay, and keeps back what the relay says while it is told to.
async fn muffled(relay: SocketAddr, mut quiet: watch::Receiver<bool>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (client, _) = listener.accept().await.unwrap();
        let server = TcpStream::connect(relay).await.unwrap();
        let ((mut from_client, mut to_client), (mut from_server, mut to_server)) = (client.into_split(), server.into_split());
        tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
        let mut octets = [0; 4096];
        while let Ok(count @ 1..) = from_server.read(&mut octets).await {
            quiet.wait_for(|quiet| !quiet).await.unwrap();
            to_client.write_all(&octets[..count]).await.unwrap();
        }
    });
    address
}

#[tokio::test]
async fn a_delivery_under_way_is_recorded_and_what_was_only_claimed_is_given_back() {
    let (sink, (quiet, quiet_seen)) = (Sink::well_behaved().await, watch::channel(false));
    let relay = muffled(sink.address(), quiet_seen).await;
    let world = World::relayed(relay, &[("SMTP_POOL_SIZE", "1"), ("QUEUE_WORKERS", "1")]).await;
    // The connection is there; from now on the relay's answers stay away.
    world.send(json!({})).await;
    until(&world.database, "SELECT count(*) FROM queue", "0").await;
    quiet.send_replace(true);
    for _ in 0..3 {
        world.send(json!({})).await;
    }
    until(&world.database, "SELECT count(*) FROM queue WHERE lease_token IS NOT NULL", "3").await;
    // So that the end comes in the middle of one.
    sink.ledger()
        .until("a second mail's MAIL", |ledger| ledger.commands().iter().filter(|(_, line)| line.starts_with("MAIL")).count() == 2)
        .await;
    world.server.terminate();
    world.server.logged("draining").await;
    until(&world.database, "SELECT count(*) FROM queue WHERE lease_token IS NULL AND due_at <= now()", "2").await;
    assert!(!world.server.log().contains("\"drained\""), "it waits for the delivery");
    quiet.send_replace(false);
    let ended = world.server.ended().await;
    assert!(ended.code == Some(0) && ended.log.contains("\"drained\""), "{:?}: {}", ended.code, ended.log);
    assert_eq!(world.database.query_one_text("SELECT count(*) FROM emails WHERE status = 'delivered'").await, "2");
    assert_eq!(world.database.query_one_text("SELECT count(*) FROM queue").await, "2");
    assert_eq!(sink.ledger().delivered_count(), 2);
}

#[tokio::test]
async fn a_relay_that_hangs_does_not_keep_the_server_for_ever() {
    let hanging = Sink::start(SinkSettings { faults: vec![Fault::new(Phase::Mail, Act::Silence)], ..SinkSettings::default() }).await;
    let world = World::relayed(hanging.address(), &[("SMTP_TIMEOUT", "1"), ("QUEUE_RETRY_DELAY", "3600")]).await;
    let id = world.send(json!({})).await;
    hanging.ledger().until("MAIL", |ledger| ledger.commands().iter().any(|(_, line)| line.starts_with("MAIL"))).await;
    assert_eq!(world.email(&id).await["status"], "sending");
    let ended = world.server.stop().await;
    assert!(ended.code == Some(0) && ended.log.contains("\"drained\""), "{:?}: {}", ended.code, ended.log);
    assert_eq!(world.database.query_one_text("SELECT attempts FROM recipients").await, "1", "the attempt was recorded");
}
