//! What only the server can reach, a tenant's relay does not reach.

use std::time::Duration;

use selfmx_testing::Sink;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::{ALLOWED, Shop, plain};
use crate::world::{World, fault, refuses, text};

/// Whether somebody has connected.
async fn was_reached(listener: &TcpListener) -> bool {
    timeout(Duration::from_millis(100), listener.accept()).await.is_ok()
}

#[tokio::test]
async fn no_spelling_of_this_machine_s_own_address_is_connected_to() {
    let server = Sink::well_behaved().await;
    let (v4, v6) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("[::1]:0").await.unwrap());
    let port = v4.local_addr().unwrap().port();
    let world = World::relayed(server.address(), &[]).await;
    let hosts = [
        "127.0.0.1",
        "127.8.9.1",
        "0.0.0.0",
        "::1",
        "::",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "10.0.0.1",
        "169.254.169.254",
        "[::1]",
        "[127.0.0.1]",
        "0x7f.1",
        "0x7f000001",
        "127.1",
        "2130706433",
        "017700000001",
        "127.0.0.1.",
        "localhost:25",
        "::1%lo",
    ];
    let cases =
        hosts.map(|host| (json!({"name": "Shop", "smtp": {"host": host, "port": port}}), "invalid_request", "smtp.host".to_owned()));
    refuses(&world, "/v1/tenants", cases).await;
    // A name shows where it leads only when it is looked up.
    for (host, port) in [("localhost", port), ("LOCALHOST", v6.local_addr().unwrap().port()), ("unknown.invalid", port)] {
        let shop = Shop::with(&world, json!({"host": host, "port": port, "tls": false})).await;
        let answer = shop.tested(&world).await;
        assert_eq!(fault(&answer).0, 502);
        let told = text(&answer.json()["error"]["message"]);
        assert_eq!(told, "the relay's host has no public address: only public addresses are connected to", "the same for all");
        let id = shop.send(&world).await;
        let recipient = shop.told(&world, &id).await;
        assert_eq!(text(&recipient["last_response"]), told, "{recipient}");
    }
    assert!(!was_reached(&v4).await && !was_reached(&v6).await);
    assert_eq!(server.ledger().connections(), 0, "nor does it go out over the server's relay");
}

#[tokio::test]
async fn what_was_allowed_once_is_not_for_ever() {
    let (own, server) = (Sink::well_behaved().await, Sink::well_behaved().await);
    let world = World::start_with(&[ALLOWED]).await;
    let shop = Shop::with(&world, plain(own.address())).await;
    let id = shop.send(&world).await;
    assert_eq!(shop.told(&world, &id).await["status"], "delivered");
    let (connections, port) = (own.ledger().connections(), crate::world::port(&server));
    let world = world.restarted(&[("SMTP_HOST", "127.0.0.1"), ("SMTP_PORT", &port), ("SMTP_TLS", "false")]).await;
    let id = shop.send(&world).await;
    let held = shop.told(&world, &id).await;
    assert_eq!((&held["status"], &held["attempts"]), (&json!("queued"), &json!(0)), "{held}");
    assert!(text(&held["last_response"]).contains("no public address"), "{held}");
    assert_eq!(shop.tested(&world).await.status, 502);
    assert_eq!((own.ledger().connections(), server.ledger().connections()), (connections, 0));
}
