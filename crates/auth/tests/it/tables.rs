//! Every way to be refused, by a table: who asks for what, and what he is told.

use std::collections::BTreeSet;
use std::time::Duration;

use selfmx_auth::{Allowed, ApiKey, Authority, Denied, GrantError, KeyChange, Permission, Refused, Unrecognised, Wanted, needs};
use selfmx_domain::{ApiKeyId, Change, Problem, RateLimit, TenantId};
use time::Duration as Span;

use crate::any::{self, NOW};

const HOUR: Span = Span::HOUR;

/// A tenant's key that is confined in every dimension.
fn confined() -> Authority {
    Authority {
        tenant: Some(mine()),
        permissions: [Permission::Send, Permission::ApiKeysWrite].into_iter().collect(),
        mode: selfmx_domain::Mode::Test,
        expires_at: Some(NOW + HOUR),
        allowed_ips: Allowed::Only(vec!["10.0.0.0/29".parse().unwrap()]),
        allowed_senders: Allowed::Only(vec!["@x.example".parse().unwrap()]),
        allowed_templates: Allowed::Only(vec!["tmpl_01h455vb4pex5vsknk084sn021".parse().unwrap()]),
        rate_limit: Some(RateLimit::per_minute(10)),
    }
}

fn mine() -> TenantId {
    any::named_tenants()[1]
}

fn other() -> TenantId {
    any::named_tenants()[2]
}

/// The variant's name. A variant that is added does not compile until it has its row below.
fn granting_name(error: &GrantError) -> &'static str {
    match error {
        GrantError::Permission(_) => "Permission",
        GrantError::Tenant(_) => "Tenant",
        GrantError::Expiry(_) => "Expiry",
        GrantError::Mode => "Mode",
        GrantError::Ips => "Ips",
        GrantError::Senders => "Senders",
        GrantError::Templates => "Templates",
        GrantError::Rate(_) => "Rate",
        GrantError::Revoked => "Revoked",
        GrantError::Grace => "Grace",
        GrantError::Invalid { .. } => "Invalid",
    }
}

/// The same for what is denied.
const fn denied_name(denied: &Denied) -> &'static str {
    match denied {
        Denied::Permission(_) => "Permission",
        Denied::Platform(_) => "Platform",
        Denied::Sender => "Sender",
        Denied::Domain(_) => "Domain",
        Denied::Template => "Template",
        Denied::Suspended => "Suspended",
    }
}

fn grant(change: fn(&mut Wanted)) -> Result<(), GrantError> {
    let mut wanted = Wanted::new("Wanted".parse().unwrap(), Permission::Send.into());
    change(&mut wanted);
    any::recognised(&confined()).permit::<needs::ApiKeysWrite>().unwrap().grant(wanted, NOW).map(drop)
}

fn amend(change: KeyChange, target: impl FnOnce(&mut ApiKey)) -> Result<(), GrantError> {
    let mut key = any::key(confined());
    target(&mut key);
    any::recognised(&confined()).permit::<needs::ApiKeysWrite>().unwrap().amend(&key, change, NOW).map(drop)
}

fn rotate(grace: u64, target: impl FnOnce(&mut ApiKey)) -> Result<(), GrantError> {
    let mut key = any::key(confined());
    target(&mut key);
    any::recognised(&confined()).permit::<needs::ApiKeysWrite>().unwrap().rotation(&key, Duration::from_secs(grace)).map(drop)
}

