//! Signatures on what arrives, verified by dkimpy: by the server's key, by a tenant's own, and never by none where there should be one.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use selfmx_storage::SecretKey;
use selfmx_testing::{OsEntropy, Postfix, Sink, Transaction, openssl, python};
use serde_json::{Value, json};

use crate::process::{KEY, SECRET_KEY, ends};
use crate::world::{World, fault, text};

/// A key's name, as the server's settings and a tenant's have it.
struct Key {
    domain: &'static str,
    selector: &'static str,
    pem: String,
}

impl Key {
    fn rsa(domain: &'static str, selector: &'static str) -> Self {
        Self { domain, selector, pem: openssl("genrsa 2048") }
    }

    fn ed25519(domain: &'static str, selector: &'static str) -> Self {
        Self { domain, selector, pem: openssl("genpkey -algorithm ed25519") }
    }

    fn settings(&self) -> [(&str, &str); 3] {
        [("DKIM_DOMAIN", self.domain), ("DKIM_SELECTOR", self.selector), ("DKIM_KEY", &self.pem)]
    }

    fn json(&self) -> Value {
        json!({"domain": self.domain, "selector": self.selector, "key": self.pem})
    }

    fn name(&self) -> String {
        format!("{}._domainkey.{}", self.selector, self.domain)
    }
}

/// A tenant with a key of its own, and the records that it is shown.
struct Shop {
    id: String,
    key: String,
}

impl Shop {
    async fn with(world: &World, dkim: Value) -> Self {
        let id = world.tenant_of(json!({"name": "Shop", "dkim": dkim})).await;
        Self { key: world.key_for(&id).await, id }
    }

    async fn change(&self, world: &World, dkim: Value) -> Value {
        let path = format!("/v1/tenants/{}", self.id);
        let answer = world.server.ask("PATCH", &path, Some(KEY), Some(&json!({"dkim": dkim}))).await;
        assert_eq!(answer.status, 200, "{}", answer.json());
        assert_eq!(world.get(&path).await.json()["dkim"], answer.json()["dkim"]);
        answer.json()["dkim"].clone()
    }

    async fn send(&self, world: &World, from: &str) -> String {
        world.send_as(&self.key, json!({"from": from})).await
    }
}

fn record(dkim: &Value) -> (String, String) {
    assert_eq!(dkim["dns_record"]["type"], "TXT", "{dkim}");
    (text(&dkim["dns_record"]["name"]), text(&dkim["dns_record"]["value"]))
}

/// The record that the server's log tells.
fn logged_record(world: &World) -> (String, String) {
    let log = world.server.log();
    let line = log.lines().find(|line| line.contains("mail is signed")).unwrap();
    let line: Value = serde_json::from_str(line).unwrap();
    (text(&line["name"]), text(&line["value"]))
}

/// The record that a message says it is signed by.
fn signed_by(octets: &[u8]) -> Option<String> {
    let message = String::from_utf8_lossy(octets).replace("\r\n ", " ");
    let field = message.split("\r\n").find_map(|line| line.strip_prefix("DKIM-Signature:"))?;
    let tag = |name: &str| field.split(';').find_map(|tag| tag.trim().strip_prefix(name)).unwrap().to_owned();
    Some(format!("{}._domainkey.{}", tag("s="), tag("d=")))
}

fn assert_valid(octets: &[&[u8]], records: &[(String, String)]) {
    for (message, verdict) in octets.iter().zip(python::verify_dkim(octets, records)) {
        assert_eq!(verdict["valid"], true, "{verdict}\n{}", String::from_utf8_lossy(message));
    }
}

fn octets(arrived: &[Transaction]) -> Vec<&[u8]> {
    arrived.iter().map(|transaction| transaction.octets.as_slice()).collect()
}

