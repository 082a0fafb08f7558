//! Random walks of accepting, suspending, resuming, leasing and settling, against a naive model.

use std::collections::{BTreeSet, HashMap};

use selfmx_auth::{Denied, Principal};
use selfmx_domain::{EmailId, TenantId};
use selfmx_storage::{Delivery, Error, Lease, Store};
use selfmx_testing::SeededEntropy;

use super::{bring_back, offer, resume, suspend, tenant_with_key};
use crate::place::{LONG, Place, admin, system};
use crate::settle::delivered;

/// What a walk knows of a tenant.
#[derive(Default)]
struct Naive {
    suspended: bool,
    /// In the order in which they came.
    waiting: Vec<EmailId>,
}

/// One walk: what the queue does against the naive list of what it should do.
struct Walk<'a> {
    stores: [&'a Store; 2],
    chance: SeededEntropy,
    tenants: Vec<(TenantId, Principal)>,
    model: HashMap<TenantId, Naive>,
    leased: Vec<Lease<Delivery>>,
    accepted: usize,
    delivered: BTreeSet<EmailId>,
}

impl Walk<'_> {
    fn below(&self, bound: usize) -> usize {
        usize::try_from(self.chance.below(bound as u64)).unwrap()
    }

    async fn step(&mut self) {
        let store = self.stores[self.below(2)];
        let (id, key) = self.tenants[self.below(self.tenants.len())].clone();
        let naive = self.model.entry(id).or_default();
        match self.chance.below(10) {
            0..4 => match offer(store, &key).await {
                Ok(email) => {
                    assert!(!naive.suspended, "a suspended tenant's mail was accepted");
                    self.accepted += 1;
                    naive.waiting.push(email);
                }
                Err(Error::Denied(Denied::Suspended)) => assert!(naive.suspended, "an active tenant's mail was refused"),
                Err(error) => panic!("{error:?}"),
            },
            4 => {
                suspend(store, id).await;
                naive.suspended = true;
            }
            5 => {
                resume(store, id).await;
                naive.suspended = false;
            }
            6 => drop(store.queue_resume(&system()).await.unwrap()),
            7 => self.settle(store).await,
            _ => self.lease(store).await,
        }
    }

    /// Some of what is leased is delivered, some is due again at once.
    async fn settle(&mut self, store: &Store) {
        while !self.leased.is_empty() && self.chance.below(3) > 0 {
            let lease = self.leased.swap_remove(self.below(self.leased.len()));
            let (email, tenant) = (lease.work().email_id, lease.work().tenant);
            if self.chance.below(2) == 0 {
                assert!(self.delivered.insert(email), "{email} was delivered twice");
                assert_eq!(store.queue_settle(&system(), &[delivered(lease)]).await.unwrap().len(), 1);
                continue;
            }
            self.model.get_mut(&tenant).unwrap().waiting.push(email);
            assert_eq!(store.queue_settle(&system(), &[lease.settle(vec![])]).await.unwrap().len(), 1);
        }
    }

    async fn lease(&mut self, store: &Store) {
        // Whether all that may be leased is there to be leased; otherwise some of it.
        let whole = self.chance.below(2) == 0;
        if whole {
            bring_back(store).await;
        }
        let count = 1 + self.below(6);
        let mut got = store.queue_lease(&system(), u16::try_from(count).unwrap(), LONG, &[]).await.unwrap();
        let ready: usize = self.model.values().filter(|naive| !naive.suspended).map(|naive| naive.waiting.len()).sum();
        let mut looks = 0;
        // A look may bring less than there is where it met mail to be set aside.
        while whole && got.len() < count.min(ready) && looks < 50 {
            let wanted = u16::try_from(count - got.len()).unwrap();
            got.extend(store.queue_lease(&system(), wanted, LONG, &[]).await.unwrap());
            looks += 1;
        }
        assert!(
            if whole { got.len() == count.min(ready) } else { got.len() <= count.min(ready) },
            "{} of {count}, {ready} are ready",
            got.len()
        );
        for lease in &got {
            let naive = self.model.get_mut(&lease.work().tenant).unwrap();
            assert!(!naive.suspended, "a suspended tenant's mail was leased");
            let place = naive.waiting.iter().position(|id| *id == lease.work().email_id).expect("what is leased was waiting");
            naive.waiting.remove(place);
        }
        self.leased.extend(got);
    }

    /// Everybody may send in the end: everything is delivered, once.
    async fn finish(mut self) {
        let store = self.stores[0];
        for (id, _) in &self.tenants {
            resume(store, *id).await;
        }
        bring_back(store).await;
        let mut rest = std::mem::take(&mut self.leased);
        while !rest.is_empty() || store.queue_depth().await.unwrap() > 0 {
            for lease in rest.drain(..) {
                assert!(self.delivered.insert(lease.work().email_id));
                assert_eq!(store.queue_settle(&system(), &[delivered(lease)]).await.unwrap().len(), 1);
            }
            rest = store.queue_lease(&system(), 1_000, LONG, &[]).await.unwrap();
        }
        assert_eq!(self.delivered.len(), self.accepted);
        assert_eq!(store.queue_depth().await.unwrap(), 0);
    }
}

#[tokio::test]
async fn fifty_random_walks_on_two_nodes_go_as_the_naive_model_says() {
    let place = Place::new().await;
    let other = place.other_store();
    let mut tenants = vec![(TenantId::DEFAULT, admin())];
    for _ in 0..2 {
        tenants.push(tenant_with_key(&place).await);
    }
    for seed in 0..50 {
        println!("seed {seed}");
        let mut walk = Walk {
            stores: [&place.store, &other],
            chance: SeededEntropy::new(seed),
            tenants: tenants.clone(),
            model: HashMap::new(),
            leased: Vec::new(),
            accepted: 0,
            delivered: BTreeSet::new(),
        };
        for _ in 0..40 {
            walk.step().await;
        }
        walk.finish().await;
    }
}
