//! What a key may do, as plain sets: written down once more, from the contract and not from the server's code.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::words::{ADDRESSES, BY, FROM, NETWORKS, PERMISSIONS, SENDERS, TEMPLATES, USUAL_RATE, Word, covered};
use crate::world::text;

/// A key as an answer shows it: everything that can be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) name: String,
    pub(super) tenant: Option<String>,
    pub(super) permissions: BTreeSet<String>,
    pub(super) mode: String,
    pub(super) enabled: bool,
    pub(super) expires_at: Option<String>,
    pub(super) ips: Option<Vec<String>>,
    pub(super) senders: Option<Vec<String>>,
    pub(super) templates: Option<Vec<String>>,
    pub(super) rate: Option<u64>,
}

impl Shown {
    pub(super) fn of(answer: &Value) -> Self {
        let texts = |value: &Value| value.as_array().map(|members| members.iter().map(text).collect::<Vec<_>>());
        Self {
            name: text(&answer["name"]),
            tenant: answer["tenant_id"].as_str().map(str::to_owned),
            permissions: texts(&answer["permissions"]).unwrap_or_default().into_iter().collect(),
            mode: text(&answer["mode"]),
            enabled: answer["enabled"] == true,
            expires_at: answer["expires_at"].as_str().map(str::to_owned),
            ips: texts(&answer["allowed_ips"]),
            senders: texts(&answer["allowed_senders"]),
            templates: texts(&answer["allowed_templates"]),
            rate: answer["rate_limit"]["requests_per_minute"].as_u64(),
        }
    }

    /// This key after a request that says `body`: a member replaces, `null` takes away, what is absent stays.
    pub(super) fn changed(&self, body: &Value) -> Self {
        let mut shown = self.clone();
        for (field, value) in body.as_object().unwrap() {
            match field.as_str() {
                "name" => shown.name = text(value),
                "tenant_id" => shown.tenant = value.as_str().map(str::to_owned),
                "permissions" => shown.permissions = value.as_array().unwrap().iter().map(text).collect(),
                "mode" => shown.mode = text(value),
                "enabled" => shown.enabled = value.as_bool().unwrap(),
                "expires_at" => shown.expires_at = value.as_str().map(str::to_owned),
                "allowed_ips" => shown.ips = said(NETWORKS, value),
                "allowed_senders" => shown.senders = said(SENDERS, value),
                "allowed_templates" => shown.templates = said(TEMPLATES, value),
                "rate_limit" => shown.rate = value["requests_per_minute"].as_u64(),
                other => panic!("say here what {other} changes"),
            }
        }
        shown
    }

    pub(super) fn holds(&self, permission: &str) -> bool {
        self.permissions.contains("*") || self.permissions.contains(permission)
    }

    /// Whether it is a platform key that reaches every tenant.
    pub(super) fn is_platform_admin(&self) -> bool {
        self.tenant.is_none() && self.permissions.contains("*")
    }

    /// Whether it sees and changes a key of this tenant.
    pub(super) fn reaches(&self, tenant: Option<&String>) -> bool {
        self.is_platform_admin() || self.tenant.as_ref() == tenant
    }

    /// When it ends, in milliseconds since 1970.
    pub(super) fn ends(&self) -> Option<i64> {
        self.expires_at.as_deref().map(milliseconds)
    }
}

/// A time as answers write it, in milliseconds since 1970.
pub(super) fn milliseconds(text: &str) -> i64 {
    i64::try_from(OffsetDateTime::parse(text, &Rfc3339).unwrap().unix_timestamp_nanos() / 1_000_000).unwrap()
}

fn said(words: &[Word], value: &Value) -> Option<Vec<String>> {
    let shown = |said: &Value| words.iter().find(|word| *said == json!(word.said)).unwrap().shown.to_owned();
    value.as_array().map(|members| members.iter().map(shown).collect())
}

/// Where a platform key with `*` acts.
const EVERY_TENANT: &str = "every tenant";

/// What a key may do, in each dimension a set; what is ordered is a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Authority {
    sets: BTreeMap<&'static str, BTreeSet<String>>,
    until: i64,
    requests: u64,
}

