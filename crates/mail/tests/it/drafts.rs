//! Sixty mails of all kinds.

use selfmx_domain::{Attachment, CustomHeader, DraftParts, Mailbox};

use crate::support::parts;

/// All of them, each with what is special about it.
pub(crate) fn all() -> Vec<(&'static str, DraftParts)> {
    [bodies(), subjects(), people(), headers(), files()].concat()
}

fn bodies() -> Vec<(&'static str, DraftParts)> {
    let html = "<!doctype html><html><body><h1>Hello</h1><p>Grüße &amp; more, <a href=\"https://x.example/a?b=1&amp;c=2\">here</a>.</p></body></html>";
    vec![
        ("text", text("Hello\n\nWorld\n")),
        ("html alone", html_alone(html)),
        ("both", both("Hello", html)),
        ("empty text", text("")),
        ("empty html", html_alone("")),
        ("both empty", both("", "")),
        ("one line without an end", text("no line end")),
        ("only line ends", text("\n\n\n")),
        ("line ends of DOS", text("a\r\nb\r\n")),
        ("line ends of old", text("a\rb\rc")),
        ("line ends mixed", text("a\nb\r\nc\rd\n\re")),
        ("dots", text(".\n..\n.a\n...\n\n.\nend\n.")),
        ("a dot alone", text(".")),
        ("smuggling", text("a\r\n.\r\nMAIL FROM:<x@y.example>\r\nRCPT TO:<z@y.example>\r\nDATA\r\n")),
        ("smuggling with bare line ends", text("a\n.\nMAIL FROM:<x@y.example>\n\r.\rRCPT TO:<z@y.example>\r\n.\rDATA\n")),
        ("from at the start", text("From here on\nFrom there\n>From quoted\n")),
        ("a line of 998", text(&"x".repeat(998))),
        ("a line of 999", text(&"x".repeat(999))),
        ("a line of 10,000", text(&format!("{}\nend", "word ".repeat(2000)))),
        ("an endless word of HTML", html_alone(&format!("<p>{}</p>", "x".repeat(5000)))),
        ("trailing spaces", text("a  \nb\t\n  \nc ")),
        ("equals signs", text("a=b=3D==\n=\n=20")),
        ("utf-8", text("Grüße, Привет, 你好, שלום, مرحبا, 🎉👩‍👩‍👧‍👧\n")),
        ("cjk alone", text(&"你好世界\n".repeat(200))),
        ("rtl", both("\u{202b}שלום עולם\u{202c}", "<p dir=\"rtl\">שלום <b>עולם</b></p>")),
        ("controls", text("bell\u{7} escape\u{1b}[1m formfeed\u{c} vertical\u{b} delete\u{7f}")),
        ("separators of lines", text("a\u{2028}b\u{2029}c\u{85}d")),
        ("a boundary in the text", text("--=_mixed_msg_0\n--=_alternative_\n--\n")),
        ("a header in the text", text("Subject: not me\nBcc: nor@me.example\n\ntext")),
        ("a large body", both(&"0123456789 abcdefghi\n".repeat(10_000), &"<p>0123456789</p>\n".repeat(10_000))),
    ]
}

fn subjects() -> Vec<(&'static str, DraftParts)> {
    vec![
        ("subject of one letter", subject("x")),
        ("subject in German", subject("Größere Änderungen für Müller & Söhne")),
        ("subject of emoji", subject("🎉🎊🥳 👩‍👩‍👧‍👧 🏳️‍🌈")),
        ("subject of 998 letters", subject(&"ab cd ".repeat(167)[..998].replace("  ", " x"))),
        ("subject of 998 letters without a space", subject(&"x".repeat(998))),
        ("subject of 998 characters of two octets", subject(&"é".repeat(998))),
        ("subject that looks encoded", subject("=?utf-8?Q?a=0D=0ABcc:_x@y.example?= and more")),
        ("subject with spaces about", subject("  two before, two   between, two after  ")),
        ("subject with colons and such", subject("Re: [list] a: b; \"c\" <d@e.example>, (f) \\ g")),
    ]
}