/// What is told when a key is made, changed and rotated beyond the one that does it.
fn granting_table() -> Vec<(Result<(), GrantError>, GrantError)> {
    let tenant = GrantError::Tenant(Denied::Platform(Permission::All));
    let rate = GrantError::Rate(RateLimit::per_minute(10));
    let (empty, past) = (
        GrantError::Invalid { field: "permissions", problem: Problem::Empty },
        GrantError::Invalid { field: "expires_at", problem: Problem::Past },
    );
    let keep = KeyChange::default;
    let revoked = |key: &mut ApiKey| key.revoked_at = Some(NOW);
    vec![
        (grant(|wanted| wanted.permissions = Permission::LogsRead.into()), GrantError::Permission(Permission::LogsRead)),
        (grant(|wanted| wanted.permissions = Permission::All.into()), GrantError::Permission(Permission::All)),
        (grant(|wanted| wanted.tenant = Some(other())), tenant.clone()),
        (grant(|wanted| wanted.tenant = Some(TenantId::DEFAULT)), tenant.clone()),
        (grant(|wanted| wanted.mode = Some(selfmx_domain::Mode::Live)), GrantError::Mode),
        (grant(|wanted| wanted.expires_at = Some(NOW + HOUR + Span::NANOSECOND)), GrantError::Expiry(NOW + HOUR)),
        (grant(|wanted| wanted.allowed_ips = Some(vec!["10.0.0.0/28".parse().unwrap()])), GrantError::Ips),
        (grant(|wanted| wanted.allowed_senders = Some(vec!["a@y.example".parse().unwrap()])), GrantError::Senders),
        (grant(|wanted| wanted.allowed_templates = Some(vec!["tmpl_01h455vb4pex5vsknk084sn022".parse().unwrap()])), GrantError::Templates),
        (grant(|wanted| wanted.rate_limit = Some(RateLimit::per_minute(11))), rate.clone()),
        (grant(|wanted| wanted.rate_limit = Some(RateLimit::Unlimited)), rate.clone()),
        (grant(|wanted| wanted.permissions = std::iter::empty().collect()), empty.clone()),
        (grant(|wanted| wanted.expires_at = Some(NOW)), past.clone()),
        (amend(KeyChange { permissions: Some(Permission::All.into()), ..keep() }, |_| {}), GrantError::Permission(Permission::All)),
        (amend(KeyChange { permissions: Some(std::iter::empty().collect()), ..keep() }, |_| {}), empty),
        (amend(keep(), |key| key.authority.tenant = Some(other())), tenant.clone()),
        (amend(keep(), |key| key.authority.tenant = None), tenant.clone()),
        (amend(keep(), |key| key.authority.mode = selfmx_domain::Mode::Live), GrantError::Mode),
        (amend(KeyChange { expires_at: Change::Clear, ..keep() }, |_| {}), GrantError::Expiry(NOW + HOUR)),
        (amend(KeyChange { expires_at: Change::Set(NOW), ..keep() }, |_| {}), past),
        (amend(KeyChange { allowed_ips: Change::Clear, ..keep() }, |_| {}), GrantError::Ips),
        (amend(KeyChange { allowed_senders: Change::Clear, ..keep() }, |_| {}), GrantError::Senders),
        (amend(KeyChange { allowed_templates: Change::Clear, ..keep() }, |_| {}), GrantError::Templates),
        (amend(KeyChange { rate_limit: Change::Clear, ..keep() }, |_| {}), rate.clone()),
        // Switching on what is greater would give it away.
        (amend(KeyChange { enabled: Some(true), ..keep() }, |key| key.authority.rate_limit = None), rate.clone()),
        (amend(keep(), revoked), GrantError::Revoked),
        (rotate(0, |key| key.authority.permissions = Permission::All.into()), GrantError::Permission(Permission::All)),
        (rotate(0, |key| key.authority.tenant = None), tenant),
        (rotate(0, |key| key.authority.rate_limit = Some(RateLimit::Unlimited)), rate),
        (rotate(0, revoked), GrantError::Revoked),
        (rotate(30 * 24 * 60 * 60 + 1, |_| {}), GrantError::Grace),
    ]
}

#[test]
fn every_way_to_ask_too_much_of_a_key_is_told_apart() {
    let mut told = BTreeSet::new();
    for (row, (result, expected)) in granting_table().into_iter().enumerate() {
        told.insert(granting_name(&expected));
        assert_eq!(result, Err(expected), "row {row}");
    }
    assert_eq!(told.len(), 11, "{told:?}");
}

