//! What is dialled, in a network of which the test says what its names mean.

use std::sync::Mutex;
use std::time::Duration;

use tokio::net::TcpListener;

use super::*;

/// A network in which a name means something else each time it is looked up, and in which every address leads to one listener on this machine.
struct Staged {
    answers: Mutex<Vec<io::Result<Vec<SocketAddr>>>>,
    listener: SocketAddr,
    dialled: Mutex<Vec<SocketAddr>>,
}

impl Network for Staged {
    async fn resolve(&self, _host: &str, _port: u16) -> io::Result<Vec<SocketAddr>> {
        self.answers.lock().unwrap().remove(0)
    }

    async fn dial(&self, address: SocketAddr) -> io::Result<TcpStream> {
        self.dialled.lock().unwrap().push(address);
        TcpStream::connect(self.listener).await
    }
}

fn at(texts: &[&str]) -> Vec<SocketAddr> {
    texts.iter().map(|text| SocketAddr::new(text.parse().unwrap(), 443)).collect()
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(5)
}

async fn staged(answers: Vec<io::Result<Vec<SocketAddr>>>) -> (Staged, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listener_address = listener.local_addr().unwrap();
    (Staged { answers: Mutex::new(answers), listener: listener_address, dialled: Mutex::default() }, listener)
}

/// Whether anybody has connected, said by the listener itself.
async fn saw_a_connection(listener: &TcpListener) -> bool {
    tokio::time::timeout(Duration::from_millis(50), listener.accept()).await.is_ok()
}

#[tokio::test]
async fn a_name_that_changes_its_mind_leads_to_nothing_inside() {
    let url: WebhookUrl = "https://rebound.example/".parse().unwrap();
    let answers = vec![Ok(at(&["9.9.9.9"])), Ok(at(&["127.0.0.1"])), Ok(at(&["127.0.0.1", "10.0.0.1"]))];
    let (network, listener) = staged(answers).await;
    assert!(connect(&network, Reach::PublicOnly, &url, soon()).await.is_ok());
    assert_eq!(network.answers.lock().unwrap().len(), 2, "looked up once: what was checked is what is dialled");
    assert_eq!(*network.dialled.lock().unwrap(), at(&["9.9.9.9"]));
    assert!(saw_a_connection(&listener).await);
    for _ in 0..2 {
        let error = connect(&network, Reach::PublicOnly, &url, soon()).await.unwrap_err();
        assert!(matches!(error, PostError::NoPublicAddress), "{error}");
    }
    assert_eq!(network.dialled.lock().unwrap().len(), 1);
    assert!(!saw_a_connection(&listener).await);
    // Whoever may go anywhere is led inside by the same answers.
    network.answers.lock().unwrap().extend([Ok(at(&["9.9.9.9"])), Ok(at(&["127.0.0.1"]))]);
    for _ in 0..2 {
        assert!(connect(&network, Reach::Anywhere, &url, soon()).await.is_ok());
        assert!(saw_a_connection(&listener).await);
    }
    assert_eq!(network.dialled.lock().unwrap()[1..], at(&["9.9.9.9", "127.0.0.1"]));
}

#[tokio::test]
async fn an_address_is_checked_right_before_it_is_dialled() {
    let (network, listener) = staged(Vec::new()).await;
    for inside in
        at(&["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:9.9.9.9", "64:ff9b::909:909", "2002:909:909::1", "fc00::1"])
    {
        assert!(matches!(dial(&network, Reach::PublicOnly, inside).await, Err(PostError::NoPublicAddress)), "{inside}");
    }
    assert!(network.dialled.lock().unwrap().is_empty() && !saw_a_connection(&listener).await);
    assert!(dial(&network, Reach::Anywhere, at(&["127.0.0.1"])[0]).await.is_ok());
    assert!(saw_a_connection(&listener).await);
}

#[tokio::test]
async fn of_a_name_s_addresses_the_public_ones_alone_are_tried_and_few_of_them() {
    let url: WebhookUrl = "http://mixed.example/".parse().unwrap();
    let mixed = ["127.0.0.1", "9.9.9.9", "::1", "::ffff:9.9.9.9", "10.1.2.3", "2620:fe::fe", "1.1.1.1", "1.0.0.1", "8.8.8.8", "8.8.4.4"];
    let (mut network, listener) = staged(vec![Ok(at(&mixed)), Ok(at(&mixed))]).await;
    // Nothing listens there any more, so that one after the other is tried.
    drop(listener);
    network.listener = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = connect(&network, Reach::PublicOnly, &url, soon()).await.unwrap_err();
    assert!(matches!(error, PostError::Connect(_)), "{error}");
    assert_eq!(*network.dialled.lock().unwrap(), at(&["9.9.9.9", "2620:fe::fe", "1.1.1.1", "1.0.0.1"]));
    network.dialled.lock().unwrap().clear();
    assert!(connect(&network, Reach::Anywhere, &url, soon()).await.is_err());
    assert_eq!(*network.dialled.lock().unwrap(), at(&mixed[..4]));
}

#[tokio::test]
async fn who_may_reach_public_addresses_only_learns_nothing_of_the_resolver_s_answer() {
    let url: WebhookUrl = "https://inside.example/".parse().unwrap();
    let unknown = || Err(io::Error::other("no such name, says 10.0.0.53"));
    let (network, _listener) = staged(vec![Ok(at(&["127.0.0.1"])), Ok(Vec::new()), unknown(), unknown()]).await;
    let mut said = Vec::new();
    for _ in 0..3 {
        let error = connect(&network, Reach::PublicOnly, &url, soon()).await.unwrap_err();
        assert!(std::error::Error::source(&error).is_none());
        said.push(format!("{error} {error:?}"));
    }
    assert!(said.iter().all(|text| *text == said[0] && !text.contains("10.0.0.53")), "{said:?}");
    let error = connect(&network, Reach::Anywhere, &url, soon()).await.unwrap_err();
    assert!(error.to_string().contains("10.0.0.53"), "{error}");
}