fn people() -> Vec<(&'static str, DraftParts)> {
    let many: Vec<String> = (0..10).map(|n| format!("Person {n} <person.{n}@to.example>")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let long = format!("\"{}\" <long@to.example>", "Very Long Name ".repeat(17).trim_end());
    vec![
        ("ten recipients", people_of("a@x.example", &many, &[])),
        (
            "names in many scripts",
            people_of("Grüße <a@x.example>", &["Привет <b@x.example>", "你好 <c@x.example>", "\"🎉\" <d@x.example>"], &[]),
        ),
        (
            "names with commas and quotes",
            people_of("\"Doe, \\\"JD\\\" Jane\" <a@x.example>", &["\"a\\\\b\" <b@x.example>", "\"(c) <d>\" <c@x.example>"], &[]),
        ),
        ("a name that looks encoded", people_of("\"=?utf-8?B?Qm9zcw==?=\" <a@x.example>", &["Ünlü <b@x.example>", "c@x.example"], &[])),
        ("a very long name", people_of("a@x.example", &[&long], &[])),
        (
            "quoted local parts",
            people_of("\"john doe\"@x.example", &["\"a@b\"@x.example", "\"a\\\"b\"@x.example", "\"very..dotted\"@x.example"], &[]),
        ),
        ("special local parts", people_of("!#$%&'*+-/=?^_`{|}~@x.example", &["a+tag@x.example"], &[])),
        ("domains with umlauts", people_of("a@bücher.example", &["b@例子.example"], &[])),
        ("utf-8 local parts", people_of("é@x.example", &["用户@x.example"], &[])),
        (
            "cc, bcc and reply to",
            people_of("a@x.example", &["b@x.example"], &["hidden@secret.example", "Hidden Too <also@secret.example>"]),
        ),
    ]
}

fn headers() -> Vec<(&'static str, DraftParts)> {
    let many: Vec<(String, String)> = (0..50).map(|n| (format!("X-Number-{n}"), format!("value {n}"))).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let (long, unbroken) = ("many words ".repeat(300), "x".repeat(4096));
    let unsubscribe =
        format!("<https://x.example/unsubscribe?token={}>, <mailto:unsubscribe@x.example?subject=unsubscribe>", "t".repeat(300));
    vec![
        ("fifty headers", with_headers(&many)),
        (
            "a list header that is long",
            with_headers(&[("List-Unsubscribe", &unsubscribe), ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")]),
        ),
        (
            "headers beyond ASCII",
            with_headers(&[("X-Grüße".trim_end_matches("Grüße"), "Grüße 🎉"), ("X-Empty", ""), ("X-Spaces", "  a  ")]),
        ),
        ("headers beyond a line", with_headers(&[("X-Long", long.trim_end()), ("X-Unbroken", &unbroken)])),
    ]
}

fn files() -> Vec<(&'static str, DraftParts)> {
    let every_octet: Vec<u8> = (0..=255).collect();
    let message = b"From: a@x.example\r\nSubject: inner\r\n\r\ninner text\r\n";
    let long_name = format!("{}.txt", "näme ".repeat(50));
    vec![
        ("a file of every octet", with_files(&[file("all.bin", None, None, &every_octet.repeat(20))])),
        ("an empty file", with_files(&[file("empty", None, None, b"")])),
        (
            "a text file with bare line ends",
            with_files(&[file("notes.txt", Some("text/plain; charset=iso-8859-1"), None, b"a\nb\rc\r\nd\xe9\0\x1a")]),
        ),
        (
            "names of files",
            with_files(&[
                file("Rechnung März 2026.pdf", None, None, b"%PDF"),
                file("a \"quoted\"; name=x.txt", None, None, b"1"),
                file("=?utf-8?Q?x=2Etxt?=", None, None, b"2"),
                file(&long_name, None, None, b"3"),
            ]),
        ),
        (
            "an inline picture",
            DraftParts {
                html: Some("<p><img src=\"cid:logo@x.example\"></p>".to_owned()),
                ..with_files(&[file("logo.png", None, Some("logo@x.example"), &every_octet)])
            },
        ),
        (
            "inline and attached",
            DraftParts {
                text: None,
                html: Some("<p>See <img src=\"cid:a\" alt=\"a picture\"></p>".to_owned()),
                ..with_files(&[
                    file("a.gif", Some("image/gif"), Some("a"), b"GIF89a"),
                    file("b.csv", None, None, b"a,b\r\n"),
                    file("c.ics", Some("text/calendar; method=REQUEST"), None, b"BEGIN:VCALENDAR\r\n"),
                ])
            },
        ),
        ("an inline file without HTML", with_files(&[file("a.gif", None, Some("a"), b"GIF89a")])),
        (
            "a mail in a mail",
            with_files(&[file("inner.eml", None, None, message), file("broken.eml", None, None, b"Subject: x\n\nbare line ends\xff\n")]),
        ),
    ]
}

fn text(body: &str) -> DraftParts {
    DraftParts { text: Some(body.to_owned()), ..parts() }
}

fn html_alone(body: &str) -> DraftParts {
    DraftParts { text: None, html: Some(body.to_owned()), ..parts() }
}

fn both(text: &str, html: &str) -> DraftParts {
    DraftParts { text: Some(text.to_owned()), html: Some(html.to_owned()), ..parts() }
}

fn subject(subject: &str) -> DraftParts {
    DraftParts { subject: Some(subject.parse().unwrap()), ..parts() }
}

fn people_of(from: &str, to: &[&str], bcc: &[&str]) -> DraftParts {
    let cc = if bcc.is_empty() { vec![] } else { mailboxes(&["Cc One <one@cc.example>", "two@cc.example"]) };
    let reply_to = if bcc.is_empty() { vec![] } else { mailboxes(&["Antwörten <reply@to.example>"]) };
    DraftParts { from: Some(from.parse().unwrap()), to: mailboxes(to), cc, bcc: mailboxes(bcc), reply_to, ..parts() }
}

fn mailboxes(texts: &[&str]) -> Vec<Mailbox> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn with_headers(headers: &[(&str, &str)]) -> DraftParts {
    let header = |(name, value): &(&str, &str)| CustomHeader { name: name.parse().unwrap(), value: value.parse().unwrap() };
    DraftParts { headers: headers.iter().map(header).collect(), ..parts() }
}

fn with_files(files: &[Attachment]) -> DraftParts {
    DraftParts { attachments: files.to_vec(), ..parts() }
}

fn file(name: &str, content_type: Option<&str>, content_id: Option<&str>, content: &[u8]) -> Attachment {
    Attachment {
        file_name: name.parse().unwrap(),
        content_type: content_type.map(|text| text.parse().unwrap()),
        content_id: content_id.map(|text| text.parse().unwrap()),
        content: content.to_vec(),
    }
}
