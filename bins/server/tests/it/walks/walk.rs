//! One walk: two tenants, two roots, and thirty calls by random keys, each looked at from outside.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use selfmx_testing::{HttpAnswer, HttpClient};
use serde_json::{Value, json};

use super::authority::{Authority, Shown};
use super::chance::Chance;
use super::key::{Certainty, Key, Span, now};
use super::verdict::{Act, Caller, Target, judge};
use super::words::{ADDRESSES, FROM};
use crate::process::KEY;
use crate::world::{email, text};

/// It was never made.
const NOBODYS_TENANT: &str = "tenant_01h455vb4pex5vsknk084sn02q";

/// What was counted.
pub(super) type Tally = BTreeMap<String, u64>;

/// A walk under way.
pub(super) struct Walk {
    address: SocketAddr,
    http: HttpClient,
    chance: Chance,
    /// The walk's own, two of them.
    tenants: Vec<String>,
    /// Keys of the operator's that list each tenant's.
    observers: Vec<Key>,
    keys: Vec<Key>,
    pub(super) tally: Tally,
    seed: u64,
    /// What was asked and answered, for whoever has to find out what went wrong.
    story: Vec<Told>,
}

/// A call as it is told when something is wrong.
#[derive(Debug)]
struct Told {
    _who: (String, Shown),
    _from: String,
    _asked: (&'static str, String, Option<Value>),
    _answered: HttpAnswer,
}

impl Walk {
    /// Makes the tenants and the roots.
    pub(super) async fn begin(address: SocketAddr, http: HttpClient, seed: u64) -> Self {
        let chance = Chance::new(seed);
        let (tenants, observers, keys) = (Vec::new(), Vec::new(), Vec::new());
        let mut walk = Self { address, http, chance, tenants, observers, keys, tally: Tally::new(), seed, story: Vec::new() };
        for _ in 0..2 {
            let tenant = walk.made("/v1/tenants", &json!({"name": "Walk"})).await;
            let tenant = text(&tenant["id"]);
            let observer = json!({"name": "Observer", "permissions": ["api-keys:read"], "tenant_id": tenant});
            let observer = walk.made("/v1/api-keys", &observer).await;
            walk.observers.push(Key::of(&observer, None));
            walk.tenants.push(tenant);
        }
        let platform = walk.chance.happens(30);
        for tenant in [(!platform).then_some(0), Some(1)] {
            let wanted = walk.chance.root(tenant.map(|tenant| &walk.tenants[tenant]));
            let root = walk.made("/v1/api-keys", &wanted).await;
            walk.keys.push(Key::of(&root, None));
        }
        walk
    }

    /// One call, and a look at what it has done.
    pub(super) async fn step(&mut self) {
        let actor = self.actor();
        let secrets = self.keys[actor].secrets();
        let secret = if self.chance.happens(90) { self.keys[actor].secret.clone() } else { (*self.chance.pick(&secrets)).clone() };
        let from = self.chance.sample(&self.keys[actor].authority(), "allowed_ips", ADDRESSES, 90);
        let (act, through) = (self.act(actor), self.through(actor));
        self.call((actor, &secret, &from, through.as_ref()), &act).await;
        if let Act::Rotate(Target::Own(target), _) = act {
            let secrets: Vec<String> = self.keys[target].secrets().into_iter().rev().take(3).cloned().collect();
            for secret in secrets {
                let from = self.chance.sample(&self.keys[target].authority(), "allowed_ips", ADDRESSES, 100);
                self.call((target, &secret, &from, None), &Act::Me).await;
            }
        }
        if !matches!(act, Act::Find(_) | Act::List | Act::Me | Act::Send(_)) {
            self.observe(actor, &act, through).await;
        }
    }

    /// Looks at all keys once more, and gives the connection back.
    pub(super) async fn end(mut self) -> (HttpClient, Tally, usize) {
        for tenant in 0..self.tenants.len() {
            self.observe_tenant(tenant).await;
        }
        for index in 0..self.keys.len() {
            self.observe_key(index).await;
        }
        let made = self.keys.len() + self.observers.len();
        (self.http, self.tally, made)
    }