impl Authority {
    pub(super) fn of(shown: &Shown) -> Self {
        let mut permissions = shown.permissions.clone();
        if permissions.contains("*") {
            permissions.extend(PERMISSIONS.iter().map(|permission| (*permission).to_owned()));
        }
        let realm = match &shown.tenant {
            Some(tenant) => BTreeSet::from([tenant.clone()]),
            None if shown.is_platform_admin() => BTreeSet::from(["the platform".to_owned(), EVERY_TENANT.to_owned()]),
            None => BTreeSet::from(["the platform".to_owned()]),
        };
        let mode = if shown.mode == "live" { &["captured", "relayed"][..] } else { &["captured"] };
        let sets = BTreeMap::from([
            ("permissions", permissions),
            ("tenant_id", realm),
            ("mode", mode.iter().map(|mode| (*mode).to_owned()).collect()),
            ("allowed_ips", samples(shown.ips.as_ref(), NETWORKS, ADDRESSES)),
            ("allowed_senders", samples(shown.senders.as_ref(), SENDERS, FROM)),
            ("allowed_templates", samples(shown.templates.as_ref(), TEMPLATES, BY)),
        ]);
        let requests = match shown.rate {
            Some(0) => u64::MAX,
            Some(requests) => requests,
            // Who sets the tenants' and the server's rates is not bound by them.
            None if shown.is_platform_admin() => u64::MAX,
            None => USUAL_RATE,
        };
        Self { sets, until: shown.ends().unwrap_or(i64::MAX), requests }
    }

    /// The dimensions in which this is more than `other`. A platform key with `*` reaches every tenant.
    pub(super) fn beyond(&self, other: &Self) -> Vec<&'static str> {
        let mut beyond: Vec<_> = self.sets.iter().filter(|(name, set)| !set.is_subset(&other.sets[*name])).map(|(name, _)| *name).collect();
        if other.has("tenant_id", EVERY_TENANT) {
            beyond.retain(|name| *name != "tenant_id");
        }
        beyond.extend((self.until > other.until).then_some("expires_at"));
        beyond.extend((self.requests > other.requests).then_some("rate_limit"));
        beyond
    }

    pub(super) fn is_within(&self, other: &Self) -> bool {
        self.beyond(other).is_empty()
    }

    /// In each dimension what either has.
    pub(super) fn join(&mut self, other: &Self) {
        for (name, set) in &mut self.sets {
            set.extend(other.sets[*name].iter().cloned());
        }
        (self.until, self.requests) = (self.until.max(other.until), self.requests.max(other.requests));
    }

    pub(super) fn has(&self, dimension: &str, sample: &str) -> bool {
        self.sets[dimension].contains(sample)
    }

    pub(super) fn samples(&self, dimension: &str) -> Vec<&str> {
        self.sets[dimension].iter().map(String::as_str).collect()
    }
}

fn samples(listed: Option<&Vec<String>>, words: &[Word], all: &[&str]) -> BTreeSet<String> {
    let texts = |samples: &[&str]| samples.iter().map(|sample| (*sample).to_owned()).collect::<Vec<_>>();
    match listed {
        None => texts(all).into_iter().collect(),
        Some(listed) => listed.iter().flat_map(|shown| texts(covered(words, shown))).collect(),
    }
}

/// Why the server refuses what is no more than its maker has. Each is meant, and errs on the safe side.
pub(super) fn strictness(actor: &Shown, wanted: &Shown) -> Vec<&'static str> {
    let one_by_one = |own: &Option<Vec<String>>, wanted: &Option<Vec<String>>, words: &[Word]| match (own, wanted) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(own), Some(wanted)) => wanted.iter().all(|wanted| {
            let covers = |own: &String| covered(words, wanted).iter().all(|sample| covered(words, own).contains(sample));
            own.iter().any(covers)
        }),
    };
    let mut reasons = Vec::new();
    if !one_by_one(&actor.ips, &wanted.ips, NETWORKS) {
        reasons.push("a network that only several of its own cover together");
    }
    if !one_by_one(&actor.senders, &wanted.senders, SENDERS) {
        reasons.push("a sender that only several of its own cover together");
    }
    if actor.rate.is_some() && wanted.rate.is_none() {
        reasons.push("no rate of its own, which is no more than its maker's as long as the server's stays as it is");
    }
    reasons
}
