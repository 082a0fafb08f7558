//! Random walks: keys make, change, rotate and revoke keys at random while time passes, and none ever exceeds those that it comes from.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestCaseResult, TestRunner};
use selfmx_auth::{Authority, Grant, KeyChange, Permit, Principal, System, needs};
use selfmx_domain::TenantId;

use crate::amending::key_change;
use crate::any;
use crate::facts::Facts;
use crate::granting::said_of;
use crate::store::{Done, Store};

const WALKS: u32 = 1_000;
const STEPS: usize = 30;

/// A step: who acts, for which tenant where it can choose, on which key.
#[derive(Clone, Debug)]
struct Step {
    actor: Index,
    elsewhere: Option<TenantId>,
    target: Index,
    act: Act,
}

#[derive(Clone, Debug)]
enum Act {
    Create { said: Authority, same: [bool; 8], says: [bool; 7] },
    Amend(KeyChange),
    Rotate(Duration),
    Revoke,
    Wait,
}

fn step() -> impl Strategy<Value = Step> {
    let create = (any::authority(), any::similarity(), any::<[bool; 7]>()).prop_map(|(said, same, says)| Act::Create { said, same, says });
    let switch = of(any::<bool>()).prop_map(|enabled| KeyChange { enabled, ..KeyChange::default() });
    let permissions = of(any::permissions()).prop_map(|permissions| KeyChange { permissions, ..KeyChange::default() });
    let grace = select(vec![0_u64, 30, 60, 120, 2_592_000]).prop_map(Duration::from_secs);
    let act = prop_oneof![
        8 => create,
        4 => key_change().prop_map(Act::Amend),
        2 => prop_oneof![switch, permissions].prop_map(Act::Amend),
        4 => grace.prop_map(Act::Rotate),
        1 => Just(Act::Revoke),
        1 => Just(Act::Wait),
    ];
    (any::<Index>(), of(select(any::named_tenants())), any::<Index>(), act).prop_map(|(actor, elsewhere, target, act)| Step {
        actor,
        elsewhere,
        target,
        act,
    })
}

fn permit(principal: &Principal, elsewhere: Option<TenantId>) -> Option<Permit<needs::ApiKeysWrite>> {
    let acting = elsewhere.zip(principal.platform_permit::<needs::All>().ok());
    let acting = acting.map(|(tenant, permit)| Principal::acting_for(&permit, Arc::new(any::tenant(Some(tenant)))));
    acting.as_ref().unwrap_or(principal).permit().ok()
}

/// Takes the step with the secret `text`; tells what it changed.
fn taken(store: &mut Store, step: &Step, text: &str) -> Done {
    if matches!(step.act, Act::Wait) {
        store.now += Duration::from_secs(30);
        return None;
    }
    let principal = store.recognised(text)?;
    let permit = permit(&principal, step.elsewhere)?;
    let keys: Vec<_> = store.keys.keys().copied().collect();
    let target = *step.target.get(&keys);
    match step.act.clone() {
        Act::Create { said, same, says } => {
            let said = any::mixed(&principal.key().authority, said, &same);
            store.create(&permit, said_of(&said, says))
        }
        Act::Amend(change) => store.amend(&permit, target, change),
        Act::Rotate(grace) => store.rotate(&permit, target, grace),
        Act::Revoke => store.revoke(&permit, target),
        Act::Wait => None,
    }
}

/// How often what was done, so that nothing is shown by steps that never happen.
type Counts = RefCell<BTreeMap<&'static str, u32>>;

fn count(counts: &Counts, step: &Step, done: &Done) {
    let name = match (&step.act, done) {
        (Act::Wait, _) => "waited",
        (_, None) => "refused",
        (Act::Create { .. }, _) => "created",
        (Act::Amend(_), _) => "amended",
        (Act::Rotate(_), _) => "rotated",
        (Act::Revoke, _) => "revoked",
    };
    *counts.borrow_mut().entry(name).or_default() += 1;
}

