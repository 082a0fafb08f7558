//! Tenants: made, changed, found and listed.

use selfmx_auth::{Permission, PlatformPermit, needs};
use selfmx_domain::{
    Change, PageLimit, PageRequest, PageStart, Problem, RateLimit, SenderDefaults, Tenant, TenantChange, TenantId, TenantProfile,
    TenantStatus, Total,
};
use selfmx_storage::Error;

use crate::place::{Place, admin, new_tenant, principal_of};

pub(crate) fn platform() -> PlatformPermit<needs::All> {
    admin().platform_permit().unwrap()
}

/// A tenant of which nothing but its name is said.
pub(crate) async fn tenant(place: &Place) -> Tenant {
    place.store.tenant_create(&platform(), &TenantProfile::named("Acme".parse().unwrap()).into()).await.unwrap()
}

fn whole_profile() -> TenantProfile {
    TenantProfile {
        domain: Some("bücher.example".parse().unwrap()),
        defaults: SenderDefaults {
            from_name: Some("Größe, \"B\" \\ 🎉".parse().unwrap()),
            from_address: Some("\"a b\"@bücher.example".parse().unwrap()),
            reply_to: Some("\"Doe, \\\"Jane\\\"\" <jane@x.example>".parse().unwrap()),
        },
        rate_limit: Some(RateLimit::per_minute(0)),
        emails_per_day: Some(7),
        ..TenantProfile::named("Größe & Söhne 🎉".parse().unwrap())
    }
}

fn shown(profile: &TenantProfile) -> String {
    format!("{profile:?}")
}

#[tokio::test]
async fn a_new_place_has_the_default_tenant_alone() {
    let place = Place::new().await;
    let permit = admin().platform_permit().unwrap();
    let request = PageRequest { start: PageStart::Number(1), limit: PageLimit::default() };
    let page = place.store.tenant_list(&permit, request).await.unwrap();
    assert_eq!(
        page.items.iter().map(|tenant| (tenant.id, tenant.profile.name.as_str())).collect::<Vec<_>>(),
        [(TenantId::DEFAULT, "Default")]
    );
    assert_eq!((page.has_more, page.total), (false, Some(Total::Exactly(1))));
}

