//! A Postfix whose next host takes not all that it was given: the mail that it returns comes in by the script of `docs/deploy`, with curl.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use selfmx_testing::{Fault, Phase, Postfix, Sink, SinkSettings};
use serde_json::json;

use crate::process::KEY;
use crate::world::{World, recipient};

const SCRIPT: &str = include_str!("../../../../../docs/deploy/selfmx-feedback");

#[tokio::test]
async fn what_a_postfix_gives_back_is_recorded() {
    let refused = Fault::reply(Phase::Rcpt, "550 5.1.1 No such user here").for_local("gone");
    let next = Sink::start(SinkSettings { faults: vec![refused], ..SinkSettings::default() }).await;
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let [script, command, header, url, trusted] =
        ["selfmx-feedback", "command", "header", "url", "authorities.pem"].map(|name| folder.path().join(name));
    fs::write(&header, format!("Authorization: Bearer {KEY}\n")).unwrap();
    // Which port the server has is known later than what Postfix runs.
    let told = format!("#!/bin/sh\nexec {} \"$(cat {})\" {}\n", script.display(), url.display(), header.display());
    for (program, text) in [(&script, SCRIPT), (&command, &told)] {
        fs::write(program, text).unwrap();
        fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let postfix = Postfix::returning(next.address(), "shop@sender.example", command.to_str().unwrap());
    fs::write(&trusted, postfix.certificate().pem()).unwrap();
    let (host, port) = (postfix.address().ip().to_string(), postfix.address().port().to_string());
    let world = World::start_with(&[
        ("SMTP_HOST", &host),
        ("SMTP_PORT", &port),
        ("SMTP_USER", Postfix::USER),
        ("SMTP_PASS", Postfix::PASS),
        ("SSL_CERT_FILE", trusted.to_str().unwrap()),
    ])
    .await;
    fs::write(&url, format!("http://{}/v1/feedback", world.server.address())).unwrap();

    let to = json!(["anna@recipient.example", "gone@recipient.example"]);
    let id = world.send(json!({"from": "shop@sender.example", "to": to, "text": "Grüße"})).await;
    let email = world.email_when(&id, |email| email["status"] == "bounced").await;
    let (gone, anna) = (recipient(&email, "gone@recipient.example"), recipient(&email, "anna@recipient.example"));
    assert_eq!(
        (&gone["status"], &gone["bounce_type"], &anna["status"]),
        (&json!("bounced"), &json!("hard"), &json!("delivered")),
        "{email}\n{}",
        postfix.log()
    );
    let said = gone["last_response"].as_str().unwrap();
    assert!(said.starts_with("550 5.1.1 ") && said.contains("No such user here"), "{said}");
    assert_eq!(world.get("/v1/suppressions/gone@recipient.example").await.json()["email_id"], id);
    // The relay took it, and it came back.
    let kinds: Vec<_> = email["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["to"] == "gone@recipient.example")
        .map(|event| event["type"].clone())
        .collect();
    assert_eq!(kinds, ["delivered", "bounced"]);
}
