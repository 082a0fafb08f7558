//! Every operation of the description, called with what it describes and with what is nearly that: nothing breaks, and nothing is answered that is not described.

use std::collections::BTreeMap;

use selfmx_testing::{HttpClient, SeededEntropy};
use serde_json::{Value, json};

use super::{check, document, resolved};
use crate::process::KEY;
use crate::world::World;

/// How often each operation is called.
const CALLS: usize = 40;

/// A dice whose throws can be made again.
struct Dice(SeededEntropy);

impl Dice {
    fn below(&self, bound: usize) -> usize {
        usize::try_from(self.0.below(u64::try_from(bound).unwrap())).unwrap()
    }

    fn one_in(&self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    fn pick<'a, T>(&self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// Texts that are addresses, times, ids, numbers, none of these, and what breaks careless readers.
const TEXTS: &[&str] = &[
    "anna@recipient.example",
    "Anna <anna@recipient.example>",
    "@sender.example",
    "yourdomain.example",
    "2030-01-01T00:00:00Z",
    "2026-01",
    "key_01h455vb4pex5vsknk084sn02q",
    "msg_01h455vb4pex5vsknk084sn02q",
    "tmpl_01h455vb4pex5vsknk084sn02q",
    "tenant_default",
    "key_default",
    "192.0.2.0/24",
    "aGVsbG8=",
    "1",
    "0",
    "-1",
    "",
    " ",
    "a\r\nb",
    "\u{0}",
    "é",
    "\u{202e}",
    "{{x}}",
    "{{#each x}}",
    "%00",
    "../..",
    "'; --",
    "null",
];

/// Something that a schema describes; now and then something else.
fn value(dice: &Dice, schema: &'static Value, depth: usize) -> Value {
    let schema = resolved(schema);
    if dice.one_in(25) || depth > 6 {
        return dice
            .pick(&[Value::Null, json!(true), json!(-1), json!(1.5), json!("x"), json!([]), json!({}), json!([[]]), json!({"x": {}})])
            .clone();
    }
    if let Some(choices) = schema["anyOf"].as_array().filter(|_| schema.get("type").is_none()) {
        return value(dice, dice.pick(choices), depth + 1);
    }
    if let Some(words) = schema["enum"].as_array() {
        return dice.pick(words).clone();
    }
    let kinds = schema["type"].as_array().map_or_else(|| vec![schema["type"].clone()], Clone::clone);
    match dice.pick(&kinds).as_str() {
        Some("object") => object(dice, schema, depth),
        Some("array") => (0..dice.below(4)).map(|_| value(dice, &schema["items"], depth + 1)).collect(),
        Some("string") => text(dice, schema),
        Some("integer") => {
            let (least, most) = (schema["minimum"].as_u64().unwrap_or(0), schema["maximum"].as_u64().unwrap_or(100));
            dice.pick(&[json!(least), json!(most), json!(least + 1), json!(most + 1), json!(i128::from(least) as i64 - 1)]).clone()
        }
        Some("boolean") => json!(dice.one_in(2)),
        _ => Value::Null,
    }
}

fn object(dice: &Dice, schema: &'static Value, depth: usize) -> Value {
    let mut members = serde_json::Map::new();
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        let required = schema["required"].as_array().is_some_and(|names| names.contains(&json!(name)));
        if (required && !dice.one_in(20)) || dice.one_in(3) {
            members.insert(name.clone(), value(dice, member, depth + 1));
        }
    }
    if dice.one_in(20) || schema["additionalProperties"].is_object() {
        members.insert((*dice.pick(TEXTS)).to_owned(), json!(*dice.pick(TEXTS)));
    }
    members.into()
}

fn text(dice: &Dice, schema: &Value) -> Value {
    let about = schema["description"].as_str().unwrap_or_default();
    if dice.one_in(8) {
        return json!(*dice.pick(TEXTS));
    }
    json!(match schema["format"].as_str() {
        Some("date-time") => "2030-01-01T00:00:00Z",
        _ if schema["contentEncoding"] == "base64" => "aGVsbG8=",
        _ if about.starts_with("`local@domain`") || about.starts_with("Required unless") => "anna@sender.example",
        _ if about.contains("192.0.2") => "192.0.2.0/24",
        _ if about.contains("@yourdomain") => "@sender.example",
        _ if schema["pattern"].is_string() && schema["pattern"].as_str().unwrap().starts_with("^tmpl") => "tmpl_01h455vb4pex5vsknk084sn02q",
        _ => return json!(format!("word-{}", dice.below(1_000_000))),
    })
}

/// The ids that calls have made so far, so that others may ask for them.
#[derive(Default)]
struct Made(BTreeMap<String, Vec<String>>);

impl Made {
    fn note(&mut self, answer: &Value) {
        if let Some((prefix, id)) = answer["id"].as_str().and_then(|id| Some((id.split_once('_')?.0, id))) {
            self.0.entry(prefix.to_owned()).or_default().push(id.to_owned());
        }
    }