/// Any key acts with any secret that was ever given out.
fn open_walk(mut store: Store, steps: &[Step], counts: &Counts) -> TestCaseResult {
    for step in steps {
        let issued = step.actor.get(&store.issued).clone();
        prop_assert_eq!(store.recognised(&issued.text).map(|found| found.key().id), store.counts(&issued).then_some(issued.key));
        let before = store.facts(issued.key);
        let done = taken(&mut store, step, &issued.text);
        count(counts, step, &done);
        if let Some((key, _)) = done.filter(|_| !matches!(step.act, Act::Revoke)) {
            let beyond: Vec<_> = store.facts(key).difference(&before).copied().collect();
            prop_assert!(beyond.is_empty(), "{step:?} went beyond who took it: {beyond:?}");
        }
    }
    for key in store.keys.keys() {
        let ancestors = store.join_of_ancestors(*key);
        prop_assert!(ancestors.is_none_or(|join| store.facts(*key).is_subset(&join)), "{key} exceeds its ancestors");
    }
    for issued in &store.issued {
        prop_assert_eq!(store.recognised(&issued.text).map(|found| found.key().id), store.counts(issued).then_some(issued.key));
    }
    Ok(())
}

/// Somebody who has one key, and whatever secrets it yields, tries everything against a store with other keys in it.
fn attack(mut store: Store, steps: &[Step], counts: &Counts) -> TestCaseResult {
    let mut known = vec![store.issued[0].text.clone()];
    let first: Facts = store.facts(store.issued[0].key);
    for step in steps {
        let text = step.actor.get(&known).clone();
        let done = taken(&mut store, step, &text);
        count(counts, step, &done);
        let Some((_, secret)) = done else { continue };
        known.extend(secret);
        for principal in known.iter().filter_map(|text| store.recognised(text)) {
            let beyond: Vec<_> = store.facts(principal.key().id).difference(&first).copied().collect();
            prop_assert!(beyond.is_empty(), "{step:?} went beyond the key that it began with: {beyond:?}");
        }
    }
    Ok(())
}

fn roots() -> impl Strategy<Value = Vec<Authority>> {
    let mixed = vec(prop_oneof![any::maker(), any::authority()], 3);
    (any::maker(), mixed).prop_map(|(first, others)| [vec![first], others, vec![Authority::everything()]].concat())
}

fn walked(walk: fn(Store, &[Step], &Counts) -> TestCaseResult, spoil: fn(&mut Store)) -> Result<BTreeMap<&'static str, u32>, String> {
    let counts = Counts::default();
    let config = Config { max_shrink_iters: 2_000, ..Config::with_cases(WALKS) };
    let outcome = TestRunner::new(config).run(&(roots(), vec(step(), STEPS)), |(roots, steps)| {
        let mut store = Store::with(&roots);
        spoil(&mut store);
        walk(store, &steps, &counts)
    });
    outcome.map(|()| counts.into_inner()).map_err(|error| error.to_string())
}

fn check_counts(counts: &BTreeMap<&'static str, u32>) {
    let steps = WALKS * u32::try_from(STEPS).unwrap();
    assert_eq!(counts.values().sum::<u32>(), steps, "{counts:?}");
    let done: BTreeSet<_> = counts.iter().filter(|(_, count)| **count > 100).map(|(name, _)| *name).collect();
    assert_eq!(done, BTreeSet::from(["amended", "created", "refused", "revoked", "rotated", "waited"]), "{counts:?}");
}

#[test]
fn no_key_ever_exceeds_the_join_of_its_ancestors() {
    check_counts(&walked(open_walk, |_| {}).unwrap());
}

#[test]
fn nobody_gets_beyond_the_key_that_he_began_with() {
    check_counts(&walked(attack, |_| {}).unwrap());
}

/// The negative control: a store that makes whatever key is wanted is found out by both walks.
#[test]
#[expect(clippy::disallowed_methods, reason = "the spoilt store makes keys by the server's own authority")]
fn the_walks_find_a_store_that_does_not_ask() {
    let spoil = |store: &mut Store| {
        store.grants = |_, wanted, now| {
            let grant = Grant::by_system(&System::assume(), wanted, now).ok()?;
            Some((grant.name().clone(), grant.authority().clone()))
        };
    };
    for walk in [open_walk, attack] {
        assert!(walked(walk, spoil).unwrap_err().contains("went beyond"));
    }
}
