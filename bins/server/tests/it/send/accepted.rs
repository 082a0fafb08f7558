//! What is accepted, and how it is read back.

use selfmx_testing::Sink;
use serde_json::{Value, json};

use crate::forms::{is_id, is_time};
use crate::process::{KEY, until};
use crate::world::{World, email, port, recipient, text};

#[tokio::test]
async fn an_accepted_email_is_committed_delivered_and_read_back_as_it_was_sent() {
    let world = World::start().await;
    let sent = json!({
        "from": "Größe, GmbH <shop@sender.example>", "to": ["Anna <anna@recipient.example>", "ben@recipient.example"], "cc": "cara@recipient.example",
        "bcc": ["Dora <dora@recipient.example>"], "reply_to": "help@sender.example", "subject": "Grüße 🎉", "text": "Text ü", "html": "<p>HTML ü</p>",
        "headers": {"X-Campaign": "März"}, "tags": ["welcome", {"name": "kind", "value": "first-mail"}], "metadata": {"order": "7", "note": "a\nb ü"},
        "priority": "high",
    });
    let answer = world.post("/v1/send", &sent).await;
    let accepted = answer.json();
    assert_eq!((answer.status, &accepted["status"]), (202, &json!("queued")));
    assert!(is_id("msg", &accepted["id"]) && is_time(&accepted["created_at"]), "{accepted}");
    assert_eq!(accepted.as_object().unwrap().len(), 3, "{accepted}");

    let id = text(&accepted["id"]);
    let read = world.settled(&id).await;
    let expected = json!({
        "id": id, "status": "delivered", "from": "\"Größe, GmbH\" <shop@sender.example>", "to": ["Anna <anna@recipient.example>", "ben@recipient.example"],
        "cc": ["cara@recipient.example"], "bcc": ["Dora <dora@recipient.example>"], "reply_to": ["help@sender.example"], "subject": "Grüße 🎉",
        "text": "Text ü", "html": "<p>HTML ü</p>", "tags": sent["tags"], "metadata": sent["metadata"], "priority": "high", "mode": "live",
        "api_key_id": "key_default", "template_id": null, "scheduled_at": null, "created_at": accepted["created_at"],
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&read[name], value, "{name}");
    }
    assert!(is_time(&read["delivered_at"]), "{read}");
    let kinds: Vec<_> = read["recipients"].as_array().unwrap().iter().map(|to| (text(&to["address"]), text(&to["kind"]))).collect();
    let expected = [("anna", "to"), ("ben", "to"), ("cara", "cc"), ("dora", "bcc")];
    assert_eq!(kinds, expected.map(|(name, kind)| (format!("{name}@recipient.example"), kind.to_owned())));
    for recipient in read["recipients"].as_array().unwrap() {
        assert_eq!((&recipient["status"], &recipient["attempts"]), (&json!("delivered"), &json!(1)), "{recipient}");
        assert!(text(&recipient["last_response"]).contains("captured"), "{recipient}");
        assert!(recipient.get("bounce_type").is_none() && recipient.get("next_attempt_at").is_none(), "{recipient}");
    }
    let events = read["events"].as_array().unwrap();
    assert_eq!(
        events.iter().map(|event| text(&event["type"])).collect::<Vec<_>>(),
        ["queued", "delivered", "delivered", "delivered", "delivered"]
    );
    assert!(events.iter().all(|event| is_id("evt", &event["id"]) && is_time(&event["created_at"])), "{events:?}");
    assert_eq!((&events[0]["to"], &events[0]["attempt"]), (&Value::Null, &json!(0)));
    let mut delivered: Vec<_> = events[1..].iter().map(|event| (text(&event["to"]), event["attempt"] == 1)).collect();
    delivered.sort();
    assert_eq!(delivered, ["anna", "ben", "cara", "dora"].map(|name| (format!("{name}@recipient.example"), true)));
}