    fn some(&self, dice: &Dice, prefix: &str) -> String {
        match self.0.get(prefix) {
            Some(ids) if !dice.one_in(6) => dice.pick(ids).clone(),
            _ => format!("{prefix}_01h455vb4pex5vsknk084sn02q"),
        }
    }
}

/// A path for a pattern.
fn path(dice: &Dice, made: &Made, pattern: &str) -> String {
    let kind = [("api-keys", "key"), ("templates", "tmpl"), ("webhooks", "wh")].into_iter().find(|(noun, _)| pattern.contains(noun));
    let id = if dice.one_in(12) { "nonsense".to_owned() } else { made.some(dice, kind.map_or("msg", |(_, prefix)| prefix)) };
    let tenant = if dice.one_in(3) { "tenant_default".to_owned() } else { made.some(dice, "tenant") };
    let path =
        pattern.replace("{id}", &id).replace("{tenant_id}", &tenant).replace("{version}", "1").replace("{address}", "anna@sender.example");
    path.split('/')
        .map(|segment| if segment.starts_with('{') { made.some(dice, "whd") } else { segment.to_owned() })
        .collect::<Vec<_>>()
        .join("/")
}

/// The query of a call: some of the parameters, each with something that may be right.
fn query(dice: &Dice, operation: &'static Value) -> String {
    let mut pairs = form_urlencoded::Serializer::new(String::new());
    for parameter in operation["parameters"].as_array().into_iter().flatten().map(resolved).filter(|parameter| parameter["in"] == "query") {
        // What goes on for as long as it is listened to is told to end.
        if parameter["name"] == "follow" {
            pairs.append_pair("follow", "false");
            continue;
        }
        if dice.one_in(5) {
            let value = value(dice, &parameter["schema"], 0);
            pairs.append_pair(parameter["name"].as_str().unwrap(), value.as_str().unwrap_or(&value.to_string()));
        }
    }
    // A stream does not end, so that it is asked for in vain.
    if dice.one_in(40) || operation["responses"]["200"]["content"].get("text/event-stream").is_some() {
        pairs.append_pair("unknown", "x");
    }
    pairs.finish()
}

#[tokio::test]
async fn no_call_breaks_the_server_and_none_is_answered_otherwise_than_described() {
    let world = World::start().await;
    let (dice, mut made, mut well, mut calls) = (Dice(SeededEntropy::new(20)), Made::default(), 0, 0);
    let mut http = world.server.connect().await;
    for round in 0..CALLS {
        for (pattern, item) in document()["paths"].as_object().unwrap() {
            // Those with which things are made come first.
            for method in ["post", "get", "put", "patch", "delete"].into_iter().filter(|method| item.get(method).is_some()) {
                let operation = &item[method];
                // What deletes is asked for seldom, so that there is something for the others.
                if method == "delete" && !round.is_multiple_of(8) {
                    continue;
                }
                let mut asked = path(&dice, &made, pattern);
                // The tenant that all of this is done for stays.
                if ["delete", "post"].contains(&method)
                    && asked.starts_with("/v1/tenants/tenant_default")
                    && !asked.ends_with("resume")
                    && pattern.matches('/').count() <= 4
                {
                    asked = asked.replace("tenant_default", &made.some(&dice, "tenant"));
                }
                let query = query(&dice, operation);
                if !query.is_empty() {
                    asked = format!("{asked}?{query}");
                }
                let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
                // A report is no JSON, and whatever comes in its place is none.
                let body = (!schema.is_null()).then(|| value(&dice, schema, 0));
                let answer = call(&world, &mut http, &method.to_uppercase(), &asked, body.as_ref()).await;
                assert!(answer.status < 500 || answer.status == 502, "{method} {asked} {body:?}: {}", answer.json());
                check(&method.to_uppercase(), &asked, &answer);
                made.note(&answer.json());
                (well, calls) = (well + usize::from(answer.status < 300), calls + 1);
            }
        }
    }
    assert!(well * 5 >= calls, "{well} of {calls} calls went well: too few to tell anything");
    assert!(!world.server.log().contains("a handler panicked"), "{}", world.server.log());
}

async fn call(world: &World, http: &mut HttpClient, method: &str, path: &str, body: Option<&Value>) -> selfmx_testing::HttpAnswer {
    let headers = [("authorization", format!("Bearer {KEY}")), ("content-type", "application/json".to_owned())];
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).take(1 + usize::from(body.is_some())).collect();
    let octets = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
    match http.send_octets(method, path, &headers, octets.clone()).await {
        Ok(answer) if answer.header("connection") != Some("close") => answer,
        Ok(answer) => {
            *http = world.server.connect().await;
            answer
        }
        Err(_) => {
            *http = world.server.connect().await;
            http.send_octets(method, path, &headers, octets).await.unwrap()
        }
    }
}
