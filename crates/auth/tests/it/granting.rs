//! Making a key: any wanted key of any maker, against the model.

use std::cell::Cell;

use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestCaseResult, TestRunner};
use selfmx_auth::{Allowed, Authority, Grant, GrantError, PermissionSet, Principal, System, Wanted, needs};
use selfmx_domain::{RateLimit, TenantId};

use crate::any::{self, NOW, USUAL};
use crate::facts::{Facts, facts, requests};

prop_compose! {
    /// A key that is wanted of `maker`: in each dimension nothing is said, or something, often what the maker has itself.
    fn wanted(maker: Authority)(said in any::like(maker), says in any::<[bool; 7]>()) -> Wanted {
        said_of(&said, says)
    }
}

/// What is said of a wanted key: `said`, in some dimensions.
pub(crate) fn said_of(said: &Authority, says: [bool; 7]) -> Wanted {
    let [tenant, mode, end, networks, senders, templates, limit] = says;
    Wanted {
        tenant: said.tenant.filter(|_| tenant),
        mode: mode.then_some(said.mode),
        expires_at: said.expires_at.filter(|_| end),
        allowed_ips: said.allowed_ips.listed().filter(|_| networks).map(<[_]>::to_vec),
        allowed_senders: said.allowed_senders.listed().filter(|_| senders).map(<[_]>::to_vec),
        allowed_templates: said.allowed_templates.listed().filter(|_| templates).map(<[_]>::to_vec),
        rate_limit: said.rate_limit.filter(|_| limit),
        ..Wanted::new("Wanted".parse().unwrap(), said.permissions)
    }
}

/// The maker as it acts: within its own tenant, or within one that it names, which only the operator can.
pub(crate) fn acting(maker: &Authority, elsewhere: Option<TenantId>) -> (Principal, Option<TenantId>) {
    let principal = any::recognised(maker);
    let Some((tenant, permit)) = elsewhere.zip(principal.platform_permit::<needs::All>().ok()) else {
        return (principal, maker.tenant);
    };
    let tenant = std::sync::Arc::new(any::tenant(Some(tenant)));
    (Principal::acting_for(&permit, tenant.clone()), Some(tenant.id))
}

/// The wanted key with its maker's values where nothing is said.
fn completed(maker: &Authority, tenant: Option<TenantId>, wanted: &Wanted) -> Authority {
    let mut key = Authority { tenant, permissions: wanted.permissions, ..maker.clone() };
    if let Some(tenant) = wanted.tenant {
        key.tenant = Some(tenant);
    }
    if let Some(mode) = wanted.mode {
        key.mode = mode;
    }
    if let Some(end) = wanted.expires_at {
        key.expires_at = Some(end);
    }
    if let Some(networks) = &wanted.allowed_ips {
        key.allowed_ips = Allowed::Only(networks.clone());
    }
    if let Some(senders) = &wanted.allowed_senders {
        key.allowed_senders = Allowed::Only(senders.clone());
    }
    if let Some(templates) = &wanted.allowed_templates {
        key.allowed_templates = Allowed::Only(templates.clone());
    }
    if let Some(limit) = wanted.rate_limit {
        key.rate_limit = Some(limit);
    }
    key
}

/// Whether the model lets somebody with `maker`'s authority, confined to `tenant`, give `key` away.
pub(crate) fn may_give(maker: &Authority, tenant: Option<TenantId>, key: &Authority) -> bool {
    let (own, given): (Facts, Facts) = (facts(maker, USUAL), facts(key, USUAL));
    given.is_subset(&own) && (tenant.is_none() || key.tenant == tenant)
}

/// Where the code is meant to be exact: it refuses a network that several of the maker's hold only together.
pub(crate) fn is_exact(maker: &Authority) -> bool {
    maker.allowed_ips.listed().is_none_or(|networks| networks.len() < 2)
}

fn check(maker: &Authority, elsewhere: Option<TenantId>, wanted: &Wanted) -> Result<bool, TestCaseError> {
    let (principal, tenant) = acting(maker, elsewhere);
    let key = completed(maker, tenant, wanted);
    let makes_sense = key.permissions != PermissionSet::default() && wanted.expires_at.is_none_or(|end| end > NOW);
    let expected = makes_sense && may_give(maker, tenant, &key);
    let granted = principal.permit::<needs::ApiKeysWrite>().unwrap().grant(wanted.clone(), NOW);
    prop_assert!(expected || granted.is_err(), "beyond its maker: {:?}", granted);
    prop_assert!(!is_exact(maker) || granted.is_ok() == expected, "{:?}", granted);
    let invalid = matches!(granted, Err(GrantError::Invalid { .. }));
    prop_assert_eq!(invalid, !makes_sense);
    let Ok(grant) = granted else { return Ok(false) };
    prop_assert_eq!(grant.authority(), &key);
    prop_assert_eq!(grant.name(), &wanted.name);
    check_rates(maker, &key)?;
    Ok(true)
}

/// What counts for the new key is no more than what counts for its maker, whatever their tenant's ceiling. Only the operator goes beyond his own.
fn check_rates(maker: &Authority, key: &Authority) -> TestCaseResult {
    if maker.is_platform_admin() {
        return Ok(());
    }
    for ceiling in any::limits().into_iter().map(Some).chain([None]) {
        let rate = |authority: &Authority| any::recognised_within(authority, ceiling).map(|principal| principal.rate_limit());
        // The key may be recognised nowhere, or no more: then it makes no request at all.
        let (Some(own), Some(given)) = (rate(maker), rate(key)) else { continue };
        prop_assert!(requests(given).is_subset(&requests(own)), "{given:?} {own:?} {ceiling:?}");
    }
    Ok(())
}

#[test]
fn a_key_is_made_just_where_the_model_says_so() {
    let (made, refused) = (Cell::new(0), Cell::new(0));
    let requests = any::maker().prop_flat_map(|maker| (Just(maker.clone()), of(select(any::named_tenants())), wanted(maker)));
    let outcome = TestRunner::new(Config::with_cases(4096)).run(&requests, |(maker, elsewhere, wanted)| {
        let count = if check(&maker, elsewhere, &wanted)? { &made } else { &refused };
        count.set(count.get() + 1);
        Ok(())
    });
    outcome.unwrap();
    assert!(made.get() > 400 && refused.get() > 400, "{} made, {} refused", made.get(), refused.get());
}

proptest! {
    /// The server itself may make any key that makes sense; where nothing is said, it says everything.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "the server's own authority is what is tested")]
    fn the_server_makes_any_key_that_makes_sense(wanted in wanted(Authority::everything())) {
        let makes_sense = !wanted.permissions.is_empty() && wanted.expires_at.is_none_or(|end| end > NOW);
        let granted = Grant::by_system(&System::assume(), wanted.clone(), NOW);
        prop_assert_eq!(granted.is_ok(), makes_sense);
        if let Ok(grant) = granted {
            prop_assert_eq!(grant.authority(), &completed(&Authority::everything(), None, &wanted));
        }
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the server's own authority is what is tested")]
fn the_first_key_holds_everything() {
    let grant = Grant::first(&System::assume(), "First".parse().unwrap());
    assert_eq!((grant.name().as_str(), grant.authority()), ("First", &Authority::everything()));
    assert_eq!(Authority::everything().rate_limit, None::<RateLimit>);
}
