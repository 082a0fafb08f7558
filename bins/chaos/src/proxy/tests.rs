//! A proxy does what it is told, to an echo.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout};

use super::*;

const PATIENCE: Duration = Duration::from_secs(10);
const SOON: Duration = Duration::from_millis(100);

/// Sends back what it is sent.
async fn echo() -> Proxy {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                drop(tokio::io::copy(&mut from, &mut to).await);
            });
        }
    });
    Proxy::start(Target::Tcp(address)).await.unwrap()
}

async fn said(stream: &mut TcpStream, text: &str) -> std::io::Result<String> {
    stream.write_all(text.as_bytes()).await?;
    let mut room = vec![0; text.len()];
    timeout(PATIENCE, stream.read_exact(&mut room)).await.unwrap()?;
    Ok(String::from_utf8(room).unwrap())
}

async fn is_silent(stream: &mut TcpStream) -> bool {
    timeout(SOON, stream.read_u8()).await.is_err()
}

#[tokio::test]
async fn what_is_said_passes_and_in_slow_weather_later() {
    let proxy = echo().await;
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(said(&mut stream, "one").await.unwrap(), "one");
    proxy.set(Weather::Slow(SOON));
    let asked = Instant::now();
    assert_eq!(said(&mut stream, "two").await.unwrap(), "two");
    assert!(asked.elapsed() >= SOON * 2);
}

#[tokio::test]
async fn a_half_open_connection_stands_and_says_nothing_until_it_is_cut() {
    let proxy = echo().await;
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(said(&mut stream, "one").await.unwrap(), "one");
    proxy.set(Weather::Swallows);
    stream.write_all(b"two").await.unwrap();
    assert!(is_silent(&mut stream).await);
    proxy.set(Weather::Clear);
    assert!(is_silent(&mut stream).await, "what was swallowed is gone");
    proxy.cut();
    let error = timeout(PATIENCE, stream.read_u8()).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    let mut another = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(said(&mut another, "three").await.unwrap(), "three");
}

#[tokio::test]
async fn a_connection_is_refused_or_cut_after_so_many_octets() {
    let proxy = echo().await;
    proxy.set(Weather::Refuses);
    let mut refused = TcpStream::connect(proxy.address()).await.unwrap();
    assert!(timeout(PATIENCE, refused.read_u8()).await.unwrap().is_err());
    proxy.set(Weather::CutsAfter(5));
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(said(&mut stream, "one").await.unwrap(), "one");
    stream.write_all(b"two").await.unwrap();
    let mut rest = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut rest)).await.unwrap().unwrap();
    assert_eq!(rest, "tw");
}

#[tokio::test]
async fn a_question_an_answer_or_the_answer_to_a_question_is_held() {
    let proxy = echo().await;
    for (hold, text) in [(Hold::before("mark"), "a mark"), (Hold::answer("mark"), "a mark"), (Hold::after("mark"), "mark Z\0\0\0\u{5}I")] {
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        proxy.hold(hold.clone());
        assert_eq!(said(&mut stream, "other").await.unwrap(), "other");
        stream.write_all(text.as_bytes()).await.unwrap();
        hold.reached(PATIENCE).await.unwrap();
        assert!(is_silent(&mut stream).await);
        proxy.hold(Hold::before("never"));
        let mut room = vec![0; text.len()];
        timeout(PATIENCE, stream.read_exact(&mut room)).await.unwrap().unwrap();
        assert_eq!(room, text.as_bytes());
    }
    let hold = Hold::before("never");
    assert!(hold.reached(SOON).await.is_err());
}

#[tokio::test]
async fn what_was_held_and_is_dropped_never_arrives() {
    let (listener, hold) = (TcpListener::bind(("127.0.0.1", 0)).await.unwrap(), Hold::before("mark"));
    let proxy = Proxy::start(Target::Tcp(listener.local_addr().unwrap())).await.unwrap();
    proxy.hold(hold.clone());
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    let (mut target, _) = listener.accept().await.unwrap();
    stream.write_all(b"a mark").await.unwrap();
    hold.reached(PATIENCE).await.unwrap();
    proxy.drop_held();
    let mut arrived = Vec::new();
    drop(timeout(PATIENCE, target.read_to_end(&mut arrived)).await.unwrap());
    assert_eq!(arrived, b"");
}
