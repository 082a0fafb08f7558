//! Random requests, the same for the same seed.

use selfmx_testing::SeededEntropy;
use serde_json::{Map, Value, json};

use super::authority::{Authority, Shown};
use super::words::{ENDS, NETWORKS, PERMISSIONS, RATES, SENDERS, TEMPLATES, Word, covered};

/// Chance, seeded.
pub(super) struct Chance(SeededEntropy);

impl Chance {
    pub(super) const fn new(seed: u64) -> Self {
        Self(SeededEntropy::new(seed))
    }

    /// Whether something happens that does so in so many of a hundred cases.
    pub(super) fn happens(&self, percent: u64) -> bool {
        self.0.below(100) < percent
    }

    pub(super) fn below(&self, bound: usize) -> usize {
        usize::try_from(self.0.below(u64::try_from(bound).unwrap())).unwrap()
    }

    pub(super) fn pick<'a, T>(&self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    /// A root key, with the right to make others.
    pub(super) fn root(&self, tenant: Option<&String>) -> Value {
        let mut wanted = self.bounds(None, 30, 0);
        let wildcard = if tenant.is_some() { 60 } else { 80 };
        let permissions = if self.happens(wildcard) { vec!["*"] } else { self.some(&PERMISSIONS) };
        let permissions: Vec<&str> = permissions.into_iter().chain(["api-keys:write"]).collect();
        wanted.insert("permissions".to_owned(), json!(permissions));
        wanted.insert("mode".to_owned(), json!(if self.happens(75) { "live" } else { "test" }));
        wanted.insert("name".to_owned(), json!("Root"));
        wanted.extend(tenant.map(|tenant| ("tenant_id".to_owned(), json!(tenant))));
        Value::Object(wanted)
    }

    /// A key that `maker` asks for; `tenants` are those that it may name.
    pub(super) fn wanted(&self, maker: &Shown, tenants: &[String], now: i64) -> Value {
        let mut wanted = self.bounds(Some(maker), 30, now);
        wanted.retain(|_, value| !value.is_null());
        wanted.insert("name".to_owned(), json!(format!("Made {}", self.below(1_000))));
        wanted.insert("permissions".to_owned(), self.permissions(maker));
        if self.happens(20) {
            wanted.insert("mode".to_owned(), json!(self.pick(&["live", "test"])));
        }
        if self.happens(if maker.is_platform_admin() { 60 } else { 12 }) {
            wanted.insert("tenant_id".to_owned(), json!(self.pick(tenants)));
        }
        if self.happens(2) {
            wanted.insert("permissions".to_owned(), json!([]));
        }
        Value::Object(wanted)
    }

    /// A change of a key.
    pub(super) fn change(&self, maker: &Shown, now: i64) -> Value {
        let mut change = self.bounds(Some(maker), 18, now);
        if self.happens(30) {
            change.insert("permissions".to_owned(), self.permissions(maker));
        }
        if self.happens(10) {
            change.insert("enabled".to_owned(), json!(self.happens(60)));
        }
        if self.happens(20) {
            change.insert("name".to_owned(), json!(format!("Changed {}", self.below(1_000))));
        }
        if self.happens(2) {
            change.insert((*self.pick(&["permissions", "enabled", "name"])).to_owned(), Value::Null);
        }
        Value::Object(change)
    }

    /// What can be said of all that confines a key, each with so much likelihood; `null` now and then.
    fn bounds(&self, maker: Option<&Shown>, percent: u64, now: i64) -> Map<String, Value> {
        let mut bounds = Map::new();
        let mut add = |name: &str, value: &dyn Fn() -> Value| {
            if self.happens(percent) {
                let value = if maker.is_some() && self.happens(20) { Value::Null } else { value() };
                bounds.insert(name.to_owned(), value);
            }
        };
        add("expires_at", &|| self.end(maker, now));
        add("allowed_ips", &|| self.list(maker.and_then(|maker| maker.ips.as_ref()), NETWORKS));
        add("allowed_senders", &|| self.list(maker.and_then(|maker| maker.senders.as_ref()), SENDERS));
        add("allowed_templates", &|| self.list(maker.and_then(|maker| maker.templates.as_ref()), TEMPLATES));
        add("rate_limit", &|| json!({"requests_per_minute": self.pick(RATES)}));
        bounds
    }

    /// Mostly what the maker has, or part of it; now and then anything.
    fn permissions(&self, maker: &Shown) -> Value {
        let held: Vec<&str> = PERMISSIONS.iter().copied().filter(|permission| maker.holds(permission)).collect();
        json!(if self.happens(70) && !held.is_empty() { self.some(&held) } else { self.some(&PERMISSIONS) })
    }

    fn end(&self, maker: Option<&Shown>, now: i64) -> Value {
        match (maker.and_then(|maker| maker.expires_at.as_ref()), self.below(100)) {
            (Some(_), 0..3) => json!("2020-01-01T00:00:00.000Z"),
            (Some(_), 3..12) => json!(written(now + 100 + i64::try_from(self.below(2_000)).unwrap())),
            (Some(own), 12..60) => json!(own),
            _ => json!(self.pick(ENDS)),
        }
    }

    /// Mostly words that the maker's cover; now and then any.
    fn list(&self, own: Option<&Vec<String>>, words: &[Word]) -> Value {
        let within = |word: &&Word| {
            let covers = |own: &String| word.covers.iter().all(|sample| covered(words, own).contains(sample));
            own.is_none_or(|own| own.iter().any(covers))
        };
        let own: Vec<&str> = words.iter().filter(within).map(|word| word.said).collect();
        let all: Vec<&str> = words.iter().map(|word| word.said).collect();
        json!(if self.happens(70) { self.some(&own) } else { self.some(&all) })
    }

    /// One to four of them, each once.
    fn some<'a>(&self, of: &[&'a str]) -> Vec<&'a str> {
        let mut left = of.to_vec();
        let count = 1 + self.below(4.min(of.len()));
        (0..count).map(|_| left.swap_remove(self.below(left.len()))).collect()
    }

    /// Mostly a sample that the key has, else any.
    pub(super) fn sample(&self, authority: &Authority, dimension: &str, all: &[&'static str], percent: u64) -> String {
        let own = authority.samples(dimension);
        if self.happens(percent) { (*self.pick(&own)).to_owned() } else { (*self.pick(all)).to_owned() }
    }
}

/// A time as answers write it.
pub(super) fn written(milliseconds: i64) -> String {
    let layout = time::macros::format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(milliseconds) * 1_000_000).unwrap().format(layout).unwrap()
}
