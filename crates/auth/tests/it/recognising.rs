//! Recognising a key: any secret, at any time, in any state, from anywhere, against the model.

use std::cell::Cell;
use std::net::IpAddr;
use std::sync::Arc;

use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use selfmx_auth::{ApiKey, Authority, KeyDigests, Permission, Principal, Refused, Secret, StoredKey, Unrecognised, needs};
use selfmx_domain::TenantId;
use time::{Duration, OffsetDateTime};

use crate::any::{self, NOW};
use crate::facts;

const SECRETS: [&str; 3] = ["the-first-secret-", "the-second-secret", "the-third-secret-"];

/// A key as it is kept, and how it is presented.
#[derive(Clone, Debug)]
struct Presented {
    secret: &'static str,
    current: &'static str,
    previous: Option<(&'static str, OffsetDateTime)>,
    enabled: bool,
    revoked: bool,
    authority: Authority,
    now: OffsetDateTime,
    address: IpAddr,
}

prop_compose! {
    fn presented()(
        secret in select(SECRETS.to_vec()), current in select(SECRETS.to_vec()), previous in of((select(SECRETS.to_vec()), any::end())),
        enabled in proptest::bool::weighted(0.9), revoked in proptest::bool::weighted(0.1), authority in any::authority(),
        now in any::end(), nanosecond in -1_i64..=1, address in select(facts::addresses().to_vec()),
    ) -> Presented {
        Presented { secret, current, previous, enabled, revoked, authority, now: now + Duration::nanoseconds(nanosecond), address }
    }
}

/// By the words of the contract: the secret is the key's or, until its grace ends, the one before it.
fn is_its_secret(presented: &Presented) -> bool {
    let former = presented.previous.is_some_and(|(former, until)| former == presented.secret && presented.now < until);
    presented.secret == presented.current || former
}

fn expected(presented: &Presented) -> &'static str {
    let alive = presented.enabled && !presented.revoked && facts::lives_at(&presented.authority, presented.now);
    if !is_its_secret(presented) || !alive {
        return "unrecognised";
    }
    if !facts::may_come_from(&presented.authority, presented.address) {
        return "address";
    }
    "recognised"
}

fn digests(presented: &Presented) -> KeyDigests {
    let digest = |text: &str| Secret::chosen(text).unwrap().digest();
    KeyDigests { current: digest(presented.current), previous: presented.previous.map(|(former, until)| (digest(former), until)) }
}

fn recognised(presented: &Presented) -> Result<Principal, Refused> {
    let key = ApiKey { enabled: presented.enabled, revoked_at: presented.revoked.then_some(NOW), ..any::key(presented.authority.clone()) };
    let tenant = Arc::new(any::tenant(presented.authority.tenant));
    let stored = Arc::new(StoredKey { digests: digests(presented), key, tenant });
    let secret = Secret::presented(presented.secret).unwrap();
    Principal::recognise(&secret, &stored, &any::moment(presented.address, presented.now))
}

#[test]
fn a_key_is_recognised_just_where_the_model_says_so() {
    let counts = [Cell::new(0), Cell::new(0), Cell::new(0)];
    let outcome = TestRunner::new(Config::with_cases(4096)).run(&presented(), |presented| {
        let tenant = presented.authority.tenant.unwrap_or(TenantId::DEFAULT);
        let (at, said) = match recognised(&presented) {
            Ok(principal) => {
                prop_assert_eq!((principal.tenant().id, &principal.key().authority), (tenant, &presented.authority));
                check_permits(&principal, &presented.authority)?;
                (0, "recognised")
            }
            Err(Refused::Unrecognised(Unrecognised)) => (1, "unrecognised"),
            Err(Refused::Address { key, tenant: named }) => {
                prop_assert_eq!((key, named), (any::key(presented.authority.clone()).id, tenant));
                (2, "address")
            }
        };
        prop_assert_eq!(said, expected(&presented));
        let secret = Secret::chosen(presented.secret).unwrap();
        prop_assert_eq!(digests(&presented).matches(&secret.digest(), presented.now), is_its_secret(&presented));
        counts[at].set(counts[at].get() + 1);
        Ok(())
    });
    outcome.unwrap();
    assert!(counts.iter().all(|count| count.get() > 200), "{counts:?}");
}

/// Whether the key gets a permit, and one for the platform.
type Asked = (Permission, fn(&Principal) -> bool, fn(&Principal) -> bool);

macro_rules! asked {
    ($($marker:ident),*) => {
        [$((Permission::$marker, |of| of.permit::<needs::$marker>().is_ok(), |of| of.platform_permit::<needs::$marker>().is_ok())),*]
    };
}

const ASKED: [Asked; 11] = asked![
    All,
    Send,
    TemplatesRead,
    TemplatesWrite,
    WebhooksRead,
    WebhooksWrite,
    ApiKeysRead,
    ApiKeysWrite,
    LogsRead,
    SuppressionsRead,
    SuppressionsWrite
];

/// Each permit is given to whoever holds its permission, and for the platform to who has no tenant.
fn check_permits(principal: &Principal, authority: &Authority) -> Result<(), TestCaseError> {
    let held: Vec<&str> = authority.permissions.iter().map(Permission::as_str).collect();
    for (permission, permit, platform_permit) in ASKED {
        let holds = held.contains(&"*") || held.contains(&permission.as_str());
        prop_assert_eq!(permit(principal), holds);
        prop_assert_eq!(platform_permit(principal), holds && authority.tenant.is_none());
    }
    Ok(())
}

#[test]
fn every_permission_is_asked_for() {
    assert_eq!(ASKED.map(|(permission, ..)| permission), Permission::ALL);
}