#[tokio::test]
async fn tenants_read_back_newest_first_and_an_unknown_one_is_absent() {
    let place = Place::new().await;
    let permit = admin().platform_permit().unwrap();
    let mut made = vec![TenantId::DEFAULT];
    for n in 0..5 {
        let tenant =
            place.store.tenant_create(&permit, &TenantProfile::named(format!("Ténant {n}").parse().unwrap()).into()).await.unwrap();
        let found = place.store.tenant_find(&permit, tenant.id).await.unwrap().unwrap();
        assert_eq!((found.profile.name.as_str(), found.created_at), (tenant.profile.name.as_str(), tenant.created_at));
        made.push(tenant.id);
    }
    made.sort_by(|a, b| b.cmp(a));
    let limit = PageLimit::new(2).unwrap();
    let (mut walked, mut start) = (Vec::new(), PageStart::First);
    loop {
        let page = place.store.tenant_list(&permit, PageRequest { start, limit }).await.unwrap();
        walked.extend(page.items.iter().map(|tenant| tenant.id));
        match page.items.last() {
            Some(last) if page.has_more => start = PageStart::After(last.id),
            _ => break,
        }
    }
    assert_eq!(walked, made);
    assert!(place.store.tenant_find(&permit, new_tenant()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_profile_reads_back_as_it_was_made_and_changed() {
    let place = Place::new().await;
    let made = place.store.tenant_create(&platform(), &whole_profile().into()).await.unwrap();
    let found = place.store.tenant_find(&platform(), made.id).await.unwrap().unwrap();
    for tenant in [&made, &found] {
        assert_eq!(shown(&tenant.profile), shown(&whole_profile()));
        assert_eq!((tenant.status, tenant.created_at), (TenantStatus::Active, tenant.updated_at));
    }
    let bare = tenant(&place).await;
    let change = TenantChange {
        domain: Change::Clear,
        from_name: Change::Clear,
        rate_limit: Change::Set(RateLimit::per_minute(9)),
        emails_per_day: Change::Clear,
        ..TenantChange::default()
    };
    let changed = place.store.tenant_update(&platform(), made.id, change.clone()).await.unwrap().unwrap();
    assert_eq!(shown(&changed.profile), shown(&change.apply(whole_profile()).unwrap()));
    assert!(changed.updated_at > made.updated_at && changed.created_at == made.created_at);
    let found = place.store.tenant_find(&platform(), made.id).await.unwrap().unwrap();
    assert_eq!((shown(&found.profile), found.updated_at), (shown(&changed.profile), changed.updated_at));
    // Nobody else is changed.
    let other = place.store.tenant_find(&platform(), bare.id).await.unwrap().unwrap();
    assert_eq!((shown(&other.profile), other.updated_at), (shown(&bare.profile), bare.updated_at));
}

#[tokio::test]
async fn what_does_not_fit_together_changes_nothing() {
    let place = Place::new().await;
    let made = place.store.tenant_create(&platform(), &whole_profile().into()).await.unwrap();
    let change =
        TenantChange { name: Some("New".parse().unwrap()), domain: Change::Set("x.example".parse().unwrap()), ..TenantChange::default() };
    let refused = place.store.tenant_update(&platform(), made.id, change.clone()).await.unwrap_err();
    assert!(matches!(&refused, Error::Invalid(error) if *error == Problem::OutsideDomain.at("settings.from_address")), "{refused:?}");
    let found = place.store.tenant_find(&platform(), made.id).await.unwrap().unwrap();
    assert_eq!((shown(&found.profile), found.updated_at), (shown(&made.profile), made.updated_at));
    assert!(place.store.tenant_update(&platform(), new_tenant(), change).await.unwrap().is_none());
    assert_eq!(audited(&place).await.len(), 1);
}

/// What the audit log says of tenants, oldest first: action, target is the tenant, before, after.
pub(crate) async fn audited(place: &Place) -> Vec<String> {
    let entries =
        "SELECT concat_ws(' ', action, target IS NOT NULL, before, after) FROM audit_logs WHERE action LIKE 'tenant.%' ORDER BY id";
    place.database.query_texts(entries).await
}

#[tokio::test]
async fn each_change_of_a_tenant_is_audited_with_before_and_after() {
    let place = Place::new().await;
    let made = tenant(&place).await;
    let change =
        TenantChange { emails_per_day: Change::Set(5), reply_to: Change::Set("a@b.example".parse().unwrap()), ..TenantChange::default() };
    place.store.tenant_update(&platform(), made.id, change).await.unwrap();
    assert_eq!(
        audited(&place).await,
        [
            r#"tenant.create t {"name": "Acme"}"#,
            r#"tenant.update t {"name": "Acme"} {"name": "Acme", "reply_to": "a@b.example", "emails_per_day": 5}"#
        ]
    );
    let about = "SELECT DISTINCT concat_ws(' ', tenant_id, actor_key_id) FROM audit_logs WHERE action LIKE 'tenant.%'";
    assert_eq!(place.database.query_texts(about).await, [format!("{} 00000000-0000-0000-0000-000000000000", made.id.as_uuid())]);
}

#[tokio::test]
async fn a_key_that_was_revoked_meanwhile_changes_no_tenant() {
    let place = Place::new().await;
    let made = tenant(&place).await;
    let maker = place.keyed(None, Permission::All).await;
    let permit = maker.platform_permit().unwrap();
    place.store.key_revoke(&admin().permit().unwrap(), maker.key().id).await.unwrap();
    let profile = TenantProfile::named("Other".parse().unwrap());
    assert!(matches!(place.store.tenant_create(&permit, &profile.into()).await, Err(Error::Denied(_))));
    for id in [made.id, new_tenant()] {
        assert!(matches!(place.store.tenant_update(&permit, id, TenantChange::default()).await, Err(Error::Denied(_))));
    }
    let alive = principal_of(place.keyed(None, Permission::All).await.key().clone()).platform_permit().unwrap();
    assert!(place.store.tenant_update(&alive, made.id, TenantChange::default()).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_at_once_are_one_after_another_and_none_is_lost() {
    let place = Place::new().await;
    let id = tenant(&place).await.id;
    let mut changes = tokio::task::JoinSet::new();
    for n in 0..8_u32 {
        let store = place.other_store();
        changes.spawn(async move {
            let change = match n % 2 {
                0 => TenantChange { emails_per_day: Change::Set(n + 1), ..TenantChange::default() },
                _ => TenantChange { rate_limit: Change::Set(RateLimit::per_minute(n)), ..TenantChange::default() },
            };
            store.tenant_update(&platform(), id, change).await.unwrap();
        });
    }
    changes.join_all().await;
    let found = place.store.tenant_find(&platform(), id).await.unwrap().unwrap();
    assert!(found.profile.emails_per_day.is_some() && found.profile.rate_limit.is_some());
    // Each begins with what the one before left.
    let chained = "SELECT count(*) FROM audit_logs a JOIN audit_logs b ON b.before = a.after WHERE b.action = 'tenant.update'";
    assert!(place.ask(chained).await.parse::<u32>().unwrap() >= 8);
}