    /// Mostly a key that can change something, now and then any.
    fn actor(&self) -> usize {
        let span = Span { begin: now(), end: now() };
        let able = |key: &Key| key.shown.holds("api-keys:write") && key.is_recognised(&key.secret, span) == Certainty::Yes;
        let able: Vec<usize> = (0..self.keys.len()).filter(|index| able(&self.keys[*index])).collect();
        if able.is_empty() || self.chance.happens(20) { self.chance.below(self.keys.len()) } else { *self.chance.pick(&able) }
    }

    /// Mostly a key that the actor reaches, itself rather often.
    fn target(&self, actor: usize) -> Target {
        let own = &self.keys[actor].shown;
        let reached: Vec<usize> = (0..self.keys.len()).filter(|index| own.reaches(self.keys[*index].shown.tenant.as_ref())).collect();
        match self.chance.below(100) {
            0..2 => Target::Nobodys,
            2..4 => Target::Environment,
            4..18 => Target::Own(actor),
            18..85 => Target::Own(*self.chance.pick(&reached)),
            _ => Target::Own(self.chance.below(self.keys.len())),
        }
    }

    /// The tenant in whose path it asks: rather often where it may, now and then where not.
    fn through(&self, actor: usize) -> Option<String> {
        let likely = if self.keys[actor].shown.is_platform_admin() { 40 } else { 4 };
        let others = [NOBODYS_TENANT, "tenant_default"].map(str::to_owned);
        let tenants = [&self.tenants[..], &self.tenants[..], &self.tenants[..], &others].concat();
        self.chance.happens(likely).then(|| self.chance.pick(&tenants).clone())
    }

    fn act(&self, actor: usize) -> Act {
        let own = &self.keys[actor].shown;
        match self.chance.below(100) {
            0..32 => {
                let others = ["tenant_default", NOBODYS_TENANT].map(str::to_owned);
                let tenants = [&self.tenants[..], &self.tenants[..1], &self.tenants[..], &others].concat();
                Act::Create(self.chance.wanted(own, &tenants, now()))
            }
            32..64 => Act::Change(self.target(actor), self.chance.change(own, now())),
            64..75 => Act::Rotate(self.target(actor), *self.chance.pick(&[0, 0, 1, 3, 3_600])),
            75..80 => Act::Revoke(self.target(actor)),
            80..85 => Act::Find(self.target(actor)),
            85..88 => Act::List,
            88..94 => Act::Me,
            _ => Act::Send(self.chance.sample(&self.keys[actor].authority(), "allowed_senders", FROM, 60)),
        }
    }

    /// Asks, and compares the answer with what the model says.
    async fn call(&mut self, (actor, secret, from, through): (usize, &str, &str, Option<&String>), act: &Act) {
        let through = through.filter(|_| !matches!(act, Act::Me));
        let (method, path, body) = self.request(act);
        let path = through.map(|tenant| path.replace("/v1/", &format!("/v1/tenants/{tenant}/"))).unwrap_or(path);
        let begin = now();
        let answer = self.ask(method, &path, secret, from, body.as_ref()).await;
        let span = Span { begin, end: now() };
        let status = answer.status;
        let who = (self.keys[actor].id.clone(), self.keys[actor].shown.clone());
        let told = Told { _who: who, _from: from.to_owned(), _asked: (method, path, body), _answered: answer.clone() };
        self.story.push(told);
        let tenants = [&self.tenants[..], &["tenant_default".to_owned()]].concat();
        let verdict = judge(&self.keys, &tenants, Caller { key: &self.keys[actor], secret, from, through }, act, span);
        self.count(&format!("{}{} {status}", kind(act), if through.is_some() { ", under a tenant's path," } else { "" }));
        if (200..300).contains(&status) {
            assert!(verdict.accepted, "the server has accepted what the model refuses ({verdict:?}):\n{}", self.told());
            self.accepted((actor, through), act, &answer.json(), span);
            return;
        }
        if verdict.refused.contains(&status) {
            return;
        }
        let explained = verdict.accepted && status == 403 && !verdict.strict.is_empty();
        assert!(explained, "the server has refused what the model accepts, or otherwise ({verdict:?}):\n{}", self.told());
        for reason in verdict.strict {
            self.count(&format!("stricter: {reason}"));
        }
    }

