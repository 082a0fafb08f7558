//! Changing and rotating a key: any change of any key by any other, against the model.

use std::cell::Cell;
use std::time::Duration;

use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use selfmx_auth::{Allowed, ApiKey, Authority, GrantError, KeyChange, needs};
use selfmx_domain::{Change, TenantId};

use crate::any::{self, NOW};
use crate::facts::facts;
use crate::granting::{acting, is_exact, may_give};

fn change<T: Clone + std::fmt::Debug>(some: impl Strategy<Value = T>) -> impl Strategy<Value = Change<T>> {
    (0..6, some).prop_map(|(kind, value)| match kind {
        0..3 => Change::Keep,
        3 => Change::Clear,
        _ => Change::Set(value),
    })
}

prop_compose! {
    pub(crate) fn key_change()(
        permissions in of(any::permissions()), expires_at in change(any::end()), allowed_ips in change(any::networks()),
        allowed_senders in change(any::senders()), allowed_templates in change(any::templates()), rate_limit in change(any::limit()),
        enabled in of(any::<bool>()), renamed in any::<bool>(),
    ) -> KeyChange {
        let name = renamed.then(|| "Renamed".parse().unwrap());
        KeyChange { name, permissions, expires_at, allowed_ips, allowed_senders, allowed_templates, rate_limit, enabled }
    }
}

prop_compose! {
    /// A key that somebody with `maker`'s authority would change.
    fn target(maker: Authority)(authority in any::like(maker), enabled in any::<bool>(), revoked in proptest::bool::weighted(0.1)) -> ApiKey {
        ApiKey { enabled, revoked_at: revoked.then_some(NOW), ..any::key(authority) }
    }
}

/// The authority after the change, member by member as RFC 7396 says.
fn changed(old: &Authority, change: &KeyChange) -> Authority {
    fn member<T: Clone>(member: &mut Option<T>, change: &Change<T>) {
        match change {
            Change::Keep => {}
            Change::Clear => *member = None,
            Change::Set(value) => *member = Some(value.clone()),
        }
    }
    fn list<T: Clone>(old: &Allowed<T>, change: &Change<Vec<T>>) -> Allowed<T> {
        let mut listed = old.listed().map(<[T]>::to_vec);
        member(&mut listed, change);
        listed.map_or(Allowed::Any, Allowed::Only)
    }
    let mut new = old.clone();
    if let Some(permissions) = change.permissions {
        new.permissions = permissions;
    }
    member(&mut new.expires_at, &change.expires_at);
    member(&mut new.rate_limit, &change.rate_limit);
    new.allowed_ips = list(&old.allowed_ips, &change.allowed_ips);
    new.allowed_senders = list(&old.allowed_senders, &change.allowed_senders);
    new.allowed_templates = list(&old.allowed_templates, &change.allowed_templates);
    new
}

fn check(maker: &Authority, elsewhere: Option<TenantId>, target: &ApiKey, change: &KeyChange) -> Result<bool, TestCaseError> {
    let (principal, tenant) = acting(maker, elsewhere);
    let after = changed(&target.authority, change);
    let past = matches!(change.expires_at, Change::Set(end) if end <= NOW);
    let makes_sense = target.revoked_at.is_none() && !after.permissions.is_empty() && !past;
    let expected = makes_sense && may_give(maker, tenant, &after);
    let amended = principal.permit::<needs::ApiKeysWrite>().unwrap().amend(target, change.clone(), NOW);
    prop_assert!(expected || amended.is_err(), "beyond who changes it: {:?}", amended);
    prop_assert!(!is_exact(maker) || amended.is_ok() == expected, "{:?}", amended);
    prop_assert_eq!(target.revoked_at.is_some(), matches!(amended, Err(GrantError::Revoked)));
    let Ok(amendment) = amended else { return Ok(false) };
    prop_assert_eq!(amendment.authority(), &after);
    prop_assert_eq!((after.tenant, after.mode), (target.authority.tenant, target.authority.mode));
    prop_assert_eq!(amendment.name(), change.name.as_ref().unwrap_or(&target.name));
    prop_assert_eq!(amendment.enabled(), change.enabled.unwrap_or(target.enabled));
    Ok(true)
}

#[test]
fn a_key_is_changed_just_where_the_model_says_so() {
    let (changed, refused) = (Cell::new(0), Cell::new(0));
    let strategy = any::maker()
        .prop_flat_map(|maker| (Just(maker.clone()), of(select(any::named_tenants())), target(maker), key_change(), any::<bool>()));
    let outcome = TestRunner::new(Config::with_cases(4096)).run(&strategy, |(maker, elsewhere, target, change, narrow)| {
        let change = if narrow { KeyChange { name: change.name, enabled: change.enabled, ..KeyChange::default() } } else { change };
        let count = if check(&maker, elsewhere, &target, &change)? { &changed } else { &refused };
        count.set(count.get() + 1);
        Ok(())
    });
    outcome.unwrap();
    assert!(changed.get() > 400 && refused.get() > 400, "{} changed, {} refused", changed.get(), refused.get());
}

proptest! {
    #![proptest_config(Config::with_cases(2048))]

    #[test]
    fn a_key_that_changes_itself_never_grows((maker, change) in (any::maker(), key_change())) {
        let permit = any::recognised(&maker).permit::<needs::ApiKeysWrite>().unwrap();
        if let Ok(amendment) = permit.amend(&any::key(maker.clone()), change, NOW) {
            prop_assert!(facts(amendment.authority(), any::USUAL).is_subset(&facts(&maker, any::USUAL)));
        }
    }

    #[test]
    fn a_key_is_rotated_just_where_the_model_says_so(
        (maker, elsewhere, target) in any::maker().prop_flat_map(|maker| (Just(maker.clone()), of(select(any::named_tenants())), target(maker))),
        grace in select(vec![0_u64, 1, 2_591_999, 2_592_000, 2_592_001, u64::MAX]),
    ) {
        let (principal, tenant) = acting(&maker, elsewhere);
        let expected = target.revoked_at.is_none() && grace <= 2_592_000 && may_give(&maker, tenant, &target.authority);
        let rotation = principal.permit::<needs::ApiKeysWrite>().unwrap().rotation(&target, Duration::from_secs(grace));
        prop_assert!(expected || rotation.is_err(), "{:?}", rotation);
        prop_assert!(!is_exact(&maker) || rotation.is_ok() == expected, "{:?}", rotation);
        if let Ok(rotation) = rotation {
            prop_assert_eq!(rotation.grace(), Duration::from_secs(grace));
        }
    }
}