#[tokio::test]
async fn what_arrives_is_signed_by_the_server_s_key_and_is_what_is_shown() {
    for key in [Key::rsa("sender.example", "mail2026"), Key::ed25519("example", "ed")] {
        let sink = Sink::well_behaved().await;
        let world = World::relayed(sink.address(), &key.settings()).await;
        let large = BASE64_STANDARD.encode(vec![7; 400_000]);
        let mails = [
            json!({}),
            json!({"text": ".\n..\n.a line\n\n  \n. \n\n\n"}),
            json!({"text": "", "subject": "Grüße aus Köln 🎉"}),
            json!({"html": "<p>Grüße &amp; mehr</p>", "cc": ["b@recipient.example"], "bcc": "hidden@recipient.example", "reply_to": "r@x.example"}),
            json!({"headers": {"List-Unsubscribe": format!("<https://x.example/{}>", "t".repeat(300)), "X-Mine": "é  é"}}),
            json!({"attachments": [{"filename": "a.bin", "content": large}, {"filename": "Grüße.txt", "content": "LgouLgo="}]}),
            json!({"from": "Größe <\"a b\"@sub.sender.example>"}),
            json!({"from": "somebody@elsewhere.test"}),
        ];
        let mut raw = Vec::new();
        for mail in &mails {
            let id = world.send(mail.clone()).await;
            raw.push(world.raw(&id).await);
            world.settled(&id).await;
        }
        let arrived = sink.wait_for(mails.len()).await;
        assert_eq!(octets(&arrived), raw.iter().map(Vec::as_slice).collect::<Vec<_>>());
        assert!(arrived.iter().all(|one| one.octets.starts_with(b"DKIM-Signature: ") && signed_by(&one.octets) == Some(key.name())));
        let record = logged_record(&world);
        assert_eq!(record.0, key.name());
        assert_valid(&octets(&arrived), &[record]);
        let ended = world.server.stop().await;
        assert!(!ended.log.contains(key.pem.lines().nth(1).unwrap()));
    }
}

#[tokio::test]
async fn a_signature_outlives_a_real_relay() {
    let key = Key::rsa("sender.example", "mail2026");
    let next = Sink::well_behaved().await;
    let postfix = Postfix::start(Some(next.address()));
    let folder = tempfile::tempdir().unwrap();
    let trusted = folder.path().join("authorities.pem");
    std::fs::write(&trusted, postfix.certificate().pem()).unwrap();
    let (host, port) = (postfix.address().ip().to_string(), postfix.address().port().to_string());
    let relay = [
        ("SMTP_HOST", host.as_str()),
        ("SMTP_PORT", &port),
        ("SMTP_USER", Postfix::USER),
        ("SMTP_PASS", Postfix::PASS),
        ("SSL_CERT_FILE", trusted.to_str().unwrap()),
    ];
    let world = World::start_with(&[&relay[..], &key.settings()].concat()).await;
    for mail in [json!({"text": ".\n.. \n\n"}), json!({"html": "<p>Grüße</p>", "bcc": "hidden@recipient.example"})] {
        let id = world.send(mail).await;
        assert_eq!(world.settled(&id).await["status"], "delivered", "{}", postfix.log());
    }
    let arrived = next.wait_for(2).await;
    assert!(arrived.iter().all(|one| one.octets.starts_with(b"Received: ")), "it came through Postfix");
    assert_valid(&octets(&arrived), &[logged_record(&world)]);
}

#[tokio::test]
async fn a_tenant_s_own_key_signs_what_it_answers_for_and_a_change_counts_at_once() {
    let (server, own) = (Key::rsa("platform.example", "server"), Key::ed25519("shop.example", "first"));
    let sink = Sink::well_behaved().await;
    let world = World::relayed(sink.address(), &server.settings()).await;
    let (shop, other) = (Shop::with(&world, own.json()).await, Shop::with(&world, Value::Null).await);
    let mut records = vec![logged_record(&world)];
    let mut expected = Vec::new();
    let mut send = async |shop: &Shop, from: &str, by: &str| {
        shop.send(&world, from).await;
        expected.push(by.to_owned());
        sink.wait_for(expected.len()).await;
    };
    records.push(record(&shop.change(&world, json!({})).await));
    send(&shop, "a@shop.example", "first._domainkey.shop.example").await;
    send(&shop, "a@mail.shop.example", "first._domainkey.shop.example").await;
    send(&shop, "a@xshop.example", "server._domainkey.platform.example").await;
    send(&other, "a@shop.example", "server._domainkey.platform.example").await;
    let renamed = shop.change(&world, json!({"selector": "second"})).await;
    assert_eq!(renamed["dns_record"]["value"], records[1].1.as_str(), "the same key");
    records.push(record(&renamed));
    send(&shop, "a@shop.example", "second._domainkey.shop.example").await;
    let rotated = shop.change(&world, json!({"selector": "third", "key": openssl("genrsa 4096")})).await;
    assert_eq!(rotated["algorithm"], "rsa-sha256");
    records.push(record(&rotated));
    send(&shop, "a@shop.example", "third._domainkey.shop.example").await;
    assert_eq!(shop.change(&world, Value::Null).await, Value::Null);
    send(&shop, "a@shop.example", "server._domainkey.platform.example").await;
    let arrived = sink.wait_for(expected.len()).await;
    assert_eq!(arrived.iter().map(|one| signed_by(&one.octets).unwrap()).collect::<Vec<_>>(), expected);
    assert_valid(&octets(&arrived), &records);
}