    fn request(&self, act: &Act) -> (&'static str, String, Option<Value>) {
        let path = |target: &Target| {
            let id = match target {
                Target::Own(index) => self.keys[*index].id.as_str(),
                Target::Nobodys => "key_01h455vb4pex5vsknk084sn02q",
                Target::Environment => "key_default",
            };
            format!("/v1/api-keys/{id}")
        };
        match act {
            Act::Create(wanted) => ("POST", "/v1/api-keys".to_owned(), Some(wanted.clone())),
            Act::Change(target, change) => ("PATCH", path(target), Some(change.clone())),
            Act::Rotate(target, 0) => ("POST", format!("{}/rotate", path(target)), None),
            Act::Rotate(target, grace) => ("POST", format!("{}/rotate", path(target)), Some(json!({"grace_period_seconds": grace}))),
            Act::Revoke(target) => ("DELETE", path(target), None),
            Act::Find(target) => ("GET", path(target), None),
            Act::List => ("GET", "/v1/api-keys?limit=5".to_owned(), None),
            Act::Me => ("GET", "/v1/api-keys/me".to_owned(), None),
            Act::Send(from) => ("POST", "/v1/send".to_owned(), Some(email(&json!({"from": from})))),
        }
    }

    /// What follows from a call that was accepted.
    fn accepted(&mut self, (actor, through): (usize, Option<&String>), act: &Act, answer: &Value, span: Span) {
        let own = self.keys[actor].authority();
        let mut ancestors = self.keys[actor].bound.clone();
        ancestors.join(&own);
        match act {
            Act::Create(wanted) => {
                let key = Key::of(answer, Some(ancestors));
                let caller = Caller { key: &self.keys[actor], secret: "", from: "", through };
                assert_eq!(key.shown, caller.made(wanted), "{}", self.told());
                assert_eq!(key.made_by, self.keys[actor].id, "{}", self.told());
                assert!(key.secret.starts_with(&format!("sk_{}_", key.shown.mode)), "{}", self.told());
                self.keys.push(key);
                self.check(self.keys.len() - 1, &own);
            }
            Act::Change(Target::Own(target), change) => {
                let old = self.keys[*target].authority();
                let expected = self.keys[*target].shown.changed(change);
                self.keys[*target].shown = expected;
                self.keys[*target].bound.join(&ancestors);
                self.compare(&self.keys[*target], answer);
                // Whoever changes itself gets nothing; whoever changes another gives no more than it has, or takes.
                let limit = if *target == actor || !self.keys[*target].authority().is_within(&own) { &old } else { &own };
                self.check(*target, limit);
            }
            Act::Rotate(Target::Own(target), grace) => {
                assert!(self.keys[*target].rotated(answer, *grace, span), "another grace than what was asked for:\n{}", self.told());
                self.compare(&self.keys[*target], answer);
                self.keys[*target].bound.join(&ancestors);
                // Whoever has the answer has what the key has.
                self.check(*target, &own);
            }
            Act::Revoke(Target::Own(target)) => {
                let key = &mut self.keys[*target];
                key.revoked = true;
                key.dead.extend(key.former.take().map(|(secret, _)| secret));
            }
            Act::Find(Target::Own(target)) => self.compare(&self.keys[*target], answer),
            Act::Me => self.compare(&self.keys[actor], answer),
            Act::List => self.check_list(actor, through, answer),
            Act::Send(_) => assert_eq!(answer["status"], "queued"),
            Act::Find(Target::Environment) => assert_eq!(answer["source"], "environment"),
            _ => panic!("nothing there can be changed: {}", self.told()),
        }
    }

    /// The rule: no more than `limit`, nor than all that its ancestors ever could together.
    fn check(&self, index: usize, limit: &Authority) {
        let key = &self.keys[index];
        let authority = key.authority();
        let beyond = (authority.beyond(limit), authority.beyond(&key.bound));
        assert!(beyond.0.is_empty() && beyond.1.is_empty(), "{} can do more in {beyond:?}:\n{}", key.id, self.told());
    }

    fn check_list(&self, actor: usize, through: Option<&String>, answer: &Value) {
        let reader = Caller { key: &self.keys[actor], secret: "", from: "", through }.acting();
        for listed in answer["data"].as_array().unwrap() {
            let tenant = listed["tenant_id"].as_str().map(str::to_owned);
            assert!(reader.reaches(tenant.as_ref()), "{listed}: {}", self.told());
        }
    }

