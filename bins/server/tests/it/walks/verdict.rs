//! What the model says to a call: accepted, refused, or either where a clock cannot tell.

use serde_json::{Value, json};

use super::authority::{Authority, Shown, milliseconds, strictness};
use super::key::{Certainty, Key, Span};
use super::words::NO_TEMPLATE;

/// What is asked for.
#[derive(Clone, Debug)]
pub(super) enum Act {
    Create(Value),
    Change(Target, Value),
    Rotate(Target, u32),
    Revoke(Target),
    Find(Target),
    List,
    Me,
    Send(String),
}

/// Which key it is about.
#[derive(Clone, Debug)]
pub(super) enum Target {
    /// One of the walk's, by its number.
    Own(usize),
    /// One that was never made.
    Nobodys,
    /// The operator's own.
    Environment,
}

/// What may come of a call.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    /// It may be accepted.
    pub(super) accepted: bool,
    /// It may be refused with one of these.
    pub(super) refused: Vec<u16>,
    /// It is within what the caller has, and the server may refuse it with 403 all the same, for one of these reasons.
    pub(super) strict: Vec<&'static str>,
}

impl Verdict {
    fn accept() -> Self {
        Self { accepted: true, ..Self::default() }
    }

    fn refuse(status: u16) -> Self {
        Self { refused: vec![status], ..Self::default() }
    }

    fn or(mut self, status: u16) -> Self {
        self.refused.push(status);
        self
    }
}

/// A call: by whom, with which secret, from where, under the path of which tenant.
#[derive(Clone, Copy)]
pub(super) struct Caller<'a> {
    pub(super) key: &'a Key,
    pub(super) secret: &'a str,
    pub(super) from: &'a str,
    pub(super) through: Option<&'a String>,
}

impl Caller<'_> {
    /// The key as it acts: confined to the tenant in whose path it asks.
    pub(super) fn acting(&self) -> Shown {
        let tenant = self.through.or(self.key.shown.tenant.as_ref()).cloned();
        Shown { tenant, ..self.key.shown.clone() }
    }

    /// The key as it is to be once the caller has made it.
    pub(super) fn made(&self, wanted: &Value) -> Shown {
        Shown { enabled: true, ..self.acting() }.changed(wanted)
    }
}

/// What is to come of `act`. There are these keys and these tenants.
pub(super) fn judge(keys: &[Key], tenants: &[String], caller: Caller<'_>, act: &Act, span: Span) -> Verdict {
    let recognised = caller.key.is_recognised(caller.secret, span);
    if recognised == Certainty::No {
        return Verdict::refuse(401);
    }
    let placed = caller.key.authority().has("allowed_ips", caller.from);
    let verdict = if placed { within(keys, tenants, caller, act, span) } else { Verdict::refuse(403) };
    // A key that ends during the call is refused at the door, or where its row is looked at again.
    if recognised == Certainty::Unsure { verdict.or(401).or(403) } else { verdict }
}

fn within(keys: &[Key], tenants: &[String], caller: Caller<'_>, act: &Act, span: Span) -> Verdict {
    let own = &caller.key.shown;
    let needs = match act {
        Act::Create(_) | Act::Change(..) | Act::Rotate(..) | Act::Revoke(_) => Some("api-keys:write"),
        Act::Find(_) | Act::List => Some("api-keys:read"),
        Act::Send(_) => Some("send"),
        Act::Me => None,
    };
    if needs.is_some_and(|needs| !own.holds(needs)) || caller.through.is_some() && !own.is_platform_admin() {
        return Verdict::refuse(403);
    }
    if caller.through.is_some_and(|tenant| !tenants.contains(tenant)) {
        return Verdict::refuse(404);
    }
    let acting = caller.acting();
    match act {
        Act::Me | Act::List => Verdict::accept(),
        Act::Create(wanted) => create(tenants, caller, wanted, span),
        Act::Send(from) => {
            let authority = caller.key.authority();
            let may = authority.has("allowed_senders", from) && authority.has("allowed_templates", NO_TEMPLATE);
            if may { Verdict::accept() } else { Verdict::refuse(403) }
        }
        Act::Change(target, _) | Act::Rotate(target, _) | Act::Revoke(target) | Act::Find(target) => match target {
            Target::Own(index) if acting.reaches(keys[*index].shown.tenant.as_ref()) => about(caller.key, &keys[*index], act, span),
            Target::Environment if acting.tenant.is_none() && matches!(act, Act::Find(_)) => Verdict::accept(),
            Target::Environment if acting.tenant.is_none() => Verdict::refuse(409),
            _ => Verdict::refuse(404),
        },
    }
}

fn create(tenants: &[String], caller: Caller<'_>, wanted: &Value, span: Span) -> Verdict {
    let end = ends(wanted, span);
    if wanted["permissions"] == json!([]) || end == Certainty::No {
        return Verdict::refuse(400);
    }
    let shown = caller.made(wanted);
    let confined = caller.through.is_none_or(|tenant| shown.tenant.as_ref() == Some(tenant));
    if !confined || !Authority::of(&shown).is_within(&caller.key.authority()) {
        return unsure(Verdict::refuse(403), end);
    }
    let known = shown.tenant.as_ref().is_none_or(|tenant| tenants.contains(tenant));
    let verdict = if known { Verdict::accept() } else { Verdict::refuse(400) };
    unsure(Verdict { strict: strictness(&caller.key.shown, &shown), ..verdict }, end)
}

/// What the actor reaches.
fn about(actor: &Key, target: &Key, act: &Act, span: Span) -> Verdict {
    let own = actor.authority();
    match act {
        Act::Change(_, change) if ["name", "permissions", "enabled"].iter().any(|name| change.get(name) == Some(&Value::Null)) => {
            Verdict::refuse(400)
        }
        Act::Change(..) | Act::Rotate(..) if target.revoked => Verdict::refuse(409),
        Act::Change(_, change) => {
            let end = ends(change, span);
            if end == Certainty::No {
                return Verdict::refuse(400);
            }
            let shown = target.shown.changed(change);
            let changed = Authority::of(&shown);
            if changed.is_within(&own) {
                return unsure(Verdict { strict: strictness(&actor.shown, &shown), ..Verdict::accept() }, end);
            }
            if changed.is_within(&target.authority()) {
                return unsure(Verdict { strict: vec!["a key that may do more than who narrows it"], ..Verdict::accept() }, end);
            }
            unsure(Verdict::refuse(403), end)
        }
        Act::Rotate(..) if !target.authority().is_within(&own) => Verdict::refuse(403),
        Act::Rotate(..) => Verdict { strict: strictness(&actor.shown, &target.shown), ..Verdict::accept() },
        _ => Verdict::accept(),
    }
}

/// Whether the end that is asked for, where one is, is yet to come.
fn ends(asked: &Value, span: Span) -> Certainty {
    asked["expires_at"].as_str().map_or(Certainty::Yes, |end| span.before(milliseconds(end)))
}

fn unsure(verdict: Verdict, end: Certainty) -> Verdict {
    if end == Certainty::Unsure { verdict.or(400) } else { verdict }
}