#[tokio::test]
async fn without_a_key_nothing_is_signed() {
    let world = World::start().await;
    let own = Key::ed25519("shop.example", "own");
    let shop = Shop::with(&world, own.json()).await;
    assert_eq!(signed_by(&world.raw(&world.send(json!({})).await).await), None);
    let raw = async |from: &str| {
        let id = shop.send(&world, from).await;
        world.server.ask("GET", &format!("/v1/emails/{id}/raw"), Some(&shop.key), None).await.body
    };
    assert_eq!(signed_by(&raw("a@elsewhere.example").await), None);
    assert_eq!(signed_by(&raw("a@shop.example").await), Some(own.name()));
}

#[tokio::test]
async fn a_key_that_cannot_be_opened_holds_its_mail_off_until_it_is_given_again() {
    let (server, own) = (Key::ed25519("platform.example", "server"), Key::ed25519("shop.example", "own"));
    let sink = Sink::well_behaved().await;
    let world = World::relayed(sink.address(), &server.settings()).await;
    let shop = Shop::with(&world, own.json()).await;
    shop.send(&world, "a@shop.example").await;
    sink.wait_for(1).await;

    let lost = SecretKey::generate(&OsEntropy).reveal().to_string();
    let (host, port) = (sink.address().ip().to_string(), sink.address().port().to_string());
    let usual = [("SMTP_HOST", host.as_str()), ("SMTP_PORT", &port), ("SMTP_TLS", "false"), ("SECRET_KEY", &lost)];
    let world = world.restarted(&[&usual[..], &server.settings()].concat()).await;
    let mail = crate::world::email(&json!({"from": "a@shop.example"}));
    for _ in 0..2 {
        let answer = world.server.ask("POST", "/v1/send", Some(&shop.key), Some(&mail)).await;
        assert_eq!(fault(&answer), (503, "unavailable".to_owned(), String::new()));
        assert_eq!(answer.header("retry-after"), Some("5"));
        assert!(text(&answer.json()["error"]["message"]).contains("DKIM key cannot be opened"), "{}", answer.json());
    }
    assert_eq!(world.database.query_one_text("SELECT count(*) FROM emails").await, "1");
    let id = SECRET_KEY.parse::<SecretKey>().unwrap().id().to_string();
    let log = world.server.log();
    assert!(log.lines().any(|line| line.contains("ERROR") && line.contains(&id) && line.contains(&shop.id)), "{log}");
    // What others answer for goes on.
    shop.send(&world, "a@elsewhere.example").await;
    let record = record(&shop.change(&world, json!({"key": own.pem})).await);
    shop.send(&world, "a@shop.example").await;
    let arrived = sink.wait_for(3).await;
    let by: Vec<_> = arrived.iter().map(|one| signed_by(&one.octets).unwrap()).collect();
    assert_eq!(by, [own.name(), server.name(), own.name()]);
    assert_valid(&octets(&arrived), &[record, logged_record(&world)]);
}

#[tokio::test]
async fn a_key_without_its_name_and_a_weak_one_stop_the_start() {
    let (key, weak) = (openssl("genpkey -algorithm ed25519"), openssl("genrsa 1024"));
    for (variables, words) in [
        (
            &[("DKIM_DOMAIN", "x.example"), ("DKIM_SELECTOR", "s")][..],
            "DKIM_KEY is not set: set all of DKIM_DOMAIN, DKIM_SELECTOR and DKIM_KEY",
        ),
        (&[("DKIM_KEY", key.as_str())], "DKIM_DOMAIN is not set"),
        (&[("DKIM_DOMAIN", "x.example"), ("DKIM_SELECTOR", "s"), ("DKIM_KEY", &weak)], "RSA of 2048 to 4096 bits"),
    ] {
        let nowhere = [("DATABASE_URL", "postgres://selfmx:p@127.0.0.1:1/selfmx?sslmode=disable")];
        let ended = ends(&[&nowhere[..], variables].concat()).await;
        assert_eq!((ended.code, ended.log.lines().count()), (Some(2), 1), "{}", ended.log);
        assert!(ended.log.contains(words) && !ended.log.contains(key.lines().nth(1).unwrap()), "{}", ended.log);
    }
}
