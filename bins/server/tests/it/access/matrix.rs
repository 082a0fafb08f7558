//! Every route, asked by everybody about everything, against the one reviewed file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use selfmx_http::{RouteInfo, routes};
use selfmx_testing::HttpAnswer;

use super::Line;
use super::callers::{Caller, Tenants, everybody, holdings};
use super::objects::{self, Whose};
use crate::world::World;

const REVIEWED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/access/matrix.txt");
const BLESS: &str = "SELFMX_BLESS";
const PREAMBLE: &str = "\
Who may do what: written by asking a running server for every route as everybody, and read by people before it is committed.

owner and other are keys of two tenants, platform keys have none, operator is the key of API_KEY. Each holds one permission alone, or none.
revoked, expired and disabled are keys of all of these, elsewhere those that may not be used from here. HEAD answered as GET each time.
";
const WITH_KEYS: [&str; 4] = ["operator", "platform", "owner", "other"];

/// Who was answered what, each caller by whose key it is and what it holds.
type Answers = BTreeMap<String, BTreeSet<(&'static str, &'static str)>>;

#[tokio::test]
async fn each_route_answers_everybody_as_the_reviewed_file_says() {
    let world = World::start().await;
    let tenants = Tenants::make(&world).await;
    let callers = everybody(&world, &tenants).await;
    let mut line = Line::open(&world).await;
    // Routes under the same text, in the order of the table.
    let mut blocks: Vec<(String, Vec<String>)> = Vec::new();
    for route in routes() {
        for (title, id) in targets(&world, &tenants, &route).await {
            let text = written(&callers, &answers(&world, &mut line, &route, &id, &callers).await);
            match blocks.iter_mut().find(|(known, _)| *known == text) {
                Some((_, titles)) => titles.push(title),
                None => blocks.push((text, vec![title])),
            }
        }
    }
    let found: String = blocks.iter().map(|(text, titles)| format!("\n{}\n{text}", titles.join("\n"))).collect();
    compare(&format!("{PREAMBLE}{found}"));
}

/// What a route can be asked about: one object of each kind where its path has an id.
async fn targets(world: &World, tenants: &Tenants, route: &RouteInfo) -> Vec<(String, String)> {
    let title = format!("{} {}", route.method, route.pattern);
    if !objects::has_id(route.pattern) {
        return vec![(title, String::new())];
    }
    let mut targets = Vec::new();
    for (whose, words) in [(Whose::Owners, "the owner's"), (Whose::Platforms, "the platform's"), (Whose::Nobodys, "nobody's")] {
        targets.push((format!("{title}  {words}"), objects::target(world, tenants, route, whose).await));
    }
    targets
}

async fn answers(world: &World, line: &mut Line<'_>, route: &RouteInfo, id: &str, callers: &[Caller]) -> Answers {
    let path = objects::path(route.pattern, id);
    let body = objects::written_body(route);
    let mut answers = Answers::new();
    for caller in callers {
        let secret = caller.secret.as_deref();
        objects::restore(world, route, id).await;
        let answer = line.ask(route.method, &path, secret, &body).await;
        if route.method == "GET" {
            let head = line.ask("HEAD", &path, secret, "").await;
            assert_eq!((head.status, head.body.len()), (answer.status, 0), "HEAD {path} for {} with {}", caller.who, caller.holds);
        }
        answers.entry(outcome(&answer)).or_default().insert((caller.who, caller.holds));
    }
    answers
}

/// The status, and of an error its code and the permission that it names.
fn outcome(answer: &HttpAnswer) -> String {
    let challenge = answer.header("www-authenticate").unwrap_or_default();
    let scope = challenge.split("scope=\"").nth(1).and_then(|rest| rest.strip_suffix('"'));
    let needs = scope.map(|scope| format!(" needs {scope}")).unwrap_or_default();
    let code = answer.json()["error"]["code"].as_str().map(|code| format!(" {code}")).unwrap_or_default();
    format!("{}{code}{needs}", answer.status)
}

fn written(callers: &[Caller], answers: &Answers) -> String {
    let everybody: BTreeSet<_> = callers.iter().map(|caller| (caller.who, caller.holds)).collect();
    let line = |(outcome, asked): (&String, &BTreeSet<(&'static str, &'static str)>)| {
        let who = if *asked == everybody { "everybody".to_owned() } else { names(&everybody, asked) };
        format!("  {outcome:<50}{who}\n")
    };
    answers.iter().map(line).collect()
}

/// Those who asked, in few words: by whose key, and what it holds where that matters.
fn names(everybody: &BTreeSet<(&'static str, &'static str)>, asked: &BTreeSet<(&'static str, &'static str)>) -> String {
    let held_by = |set: &BTreeSet<(&'static str, &'static str)>, who: &str| -> BTreeSet<&'static str> {
        set.iter().filter(|(of, _)| *of == who).map(|(_, holds)| *holds).collect()
    };
    let whole = |who: &str| held_by(asked, who) == held_by(everybody, who);
    let all: BTreeSet<&str> = asked.iter().map(|(who, _)| *who).collect();
    let (keys, strangers): (Vec<&str>, Vec<&str>) = all.into_iter().partition(|who| WITH_KEYS.contains(who) || !whole(who));
    let mut by_holding: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for who in WITH_KEYS.into_iter().chain(keys.iter().copied().filter(|who| !WITH_KEYS.contains(who))).filter(|who| keys.contains(who)) {
        // The operator's key holds everything, and there is no other.
        let held = if who == "operator" { "*".to_owned() } else { listed(&held_by(asked, who)) };
        by_holding.entry(held).or_default().push(who);
    }
    let of_keys = by_holding.iter().map(|(held, who)| format!("{} with {held}", who.join(", ")));
    of_keys.chain((!strangers.is_empty()).then(|| strangers.join(", "))).collect::<Vec<_>>().join("; ")
}

/// A set of holdings, or what it lacks where that is shorter.
fn listed(held: &BTreeSet<&str>) -> String {
    let (with, without): (Vec<&str>, Vec<&str>) = holdings().into_iter().partition(|holding| held.contains(holding));
    if without.is_empty() {
        return "anything or nothing".to_owned();
    }
    if without.len() < with.len() {
        return format!("all but {}", without.join(" "));
    }
    with.join(" ")
}

#[expect(clippy::disallowed_methods, reason = "whoever runs the test says by the environment that the file is to be written")]
fn compare(found: &str) {
    if std::env::var(BLESS).is_ok() {
        fs::write(REVIEWED, found).unwrap();
        return;
    }
    let reviewed = fs::read_to_string(REVIEWED).unwrap_or_default();
    let differences: Vec<String> = reviewed
        .lines()
        .filter(|line| !found.lines().any(|other| other == *line))
        .map(|line| format!("- {line}"))
        .chain(found.lines().filter(|line| !reviewed.lines().any(|other| other == *line)).map(|line| format!("+ {line}")))
        .collect();
    assert!(
        reviewed == found,
        "who may do what has changed (- reviewed, + now):\n{}\nIf that is meant, run this test with {BLESS}=1, and read the changes of {REVIEWED}",
        differences.join("\n")
    );
}