    /// Compares what the operator sees with what the model knows, of all that the call could have touched.
    async fn observe(&mut self, actor: usize, act: &Act, through: Option<String>) {
        let named = match act {
            Act::Create(wanted) => wanted["tenant_id"].as_str().map(str::to_owned),
            _ => None,
        };
        let target = match act {
            Act::Change(Target::Own(target), _) | Act::Rotate(Target::Own(target), _) | Act::Revoke(Target::Own(target)) => Some(*target),
            Act::Create(_) => Some(self.keys.len() - 1),
            _ => None,
        };
        let touched = [Some(actor), target].into_iter().flatten();
        let concerned: Vec<_> = touched.map(|index| (index, self.keys[index].shown.tenant.clone())).collect();
        for (index, tenant) in &concerned {
            if tenant.is_none() {
                self.observe_key(*index).await;
            }
        }
        for tenant in 0..self.tenants.len() {
            let id = Some(&self.tenants[tenant]);
            if id == named.as_ref() || id == through.as_ref() || concerned.iter().any(|(_, concerned)| concerned.as_ref() == id) {
                self.observe_tenant(tenant).await;
            }
        }
    }

    async fn observe_key(&mut self, index: usize) {
        let path = format!("/v1/api-keys/{}", self.keys[index].id);
        let answer = self.ask("GET", &path, KEY, "127.0.0.1", None).await;
        assert_eq!(answer.status, 200, "{}", self.told());
        self.compare(&self.keys[index], &answer.json());
    }

    async fn observe_tenant(&mut self, tenant: usize) {
        let secret = self.observers[tenant].secret.clone();
        let answer = self.ask("GET", "/v1/api-keys?include=revoked", &secret, "127.0.0.1", None).await.json();
        let listed = answer["data"].as_array().unwrap();
        let id = Some(&self.tenants[tenant]);
        let known: Vec<&Key> = self.keys.iter().chain(&self.observers).filter(|key| key.shown.tenant.as_ref() == id).collect();
        assert_eq!(listed.len(), known.len(), "{answer}\n{}", self.told());
        for key in known {
            let shown = listed.iter().find(|shown| shown["id"] == key.id.as_str());
            self.compare(key, shown.unwrap_or(&Value::Null));
        }
    }

    fn compare(&self, key: &Key, shown: &Value) {
        if let Some(difference) = key.difference(shown) {
            panic!("{difference}\n{}", self.told());
        }
    }

    /// Makes something with the operator's key.
    async fn made(&mut self, path: &str, body: &Value) -> Value {
        let answer = self.ask("POST", path, KEY, "127.0.0.1", Some(body)).await;
        assert_eq!(answer.status, 201, "{body}: {}", answer.json());
        answer.json()
    }

    async fn ask(&mut self, method: &str, path: &str, secret: &str, from: &str, body: Option<&Value>) -> HttpAnswer {
        let bearer = format!("Bearer {secret}");
        let headers = [("authorization", bearer.as_str()), ("x-forwarded-for", from), ("content-type", "application/json")];
        let octets = body.map(Value::to_string).unwrap_or_default().into_bytes();
        let answer = self.http.send_octets(method, path, &headers, octets).await.unwrap();
        // What nobody reads of a body ends the connection.
        if answer.header("connection") == Some("close") {
            self.http = HttpClient::connect(self.address).await.unwrap();
        }
        answer
    }

    fn count(&mut self, what: &str) {
        *self.tally.entry(what.to_owned()).or_default() += 1;
    }

    fn told(&self) -> String {
        let calls: Vec<String> = self.story.iter().map(|told| format!("{told:?}")).collect();
        format!("the walk of seed {}:\n{}", self.seed, calls.join("\n"))
    }
}

const fn kind(act: &Act) -> &'static str {
    match act {
        Act::Create(_) => "create",
        Act::Change(..) => "change",
        Act::Rotate(..) => "rotate",
        Act::Revoke(_) => "revoke",
        Act::Find(_) => "find",
        Act::List => "list",
        Act::Me => "me",
        Act::Send(_) => "send",
    }
}