#[tokio::test]
async fn one_or_a_list_of_each_address_and_each_spelling_of_it() {
    let world = World::start().await;
    for (given, kept) in [
        (json!("anna@recipient.example"), "anna@recipient.example"),
        (json!([" Anna <anna@Recipient.EXAMPLE> "]), "Anna <anna@recipient.example>"),
        (json!("<anna@recipient.example>"), "anna@recipient.example"),
        (json!("\"Doe, \\\"A\\\" <x>\" <anna@recipient.example>"), "\"Doe, \\\"A\\\" <x>\" <anna@recipient.example>"),
        (json!("Анна 🎉 <anna@bücher.example>"), "Анна 🎉 <anna@xn--bcher-kva.example>"),
        (json!("用户@例子.example"), "用户@xn--fsqu00a.example"),
        (json!("\"anna doe\"@recipient.example"), "\"anna doe\"@recipient.example"),
        (json!("a.b+c/d=e@recipient.example"), "a.b+c/d=e@recipient.example"),
    ] {
        let id = world.send(json!({"from": given.as_str().unwrap_or("a@sender.example"), "to": given, "reply_to": given})).await;
        let read = world.email(&id).await;
        assert_eq!((&read["to"], &read["reply_to"]), (&json!([kept]), &json!([kept])), "{given}");
        assert!(!given.is_string() || read["from"] == kept, "{given}");
    }
}

#[tokio::test]
async fn an_address_counts_once_over_all_three_lists_and_the_first_wins() {
    let world = World::start().await;
    let (to, cc) = (["a@x.example", "A <a@X.example>", "b@x.example"], ["B <b@x.example>", "c@x.example", "c@x.example"]);
    let id = world.send(json!({"to": to, "cc": cc, "bcc": ["a@x.example", "A@x.example", "d@x.example"]})).await;
    let read = world.email(&id).await;
    assert_eq!(read["to"], json!(["a@x.example", "b@x.example"]));
    assert_eq!(read["cc"], json!(["c@x.example"]));
    // A local part's case counts.
    assert_eq!(read["bcc"], json!(["A@x.example", "d@x.example"]));
    assert_eq!(read["recipients"].as_array().map(Vec::len), Some(5));
    // Fifty different ones, however often.
    let many: Vec<String> = (0..50).map(|number| format!("r{number}@x.example")).collect();
    let twice = [&many[..20], &many[..20]].concat();
    let id = world.send(json!({"to": twice, "cc": many[20..40], "bcc": many[30..]})).await;
    assert_eq!(world.email(&id).await["recipients"].as_array().map(Vec::len), Some(50));
}

#[tokio::test]
async fn as_much_as_is_allowed_of_everything_is_accepted() {
    let world = World::start().await;
    let addresses = |count: usize| (0..count).map(|number| format!("r{number}@x.example")).collect::<Vec<_>>();
    let headers: serde_json::Map<_, _> = (0..50).map(|number| (format!("X-{number}"), json!("v"))).collect();
    let metadata: serde_json::Map<_, _> = (0..50).map(|number| (format!("{number:02}"), json!("v".repeat(161)))).collect();
    let file = json!({"filename": "f".repeat(255), "content": ""});
    for changes in [
        json!({"subject": "s"}),
        json!({"subject": "ü".repeat(998)}),
        json!({"reply_to": addresses(10)}),
        json!({"headers": headers}),
        json!({"headers": {"X-Long": "v".repeat(4096), "X-Empty": ""}}),
        json!({"attachments": vec![file; 10]}),
        json!({"tags": vec!["t".repeat(256); 10]}),
        json!({"tags": [{"name": "A-Z_a-z0-9", "value": "v".repeat(256)}]}),
        json!({"metadata": metadata}),
        json!({"metadata": {"k": "v".repeat(8191)}}),
        json!({"text": "", "html": ""}),
        json!({"text": "t".repeat(100_000), "html": "<b>".repeat(10_000)}),
        json!({"cc": null, "bcc": [], "headers": {}, "tags": [], "metadata": {}, "attachments": []}),
        json!({"priority": "high"}),
        json!({"priority": "normal"}),
        json!({"priority": "low"}),
    ] {
        let shown: String = changes.to_string().chars().take(80).collect();
        let id = world.send(changes).await;
        assert_eq!(world.settled(&id).await["status"], "delivered", "{shown}");
    }
}

