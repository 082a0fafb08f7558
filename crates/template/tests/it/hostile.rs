//! Any text as a template, any data: reading and rendering end, within the bounds, without a panic.
//!
//! `PROPTEST_CASES=100000 cargo test -p selfmx-template --test it hostile` runs it for long; `crates/template/fuzz` goes further.

use std::sync::Arc;

use proptest::prelude::*;
use selfmx_template::{Bounds, Compiled, Library, Part, Renderer, Source, Strictness};
use serde_json::{Value, json};

use crate::support::Noon;

/// Pieces of the language, so that much of what comes of them is almost a template.
const PIECES: &[&str] = &[
    "{{",
    "}}",
    "{{{",
    "}}}",
    "{{{{",
    "}}}}",
    "{{#",
    "{{/",
    "{{^",
    "{{>",
    "{{#>",
    "{{#*",
    "{{!",
    "{{!--",
    "--}}",
    "{{~",
    "~}}",
    "{{&",
    "\\",
    "\\\\",
    "(",
    ")",
    "[",
    "]",
    "\"",
    "'",
    "|",
    "=",
    ".",
    "..",
    "../",
    "/",
    "@",
    "@root",
    "@index",
    "@key",
    "this",
    "as |a b|",
    "as |a|",
    "if",
    "unless",
    "each",
    "with",
    "lookup",
    "eq",
    "and",
    "not",
    "len",
    "else",
    "inline",
    "p0",
    "p1",
    "x",
    "l",
    "o",
    " ",
    "\n",
    "\r\n",
    "\t",
    "0",
    "1.5E3",
    "-1",
    "true",
    "null",
    "{\"a\":1}",
    "[1,2]",
    "é",
    "\u{2028}",
    "\u{0}",
    "{{x}}",
    "{{{x}}}",
    "{{#if x}}",
    "{{else}}",
    "{{else if x}}",
    "{{/if}}",
    "{{#each l}}",
    "{{/each}}",
    "{{#with o}}",
    "{{/with}}",
    "{{> p0}}",
    "{{> p1 l}}",
    "{{> 'p0' x a=1}}",
    "{{lookup l 0}}",
    "{{#each @root.l as |a b|}}",
    "{{../x}}",
    "{{#unless x}}",
    "{{/unless}}",
    "{{^}}",
    "{{else each l}}",
    "includeZero=true",
];

fn source() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => prop::collection::vec(prop::sample::select(PIECES), 0..24).prop_map(|pieces| pieces.concat()),
        2 => (prop::sample::select(PIECES), 1_usize..400).prop_map(|(piece, times)| piece.repeat(times)),
        2 => (prop::sample::select(PIECES), prop::sample::select(PIECES), 1_usize..200).prop_map(|(open, close, times)| open.repeat(times) + &close.repeat(times)),
        1 => any::<String>(),
    ]
}

fn data() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from)
    ];
    let inner = leaf.prop_recursive(6, 40, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::btree_map("[a-z ]{0,3}", inner, 0..8).prop_map(Value::from_iter),
        ]
    });
    (inner.clone(), inner.clone(), inner).prop_map(|(x, l, o)| json!({"x": x, "l": l, "o": o}))
}

fn template(name: &str, body: &str) -> Option<Arc<Compiled>> {
    let reply_to = [body.to_owned()];
    let source = Source { name, subject: body, html: Some(body), text: Some(body), from: Some(body), reply_to: &reply_to };
    Compiled::new(&source).ok().map(Arc::new)
}

proptest! {
    #[test]
    fn nothing_panics_hangs_or_overflows(one in source(), two in source(), three in source(), data in data(), strict: bool) {
        let mut library = Library::new();
        for (name, body) in [("p0", &one), ("p1", &two)] {
            template(name, body).into_iter().for_each(|template| library.insert(template));
        }
        let Some(main) = template("main", &three) else { return Ok(()) };
        let _ = library.check(&main);
        let strictness = if strict { Strictness::Strict } else { Strictness::Lenient };
        let mut renderer = Renderer::new(&library, &data, strictness, &Noon);
        let mut octets = 0;
        for part in [Part::Subject, Part::Html, Part::Text, Part::From, Part::ReplyTo] {
            for text in renderer.all(&main, part).unwrap_or_default() {
                octets += text.len();
                prop_assert!(!part.is_line() || !text.chars().any(char::is_control));
            }
        }
        prop_assert!(octets <= Bounds::OUTPUT);
    }
}
