//! Who is served first when more is due than can be sent: tenants take turns.

use std::collections::{HashMap, HashSet};

use selfmx_domain::TenantId;
use selfmx_storage::{Delivery, Lease};

use crate::place::{LONG, Place, accept, new_tenant, system, tenant_admin};

/// Tenants that nothing is said of, in the order of a walk over them.
fn tenants(count: usize) -> Vec<TenantId> {
    let mut tenants: Vec<_> = (0..count).map(|_| new_tenant()).collect();
    tenants.sort_by_key(|tenant| tenant.as_uuid());
    tenants
}

/// Many tenants with so much each.
async fn fill_each(place: &Place, tenants: &[TenantId], each: usize, due_at: &str) {
    let ids: Vec<_> = tenants.iter().map(|tenant| format!("'{}'", tenant.as_uuid())).collect();
    place.fill(tenants.len() * each, "n % 3", due_at).await;
    let spread = format!(
        "CREATE TEMPORARY TABLE spread AS SELECT email_id AS id, (ARRAY[{}]::uuid[])[row_number() OVER (ORDER BY email_id) % {} + 1] AS tenant FROM queue WHERE tenant_id = '{}'; \
         UPDATE queue SET tenant_id = tenant FROM spread WHERE email_id = id; UPDATE emails e SET tenant_id = tenant FROM spread s WHERE e.id = s.id",
        ids.join(", "),
        tenants.len(),
        TenantId::DEFAULT.as_uuid()
    );
    place.database.execute(&spread).await;
}

fn owners(leases: &[Lease<Delivery>]) -> Vec<TenantId> {
    leases.iter().map(|lease| lease.work().tenant).collect()
}

#[tokio::test]
async fn one_email_of_a_tenant_does_not_wait_for_another_s_ten_thousand() {
    let place = Place::new().await;
    let (crowd, quiet) = (new_tenant(), place.tenant().await);
    place.fill_for(crowd, 10_000, "0", "now() - interval '1 hour'").await;
    assert_eq!(owners(&place.lease(12).await), vec![crowd; 12]);
    let id = accept(&place.store, &tenant_admin(quiet).permit().unwrap(), |_| {}).await;
    let leases = place.lease(12).await;
    assert!(leases.iter().any(|lease| lease.work().email_id == id), "{:?}", owners(&leases));
    assert!(leases.len() >= 6, "the others have what it leaves: {}", leases.len());
    // Alone again, the crowd has it all.
    assert_eq!(owners(&place.lease(12).await), vec![crowd; 12]);
}

#[tokio::test]
async fn tenants_with_much_have_equal_shares_and_each_its_own_order() {
    let place = Place::new().await;
    let three = tenants(3);
    for (tenant, hours) in three.iter().zip(1..) {
        place
            .fill_for(*tenant, 100, "n % 3", &format!("now() - {hours} * interval '1 hour' - (n * 7919 % 100) * interval '1 second'"))
            .await;
    }
    let mut expected = HashMap::new();
    for tenant in &three {
        let order = format!("SELECT email_id FROM queue WHERE tenant_id = '{}' ORDER BY priority, due_at", tenant.as_uuid());
        expected.insert(*tenant, place.database.query_texts(&order).await);
    }
    let mut got: HashMap<TenantId, Vec<String>> = HashMap::new();
    for round in 0..11 {
        // The first is full, and before there are turns.
        let leases = place.lease(if round == 0 { 1 } else { 12 }).await;
        for lease in &leases {
            got.entry(lease.work().tenant).or_default().push(lease.work().email_id.as_uuid().to_string());
        }
        for tenant in three.iter().filter(|_| round > 0) {
            assert_eq!(owners(&leases).iter().filter(|owner| *owner == tenant).count(), 4);
        }
    }
    for tenant in three {
        let got = &got[&tenant];
        assert_eq!(got[..], expected[&tenant][..got.len()]);
    }
}

#[tokio::test]
async fn with_many_tenants_each_has_its_turn_before_anybody_has_the_next() {
    let place = Place::new().await;
    let many = tenants(300);
    fill_each(&place, &many, 3, "now()").await;
    place.fill(1_000, "0", "now() - interval '1 hour'").await;
    assert_eq!(owners(&place.lease(20).await), vec![TenantId::DEFAULT; 20]);
    let mut turns: HashMap<TenantId, usize> = HashMap::new();
    for _ in 0..16 {
        let leases = place.lease(20).await;
        for owner in owners(&leases) {
            *turns.entry(owner).or_default() += 1;
        }
    }
    assert_eq!(turns.len(), 301, "everybody was served");
    let most = turns.iter().filter(|(_, count)| **count > 1).count();
    assert!(most <= 20, "{most} were served twice");
}

#[tokio::test]
async fn what_is_due_is_found_behind_a_thousand_tenants_that_wait_and_one_that_is_passed_over() {
    let place = Place::new().await;
    let mut all = tenants(1_002);
    let (last, passed_over) = (all.pop().unwrap(), all.pop().unwrap());
    fill_each(&place, &all, 2, "now() + interval '1 hour'").await;
    place.fill_for(passed_over, 50, "1", "now()").await;
    place.fill_for(last, 5, "1", "now()").await;
    let except = [passed_over];
    let leases = place.store.queue_lease(&system(), 3, LONG, &except).await.unwrap();
    assert_eq!(owners(&leases), vec![last; 3]);
    let mut got = 0;
    // Some looks end with nothing while there is more to look at; each says so.
    for _ in 0..3 {
        got += place.store.queue_lease(&system(), 3, LONG, &except).await.unwrap().len();
    }
    assert_eq!(got, 2);
    assert!(place.store.queue_lease(&system(), 3, LONG, &except).await.unwrap().is_empty());
    assert_eq!(owners(&place.lease(100).await), vec![passed_over; 50]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn taking_turns_leases_each_of_many_mails_exactly_once() {
    let place = Place::new().await;
    fill_each(&place, &tenants(7), 200, "now()").await;
    let got = place.lease_by(6).await;
    assert_eq!(got.len(), 1_400);
    assert_eq!(got.into_iter().collect::<HashSet<_>>().len(), 1_400);
}