#[tokio::test]
async fn a_test_key_s_mail_is_captured_though_there_is_a_relay() {
    let sink = Sink::well_behaved().await;
    let world = World::relayed(sink.address(), &[]).await;
    let key = world.key(json!({"name": "Test", "permissions": ["send"], "mode": "test"})).await;
    let (captured, sent) = (world.send_as(&key.secret, json!({"subject": "Captured"})).await, world.send(json!({"subject": "Sent"})).await);
    let (read, control) = (world.settled(&captured).await, world.settled(&sent).await);
    assert_eq!(
        (&read["status"], &read["mode"], &control["status"], &control["mode"]),
        (&json!("delivered"), &json!("test"), &json!("delivered"), &json!("live"))
    );
    assert!(text(&recipient(&read, "anna@recipient.example")["last_response"]).contains("captured"), "{read}");
    assert!(String::from_utf8(world.raw(&captured).await).unwrap().contains("Captured"));
    let arrived: Vec<_> = sink.ledger().transactions().into_iter().map(|arrived| String::from_utf8(arrived.octets).unwrap()).collect();
    assert!(arrived.len() == 1 && arrived[0].contains("Sent"), "{arrived:?}");
}

#[tokio::test]
async fn what_is_urgent_goes_first() {
    const EACH: usize = 8;
    let nowhere = Sink::well_behaved().await;
    let address = nowhere.address();
    drop(nowhere);
    // Nothing listens: all of it is queued, each with an attempt behind it.
    let world = World::relayed(address, &[("QUEUE_RETRY_DELAY", "3600")]).await;
    for priority in ["low", "normal", "high"] {
        for _ in 0..EACH {
            world.send(json!({"subject": priority, "priority": priority})).await;
        }
    }
    until(&world.database, "SELECT count(*) FROM recipients WHERE attempts = 1", &(3 * EACH).to_string()).await;
    let database = world.database;
    assert_eq!(world.server.stop().await.code, Some(0));
    database.execute("UPDATE queue SET due_at = now()").await;
    let sink = Sink::well_behaved().await;
    let relay = port(&sink);
    let one_by_one =
        [("SMTP_HOST", "127.0.0.1"), ("SMTP_PORT", relay.as_str()), ("SMTP_TLS", "false"), ("SMTP_POOL_SIZE", "1"), ("QUEUE_WORKERS", "1")];
    let _server = crate::process::Server::start(&database, &one_by_one).await;
    let arrived = sink.wait_for(3 * EACH).await;
    let place = |priority: &str| -> Vec<usize> {
        let subject = format!("Subject: {priority}\r\n");
        (0..arrived.len()).filter(|place| String::from_utf8_lossy(&arrived[*place].octets).contains(&subject)).collect()
    };
    // Within one claim of a few mails their order is open, so neighbours may mix.
    let (high, normal, low) = (place("high"), place("normal"), place("low"));
    assert_eq!((high.len(), normal.len(), low.len()), (EACH, EACH, EACH));
    assert!(high.iter().max() < low.iter().min(), "{high:?} {low:?}");
    let sum = |places: &[usize]| places.iter().sum::<usize>();
    assert!(sum(&high) < sum(&normal) && sum(&normal) < sum(&low), "{high:?} {normal:?} {low:?}");
}

#[tokio::test]
async fn nothing_refused_leaves_anything_behind() {
    let world = World::start().await;
    for body in [email(&json!({"to": []})), email(&json!({"unknown": 1})), json!([])] {
        assert_eq!(world.server.ask("POST", "/v1/send", Some(KEY), Some(&body)).await.status, 400);
    }
    for table in ["emails", "messages", "recipients", "queue", "events"] {
        assert_eq!(world.database.query_one_text(&format!("SELECT count(*) FROM {table}")).await, "0", "{table}");
    }
}
