//! Tenants: made, found and listed.

use selfmx_domain::{PageLimit, PageRequest, PageStart, TenantId, Total};

use crate::place::{Place, admin, new_tenant};

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
        let tenant = place.store.tenant_create(&permit, &format!("Ténant {n}").parse().unwrap()).await.unwrap();
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
