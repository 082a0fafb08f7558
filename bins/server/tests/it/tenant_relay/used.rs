//! Whose mail goes where, and what is shown of a relay.

use std::fs;

use selfmx_testing::{Certificate, Fault, Phase, Postfix, Sink, SinkSettings};
use serde_json::{Value, json};

use super::{ALLOWED, Shop, dump, locked, plain, shows, with_login};
use crate::world::{World, fault, refuses, text};

#[tokio::test]
async fn a_tenant_s_mail_goes_through_its_own_postfix_whose_password_nobody_sees() {
    let (server, next) = (Sink::well_behaved().await, Sink::well_behaved().await);
    let (postfix, folder) = (Postfix::start(Some(next.address())), tempfile::tempdir().unwrap());
    let trusted = folder.path().join("authorities.pem");
    fs::write(&trusted, postfix.certificate().pem()).unwrap();
    let variables = [ALLOWED, ("SSL_CERT_FILE", trusted.to_str().unwrap()), ("LOG_LEVEL", "debug")];
    let world = World::relayed(server.address(), &variables).await;
    let mut smtp = with_login(postfix.address());
    (smtp["user"], smtp["pass"]) = (Postfix::USER.into(), Postfix::PASS.into());
    let shop = Shop::with(&world, smtp.clone()).await;
    let tested = shop.tested(&world).await;
    assert!(
        tested.status == 200 && text(&tested.json()["message"]).contains("own relay answered: 250"),
        "{}\n{}",
        tested.json(),
        postfix.log()
    );
    let id = shop.send(&world).await;
    let told = shop.told(&world, &id).await;
    assert!(told["status"] == "delivered" && text(&told["last_response"]).contains("queued as"), "{told}\n{}", postfix.log());
    let platform = world.send(json!({})).await;
    assert_eq!(world.settled(&platform).await["status"], "delivered");
    assert_eq!((next.wait_for(1).await.len(), server.wait_for(1).await.len()), (1, 1));

    let mut seen = String::new();
    for path in [format!("/v1/tenants/{}", shop.id), "/v1/tenants".to_owned(), "/v1/audit-logs".to_owned()] {
        seen.push_str(&world.get(&path).await.json().to_string());
    }
    assert!(seen.contains(r#""has_pass":true"#) && seen.contains("tenant.create"), "{seen}");
    // Said again, changed, wrong: it is shown in no answer.
    for smtp in
        [smtp.clone(), json!({"pass": Postfix::PASS}), json!({"pass": [Postfix::PASS]}), json!({Postfix::PASS: 1, "port": Postfix::PASS})]
    {
        let answer = shop.change(&world, smtp).await;
        let echoed = answer.json().to_string();
        assert!(answer.status == 200 || answer.status == 400, "{echoed}");
        if answer.json()["error"]["code"] != "unknown_field" {
            seen.push_str(&echoed);
        }
    }
    seen.push_str(&dump(&world.database).await);
    seen.push_str(&world.server.stop().await.log);
    assert!(!shows(&seen, Postfix::PASS));
}

#[tokio::test]
async fn a_relay_is_shown_changed_and_taken_away() {
    let server = Sink::well_behaved().await;
    let world = World::relayed(server.address(), &[]).await;
    let shop = Shop::with(&world, json!({"host": "SMTP.Shop.example", "user": "u", "pass": "p"})).await;
    let shown = async |smtp: Value| {
        let answer = shop.change(&world, smtp).await;
        assert_eq!(answer.status, 200, "{}", answer.json());
        let found = world.get(&format!("/v1/tenants/{}", shop.id)).await.json();
        assert_eq!(found["smtp"], answer.json()["smtp"]);
        answer.json()["smtp"].clone()
    };
    let whole = json!({"host": "smtp.shop.example", "port": 587, "user": "u", "tls": true, "has_pass": true});
    assert_eq!(shown(json!({})).await, whole);
    for (smtp, field) in [
        (json!({"host": "evil.example"}), "smtp.pass"),
        (json!({"port": 25}), "smtp.pass"),
        (json!({"user": "v"}), "smtp.pass"),
        (json!({"tls": false}), "smtp.tls"),
        (json!({"pass": null}), "smtp.pass"),
        (json!({"user": null}), "smtp.user"),
        (json!({"host": "127.0.0.1", "pass": "p"}), "smtp.host"),
        (json!({"host": ""}), "smtp.host"),
    ] {
        let answer = shop.change(&world, smtp.clone()).await;
        assert_eq!(fault(&answer), (400, "invalid_request".to_owned(), field.to_owned()), "{smtp}");
    }
    assert_eq!(shown(json!({"host": "b.example", "pass": "q"})).await["host"], "b.example");
    let open = json!({"host": "b.example", "port": 587, "tls": false, "has_pass": false});
    assert_eq!(shown(json!({"user": null, "pass": null, "tls": false})).await, open);
    assert_eq!(shown(Value::Null).await, Value::Null);
    // Without a relay of its own, it has the server's.
    let tested = shop.tested(&world).await;
    assert!(text(&tested.json()["message"]).contains("the relay answered: 250"), "{}", tested.json());
    let id = shop.send(&world).await;
    assert_eq!(shop.told(&world, &id).await["status"], "delivered");
    let cases = [
        (json!({"name": "a", "smtp": {}}), "invalid_request", "smtp.host"),
        (json!({"name": "a", "smtp": {"ssl": true}}), "unknown_field", "smtp.ssl"),
    ];
    refuses(&world, "/v1/tenants", cases.map(|(body, code, field)| (body, code, field.to_owned()))).await;
}

#[tokio::test]
async fn what_a_tenant_s_relay_says_is_told_in_one_bounded_line() {
    let words = format!("554 5.3.2 {}\u{7}\u{1b}[31m end", "no ".repeat(100));
    let rude = Sink::start(SinkSettings { faults: vec![Fault::reply(Phase::Ehlo, &words)], ..SinkSettings::default() }).await;
    let world = World::start_with(&[ALLOWED]).await;
    let shop = Shop::with(&world, plain(rude.address())).await;
    let answer = shop.tested(&world).await;
    assert_eq!(fault(&answer), (502, "relay_failed".to_owned(), String::new()));
    let message = text(&answer.json()["error"]["message"]);
    assert!(message.contains("554 5.3.2 no no") && message.len() < 1100 && !message.contains(char::is_control), "{message:?}");
}

#[tokio::test]
async fn a_certificate_with_many_names_makes_no_long_answer() {
    let names: Vec<String> = (0..100).map(|n| format!("{}-{n}.shop.example", "n".repeat(50))).collect();
    let certificate = Certificate::for_names(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let (own, folder) = (locked(&certificate).await, tempfile::tempdir().unwrap());
    let trusted = folder.path().join("authorities.pem");
    fs::write(&trusted, certificate.pem()).unwrap();
    let world = World::start_with(&[ALLOWED, ("SSL_CERT_FILE", trusted.to_str().unwrap())]).await;
    let shop = Shop::with(&world, with_login(own.address())).await;
    let answer = shop.tested(&world).await;
    let message = text(&answer.json()["error"]["message"]);
    assert!(
        answer.status == 502 && message.contains("not trusted") && message.contains("-3.shop.example") && message.len() < 1100,
        "{message}"
    );
    let id = shop.send(&world).await;
    let held = shop.told(&world, &id).await;
    assert!(text(&held["last_response"]).contains("not trusted") && text(&held["last_response"]).len() < 1100, "{held}");
    assert!(!own.ledger().commands().iter().any(|(_, line)| line.starts_with("AUTH")), "{:?}", own.ledger().commands());
}
