//! How one node hears of another's work.

use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::node::{Node, listeners};
use crate::place::{LONG, Place, accept, permit};

#[tokio::test]
async fn work_that_one_node_accepts_wakes_another() {
    let place = Place::new().await;
    let (one, other) = (Node::listening(&place).await, Node::listening(&place).await);
    for _ in 0..3 {
        accept(&one.store, &permit(), |_| {}).await;
        one.wakes().await;
        other.wakes().await;
        accept(&other.store, &permit(), |_| {}).await;
        one.wakes().await;
        other.wakes().await;
    }
}

#[tokio::test]
async fn a_node_hears_of_its_own_work_once() {
    let place = Place::new().await;
    let (one, other) = (Node::listening(&place).await, Node::listening(&place).await);
    accept(&one.store, &permit(), |_| {}).await;
    one.wakes().await;
    other.wakes().await;
    // The other's answer comes after all that the first announced.
    accept(&other.store, &permit(), |_| {}).await;
    one.wakes().await;
    assert!(one.store.work_arrived().now_or_never().is_none());
}

#[tokio::test]
async fn a_node_needs_nobody_to_hear_of_its_own_work() {
    let place = Place::new().await;
    accept(&place.store, &permit(), |_| {}).await;
    timeout(LONG, place.store.work_arrived()).await.unwrap();
    place.store.work_suspected();
    timeout(LONG, place.store.work_arrived()).await.unwrap();
    assert!(place.store.work_arrived().now_or_never().is_none());
}

#[tokio::test]
async fn a_listening_connection_that_is_killed_comes_back_and_looks_for_what_it_missed() {
    let place = Place::new().await;
    let node = Node::listening(&place).await;
    let killed = listeners(&place).await;
    assert_eq!(killed.len(), 1);
    place.ask(&format!("SELECT pg_terminate_backend({})", killed[0])).await;
    node.wakes().await;
    let back = listeners(&place).await;
    assert!(back.len() == 1 && back != killed, "{back:?}");
    accept(&place.store, &permit(), |_| {}).await;
    let announcer = Node::listening(&place).await;
    accept(&announcer.store, &permit(), |_| {}).await;
    node.wakes().await;
}

#[tokio::test]
async fn a_node_that_is_told_to_stop_stops_listening() {
    let place = Place::new().await;
    let node = Node::listening(&place).await;
    node.stop.cancel();
    timeout(LONG, node.listening).await.unwrap().unwrap();
    while !listeners(&place).await.is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_node_that_cannot_listen_stops_when_told() {
    let (store, stop) = (Place::new().await.store, CancellationToken::new());
    let nowhere = "host=/nowhere user=u dbname=d".parse().unwrap();
    let token = stop.clone();
    let listening = tokio::spawn(async move { store.listen(&nowhere, token).await });
    tokio::task::yield_now().await;
    stop.cancel();
    timeout(LONG, listening).await.unwrap().unwrap();
}