#[test]
fn what_the_key_itself_may_do_it_can_give() {
    assert_eq!((grant(|_| {}), amend(KeyChange::default(), |_| {}), rotate(30 * 24 * 60 * 60, |_| {})), (Ok(()), Ok(()), Ok(())));
    let same = grant(|wanted| {
        let confined = confined();
        *wanted = Wanted {
            tenant: confined.tenant,
            mode: Some(confined.mode),
            expires_at: confined.expires_at,
            rate_limit: confined.rate_limit,
            allowed_ips: Some(vec!["10.0.0.7".parse().unwrap()]),
            allowed_senders: Some(vec!["a@x.example".parse().unwrap()]),
            allowed_templates: Some(vec![]),
            ..Wanted::new("Same".parse().unwrap(), confined.permissions)
        };
    });
    assert_eq!(same, Ok(()));
}

#[test]
fn the_operator_confined_to_a_tenant_by_its_path_makes_keys_there_alone() {
    let operator = any::recognised(&Authority::everything());
    let tenant = std::sync::Arc::new(any::tenant(Some(mine())));
    let acting = selfmx_auth::Principal::acting_for(&operator.platform_permit().unwrap(), tenant);
    let permit = acting.permit::<needs::ApiKeysWrite>().unwrap();
    let mut wanted = Wanted::new("Wanted".parse().unwrap(), Permission::All.into());
    assert_eq!(permit.grant(wanted.clone(), NOW).unwrap().authority().tenant, Some(mine()));
    wanted.tenant = Some(other());
    let refused = GrantError::Tenant(Denied::Platform(Permission::All));
    assert_eq!(permit.grant(wanted, NOW).unwrap_err(), refused);
    assert_eq!(permit.rotation(&any::key(Authority::everything()), Duration::ZERO).unwrap_err(), refused);
}

/// Every text that a caller may be told, so that none of them changes unseen; the rows stand for all variants.
#[test]
fn what_is_told_helps_and_gives_nothing_away() {
    let grants = [
        (
            GrantError::Permission(Permission::Send),
            "a key can only grant permissions that it holds itself, and this one does not hold `send`",
        ),
        (GrantError::Tenant(Denied::Platform(Permission::All)), "this needs a platform key (one without a tenant) that holds `*`"),
        (GrantError::Expiry(NOW), "the key must expire no later than the key that grants it, at 2026-01-01T00:00:00Z"),
        (GrantError::Mode, "a test key can only grant test keys"),
        (GrantError::Ips, "a key can only grant addresses that it may be used from itself"),
        (GrantError::Senders, "a key can only grant senders that its own mail may come from"),
        (GrantError::Templates, "a key can only grant templates that it may send itself"),
        (GrantError::Rate(RateLimit::per_minute(7)), "a key can only grant as many requests as it may make itself: 7 per minute"),
        (GrantError::Revoked, "this key is revoked: it can be neither changed nor rotated; make a new one"),
        (GrantError::Grace, "must be 0..2592000 seconds (30 days)"),
    ];
    for (error, text) in grants {
        assert_eq!(error.to_string(), text);
    }
    let denials = [
        (Denied::Permission(Permission::Send), "this needs the permission `send`, which the API key does not hold"),
        (Denied::Platform(Permission::All), "this needs a platform key (one without a tenant) that holds `*`"),
        (Denied::Sender, "this API key may not send mail from this address"),
        (Denied::Domain("x.example".parse().unwrap()), "mail of this tenant has to come from an address at x.example"),
        (Denied::Template, "this API key may only send by the templates that it is limited to"),
        (Denied::Suspended, "this tenant is suspended: it can send again when the platform resumes it"),
    ];
    let names: BTreeSet<_> = denials.iter().map(|(denied, _)| denied_name(denied)).collect();
    assert_eq!(names.len(), 6, "{names:?}");
    for (denied, text) in denials {
        assert_eq!(denied.to_string(), text);
    }
    assert_eq!(Refused::Unrecognised(Unrecognised).to_string(), "the API key is not valid");
    let address = Refused::Address { key: ApiKeyId::DEFAULT, tenant: TenantId::DEFAULT };
    assert_eq!(address.to_string(), "this API key may not be used from this address");
}
