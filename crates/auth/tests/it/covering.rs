//! How two keys compare: every pair of permission sets, and any two authorities against the model.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use selfmx_auth::{Authority, Excess, Permission, PermissionSet};
use selfmx_domain::TenantId;

use crate::any::{self, USUAL};
use crate::facts::{Fact, facts};

#[test]
fn every_pair_of_permission_sets_compares_as_one_by_one() {
    let count = Permission::ALL.len();
    // A tenant's keys: nothing but the permissions counts.
    let holding = |bits: u32| -> Authority {
        let held: PermissionSet = Permission::ALL.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1).map(|(_, held)| *held).collect();
        Authority { tenant: Some(TenantId::DEFAULT), permissions: held, ..Authority::everything() }
    };
    let all: Vec<Authority> = (0..1_u32 << count).map(holding).collect();
    let mut compared = 0;
    for (parent_bits, parent) in (0_u32..).zip(&all) {
        for (child_bits, child) in (0_u32..).zip(&all) {
            // The wildcard is the lowest bit and stands for all.
            let lacking = if parent_bits & 1 == 1 { 0 } else { child_bits & !parent_bits };
            let first = Permission::ALL.iter().enumerate().find(|(at, _)| lacking >> at & 1 == 1);
            let expected = first.map_or(Ok(()), |(_, permission)| Err(Excess::Permission(*permission)));
            assert_eq!(parent.covers(child, USUAL), expected, "{parent_bits:b} {child_bits:b}");
            compared += 1;
        }
    }
    assert_eq!(compared, 1_usize << (2 * count));
}

/// Whether `fact` is of the dimension that the excess names.
const fn is_of(fact: &Fact, excess: &Excess) -> bool {
    matches!(
        (excess, fact),
        (Excess::Permission(_), Fact::Holds(_))
            | (Excess::Tenant, Fact::CountsAs(_))
            | (Excess::Mode, Fact::Relays)
            | (Excess::Expiry(_), Fact::LivesAt(_))
            | (Excess::Ips, Fact::From(_))
            | (Excess::Senders, Fact::As(_))
            | (Excess::Templates, Fact::By(_))
            | (Excess::Rate(_), Fact::Follows | Fact::Requests { .. })
    )
}

#[test]
fn one_covers_another_just_where_the_model_says_so() {
    let (covered, refused) = (Cell::new(0), Cell::new(0));
    let pairs = any::authority().prop_flat_map(|parent| (Just(parent.clone()), any::like(parent), any::limit()));
    let outcome = TestRunner::new(Config::with_cases(4096)).run(&pairs, |(parent, child, usual)| {
        let verdict = parent.covers(&child, usual);
        let (own, wanted) = (facts(&parent, usual), facts(&child, usual));
        let beyond: Vec<&Fact> = wanted.difference(&own).collect();
        match verdict {
            Ok(()) => {
                covered.set(covered.get() + 1);
                prop_assert!(beyond.is_empty(), "{beyond:?}");
            }
            Err(excess) => {
                refused.set(refused.get() + 1);
                // Several networks may together hold one that none of them holds alone: that is refused, though it need not be.
                let conservative = excess == Excess::Ips && parent.allowed_ips.listed().is_some_and(|networks| networks.len() > 1);
                prop_assert!(conservative || beyond.iter().any(|fact| is_of(fact, &excess)), "{excess:?} {beyond:?}");
            }
        }
        Ok(())
    });
    outcome.unwrap();
    assert!(covered.get() > 400 && refused.get() > 400, "{} covered, {} refused", covered.get(), refused.get());
}

proptest! {
    #[test]
    fn every_key_covers_itself_and_the_operator_covers_all(authority in any::authority(), usual in any::limit()) {
        prop_assert_eq!(authority.covers(&authority, usual), Ok(()));
        prop_assert_eq!(Authority::everything().covers(&authority, usual), Ok(()));
    }

    /// So nobody gets further by a key in between.
    #[test]
    fn what_a_covered_key_covers_is_covered(
        (grandparent, parent, child) in any::authority().prop_flat_map(|top| (Just(top.clone()), any::like(top)))
            .prop_flat_map(|(top, middle)| (Just(top), Just(middle.clone()), any::like(middle))),
        usual in any::limit(),
    ) {
        if grandparent.covers(&parent, usual).is_ok() && parent.covers(&child, usual).is_ok() {
            prop_assert_eq!(grandparent.covers(&child, usual), Ok(()));
        }
    }
}
