//! Any octets as templates and data: reading and rendering end, within the bounds, without a panic.
//!
//! Run it in `crates/template` with `RUSTC_BOOTSTRAP=1 cargo fuzz run template -- -timeout=10 -rss_limit_mb=1024`.
//!
//! The input is split at octets of 0xff: JSON data, the template, then its partials `p0`, `p1` and so on. A panic in the grammar's own code is caught where
//! templates are read, as in the server; any other ends the run.

#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use selfmx_domain::Clock;
use selfmx_template::{Bounds, Compiled, Library, Part, Renderer, Source, Strictness};
use time::OffsetDateTime;

struct Still;

impl Clock for Still {
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH
    }
}

fn compiled(name: &str, body: &str) -> Option<Compiled> {
    let reply_to = [body.to_owned()];
    Compiled::new(&Source { name, subject: body, html: Some(body), text: Some(body), from: Some(body), reply_to: &reply_to }).ok()
}

fn run(input: &[u8]) {
    let mut texts = input.split(|octet| *octet == 0xff).map(|text| String::from_utf8_lossy(text));
    let data = texts.next().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let Some(main) = texts.next().and_then(|text| compiled("main", &text)) else { return };
    let mut library = Library::new();
    for (number, text) in texts.take(4).enumerate() {
        compiled(&format!("p{number}"), &text).into_iter().for_each(|partial| library.insert(Arc::new(partial)));
    }
    let _ = library.check(&main);
    for strictness in [Strictness::Lenient, Strictness::Strict] {
        let mut renderer = Renderer::new(&library, &data, strictness, &Still);
        let mut octets = 0;
        for part in [Part::Subject, Part::Html, Part::Text, Part::From, Part::ReplyTo] {
            for text in renderer.all(&main, part).unwrap_or_default() {
                octets += text.len();
                assert!(!part.is_line() || !text.chars().any(char::is_control), "a line holds a control character");
            }
        }
        assert!(octets <= Bounds::OUTPUT, "{octets} octets were written");
    }
}

fuzz_target!(|input: &[u8]| run(input));
