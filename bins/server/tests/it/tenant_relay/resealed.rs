//! `selfmx secrets reencrypt`, and what becomes of mail whose password cannot be opened.

use std::fs;

use selfmx_storage::SecretKey;
use selfmx_testing::{Certificate, OsEntropy, Sink};
use serde_json::json;

use super::{ALLOWED, LOGIN, Shop, locked, shows, with_login};
use crate::process::{Ended, command, command_ends};
use crate::world::{World, port, text};

async fn reencrypt(world: &World, key: &str, old: &str) -> Ended {
    let variables = [("DATABASE_URL", world.database.connection_string()), ("SECRET_KEY", key), ("SECRET_KEYS_OLD", old)];
    let mut command = command(&variables);
    command.args(["secrets", "reencrypt"]);
    command_ends(command).await
}

fn id(key: &str) -> String {
    key.parse::<SecretKey>().unwrap().id().to_string()
}

#[tokio::test]
async fn the_secret_key_is_changed_while_servers_run_and_lost_passwords_hold_their_mail() {
    let [old, new, other] = [(); 3].map(|()| SecretKey::generate(&OsEntropy).reveal().to_string());
    let (certificate, folder) = (Certificate::for_loopback(), tempfile::tempdir().unwrap());
    let (own, server, trusted) = (locked(&certificate).await, Sink::well_behaved().await, folder.path().join("authorities.pem"));
    fs::write(&trusted, certificate.pem()).unwrap();
    let server_port = port(&server);
    let usual = [
        ALLOWED,
        ("SSL_CERT_FILE", trusted.to_str().unwrap()),
        ("SMTP_HOST", "127.0.0.1"),
        ("SMTP_PORT", &server_port),
        ("SMTP_TLS", "false"),
    ];
    let with = |key: &[(&'static str, String)]| key.to_vec();
    let variables = |keys: &[(&'static str, String)]| {
        let mut all: Vec<(String, String)> = usual.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        all.extend(with(keys).into_iter().map(|(name, value)| (name.to_owned(), value)));
        all
    };
    let start = async |world: Option<World>, keys: &[(&'static str, String)]| {
        let owned = variables(keys);
        let all: Vec<(&str, &str)> = owned.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        match world {
            Some(world) => world.restarted(&all).await,
            None => World::start_with(&all).await,
        }
    };
    let delivered = async |world: &World, shop: &Shop| {
        let id = shop.send(world).await;
        let told = shop.told(world, &id).await;
        assert_eq!(told["status"], "delivered", "{told}");
    };

    let world = start(None, &[("SECRET_KEY", old.clone())]).await;
    let shop = Shop::with(&world, with_login(own.address())).await;
    delivered(&world, &shop).await;
    let world = start(Some(world), &[("SECRET_KEY", new.clone()), ("SECRET_KEYS_OLD", old.clone())]).await;
    delivered(&world, &shop).await;
    let ended = reencrypt(&world, &new, &old).await;
    assert_eq!(
        (ended.code, ended.standard_output),
        (Some(0), format!("1 secrets sealed again with the key {}; 0 were already\n", id(&new)))
    );
    let again = reencrypt(&world, &new, &old).await;
    assert!(
        again.code == Some(0)
            && again.standard_output.starts_with("0 secrets sealed again")
            && again.standard_output.ends_with("; 1 were already\n")
    );
    delivered(&world, &shop).await;
    let world = start(Some(world), &[("SECRET_KEY", new.clone())]).await;
    delivered(&world, &shop).await;

    // The key is lost.
    let connections = own.ledger().connections();
    let world = start(Some(world), &[("SECRET_KEY", other.clone())]).await;
    let ended = reencrypt(&world, &other, "").await;
    assert!(
        ended.code == Some(1) && ended.log.contains(&format!("1 secrets cannot be opened: it is sealed with the key {}", id(&new))),
        "{}",
        ended.log
    );
    let mail = shop.send(&world).await;
    let held = shop.told(&world, &mail).await;
    assert_eq!((&held["status"], &held["attempts"]), (&json!("queued"), &json!(0)), "{held}");
    assert!(text(&held["last_response"]).contains("cannot be opened"), "{held}");
    let tested = shop.tested(&world).await;
    assert!(tested.status == 502 && !tested.json().to_string().contains(&id(&new)), "{}", tested.json());
    assert!(
        world.server.log().lines().any(|line| line.contains("its mail is held") && line.contains(&id(&new)) && line.contains(&shop.id)),
        "{}",
        world.server.log()
    );
    assert_eq!((own.ledger().connections(), server.ledger().connections()), (connections, 0));
    // Given again, it is sealed with the present key, and what was held goes out.
    assert_eq!(shop.change(&world, json!({"pass": LOGIN.1})).await.status, 200);
    world.database.execute("UPDATE queue SET due_at = now()").await;
    crate::process::until(&world.database, "SELECT count(*) FROM emails WHERE status <> 'delivered'", "0").await;
    let ended = world.server.stop().await;
    assert!(![LOGIN.1, &old, &new, &other].iter().any(|secret| shows(&ended.log, secret)), "{}", ended.log);
}
