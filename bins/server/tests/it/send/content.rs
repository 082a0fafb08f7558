//! The message that is made of an email, as an independent reader understands it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use selfmx_testing::python::read_mail;
use serde_json::{Value, json};

use crate::world::{World, text};

/// All values of a header.
fn values(mail: &Value, name: &str) -> Vec<String> {
    let headers = mail["headers"].as_array().unwrap().iter();
    headers.filter(|header| text(&header[0]).eq_ignore_ascii_case(name)).map(|header| text(&header[1])).collect()
}

/// The parts that hold something, as type, disposition, name, content id and content.
fn leaves(mail: &Value) -> Vec<(String, Value, Value, Value, Vec<u8>)> {
    let leaves = mail["parts"].as_array().unwrap().iter().filter(|part| part["content"].is_string());
    let told = leaves.map(|part| {
        let content = BASE64_STANDARD.decode(text(&part["content"])).unwrap();
        (text(&part["type"]), part["disposition"].clone(), part["filename"].clone(), part["content_id"].clone(), content)
    });
    told.collect()
}

async fn read_back(world: &World, changes: Value) -> (Value, Vec<u8>) {
    let id = world.send(changes).await;
    let raw = world.raw(&id).await;
    (read_mail(&[&raw]).remove(0), raw)
}

#[tokio::test]
async fn an_independent_reader_finds_everything_that_was_sent_and_no_blind_copy() {
    let world = World::start().await;
    let (picture, data) = ((0..=255).cycle().take(5000).collect::<Vec<u8>>(), b"\r\n.\r\na\0b\n--\xff".to_vec());
    let (mail, raw) = read_back(
        &world,
        json!({
            "from": "Größe, GmbH <shop@sender.example>", "to": ["Anna Ö <anna@recipient.example>", "ben@bücher.example"], "cc": ["\"Cara \\\"C\\\"\" <cara@recipient.example>"],
            "bcc": ["Secret Name <blind-canary@recipient.example>"], "reply_to": ["Help <help@sender.example>", "more@sender.example"],
            "subject": "Grüße 🎉 und ein sehr langer Betreff, der ganz bestimmt nicht in eine einzige Zeile eines Kopfes passt",
            "text": "Hallo,\n\n.\n.. \n \nFrom here\rto there: ü 🎉\r\n", "html": format!("<p>{}</p><img src=\"cid:logo@x\">", "lang ".repeat(400)),
            "headers": {"X-Campaign": "März 🎉", "List-Unsubscribe": "<https://sender.example/u?a=1&b=2>", "x-empty": ""},
            "attachments": [
                {"filename": "Bild ü.png", "content": BASE64_STANDARD.encode(&picture), "content_id": "logo@x"},
                {"filename": "daten \"1\".bin", "content": BASE64_STANDARD.encode(&data), "content_type": "application/x-data; a=b"},
                {"filename": "leer.txt", "content": ""},
            ],
            "tags": ["tag-canary"], "metadata": {"key-canary": "value-canary"}, "priority": "low",
        }),
    )
    .await;
    assert_eq!(mail["defects"], json!([]));
    let people = |name: &str| &mail["addresses"][name];
    assert_eq!(people("From"), &json!([["Größe, GmbH", "shop@sender.example"]]));
    assert_eq!(people("To"), &json!([["Anna Ö", "anna@recipient.example"], ["", "ben@xn--bcher-kva.example"]]));
    assert_eq!(people("Cc"), &json!([["Cara \"C\"", "cara@recipient.example"]]));
    assert_eq!(people("Reply-To"), &json!([["Help", "help@sender.example"], ["", "more@sender.example"]]));
    assert_eq!(
        values(&mail, "Subject"),
        ["Grüße 🎉 und ein sehr langer Betreff, der ganz bestimmt nicht in eine einzige Zeile eines Kopfes passt"]
    );
    assert_eq!(
        (values(&mail, "X-Campaign"), values(&mail, "List-Unsubscribe")),
        (vec!["März 🎉".to_owned()], vec!["<https://sender.example/u?a=1&b=2>".to_owned()])
    );
    assert_eq!(values(&mail, "X-Empty"), [""]);
    for name in ["From", "Date", "Message-ID", "MIME-Version", "Content-Type"] {
        assert_eq!(values(&mail, name).len(), 1, "{name}");
    }
    assert!(values(&mail, "Message-ID")[0].ends_with("@sender.example>"), "{mail}");
    // No trace of what is no part of the message, in clear or encoded.
    assert!(values(&mail, "Bcc").is_empty());
    let whole = String::from_utf8(raw.clone()).unwrap();
    for hidden in ["blind-canary", "Secret Name", "canary", "X-Priority"] {
        let encoded = BASE64_STANDARD.encode(hidden);
        assert!(!whole.contains(hidden) && !whole.contains(&encoded[..encoded.len() - 4]), "{hidden}");
    }
    let leaves = leaves(&mail);
    let kinds: Vec<_> = leaves.iter().map(|leaf| (leaf.0.as_str(), leaf.2.as_str())).collect();
    assert_eq!(
        kinds,
        [
            ("text/plain", None),
            ("text/html", None),
            ("image/png", Some("Bild ü.png")),
            ("application/x-data", Some("daten \"1\".bin")),
            ("text/plain", Some("leer.txt"))
        ]
    );
    assert_eq!(String::from_utf8_lossy(&leaves[0].4), "Hallo,\r\n\r\n.\r\n.. \r\n \r\nFrom here\r\nto there: ü 🎉\r\n");
    assert_eq!(String::from_utf8_lossy(&leaves[1].4).trim_end(), format!("<p>{}</p><img src=\"cid:logo@x\">", "lang ".repeat(400)));
    assert_eq!((&leaves[2].1, &leaves[2].3, &leaves[2].4), (&json!("inline"), &json!("<logo@x>"), &picture));
    assert_eq!((&leaves[3].1, &leaves[3].4), (&json!("attachment"), &data));
    assert_eq!((&leaves[4].1, leaves[4].4.len()), (&json!("attachment"), 0));
    // Every line ends by CRLF and none is too long (RFC 5322 section 2.1.1).
    let lines: Vec<&[u8]> = raw.split(|octet| *octet == b'\n').collect();
    let (last, lines) = lines.split_last().unwrap();
    assert!(
        last.is_empty() && lines.iter().all(|line| line.ends_with(b"\r") && line.len() <= 999 && !line[..line.len() - 1].contains(&b'\r'))
    );
}

#[tokio::test]
async fn html_alone_gets_a_text_part_derived_from_it() {
    let world = World::start().await;
    let html = "<style>p{}</style><h1>Hello &amp; welcome</h1><p>Read <a href=\"https://x.example/?a=1&amp;b=2\">this</a>.</p><script>no()</script>";
    let (mail, _) = read_back(&world, json!({"text": null, "html": html})).await;
    let leaves = leaves(&mail);
    assert_eq!(mail["parts"][0]["type"], "multipart/alternative");
    assert_eq!(leaves.iter().map(|leaf| leaf.0.as_str()).collect::<Vec<_>>(), ["text/plain", "text/html"]);
    let derived = String::from_utf8(leaves[0].4.clone()).unwrap();
    assert!(derived.contains("Hello & welcome") && derived.contains("https://x.example/?a=1&b=2"), "{derived}");
    assert!(!derived.contains('<') && !derived.contains("no()") && !derived.contains("p{}"), "{derived}");
    assert_eq!(String::from_utf8_lossy(&leaves[1].4).trim_end(), html);
}

#[tokio::test]
async fn text_alone_is_one_part() {
    let world = World::start().await;
    let (mail, raw) = read_back(&world, json!({})).await;
    let leaves = leaves(&mail);
    assert_eq!((leaves.len(), leaves[0].0.as_str(), String::from_utf8_lossy(&leaves[0].4).trim_end()), (1, "text/plain", "It works."));
    assert!(String::from_utf8(raw.clone()).unwrap().contains("\r\nTo: <anna@recipient.example>\r\n"), "{}", String::from_utf8_lossy(&raw));
}
