//! Random lists of emails with and without keys, of tenants with and without quotas, against a naive model.

use std::collections::HashMap;

use selfmx_auth::Principal;
use selfmx_domain::{EmailId, TenantId};
use selfmx_storage::{Acceptance, Accepted, Error, Store};
use selfmx_testing::SeededEntropy;

use super::{asked, limit, used};
use crate::place::{Place, acceptance, draft, tenant_admin};

const WALKS: u64 = 12;
const LISTS: usize = 25;
const PER_DAY: u32 = 30;

/// What is expected, thought through one email at a time.
#[derive(Default)]
struct Model {
    accepted: HashMap<(TenantId, String), (u8, EmailId)>,
    counted: u32,
    emails: usize,
}

/// An email of a list: whose it is, under which key, and what it asks for.
type Asked = (TenantId, Option<(String, u8)>);

impl Model {
    fn expects(&mut self, (tenant, key): &Asked, limited: TenantId, id: EmailId) -> String {
        let known = key.as_ref().and_then(|(key, what)| Some((self.accepted.get(&(*tenant, key.clone()))?, what)));
        match known {
            Some(((print, id), what)) if print == what => return format!("repeats {id}"),
            Some(_) => return "conflict".to_owned(),
            None => {}
        }
        if *tenant == limited && self.counted == PER_DAY {
            return "over".to_owned();
        }
        self.counted += u32::from(*tenant == limited);
        self.emails += 1;
        if let Some((key, what)) = key {
            self.accepted.insert((*tenant, key.clone()), (*what, id));
        }
        format!("accepted {id}")
    }
}

fn seen(verdict: &Result<Accepted, Error>) -> String {
    match verdict {
        Ok(Accepted { id, repeated: false, .. }) => format!("accepted {id}"),
        Ok(Accepted { id, .. }) => format!("repeats {id}"),
        Err(Error::IdempotencyConflict) => "conflict".to_owned(),
        Err(Error::QuotaExceeded { .. }) => "over".to_owned(),
        Err(error) => panic!("{error}"),
    }
}

fn drawn(holders: &[Principal], (tenant, key): &Asked) -> Acceptance {
    let holder = holders.iter().find(|holder| holder.tenant().id == *tenant).unwrap();
    match key {
        Some((key, what)) => asked(holder, key, *what),
        None => acceptance(&holder.permit().unwrap(), draft(|_| {})),
    }
}

/// A list that the quota does not end within: what comes behind it in the list, under the same key, is expected to be told otherwise.
async fn list(store: &Store, holders: &[Principal], wanted: &[Asked]) -> (Vec<EmailId>, Vec<String>) {
    let acceptances: Vec<_> = wanted.iter().map(|asked| drawn(holders, asked)).collect();
    let ids = acceptances.iter().map(|asked| asked.id).collect();
    (ids, store.email_accept_each(acceptances).await.unwrap().iter().map(seen).collect())
}

#[tokio::test]
async fn random_lists_are_told_what_the_naive_model_says() {
    for seed in 0..WALKS {
        println!("seed {seed}");
        let (place, chance) = (Place::new().await, SeededEntropy::new(seed));
        let tenants = [place.tenant().await, place.tenant().await];
        limit(&place, tenants[1], PER_DAY).await;
        let holders = tenants.map(tenant_admin);
        let (nodes, mut model) = ([place.store.clone(), place.other_store()], Model::default());
        for _ in 0..LISTS {
            let wanted: Vec<Asked> = (0..chance.below(8))
                .map(|_| {
                    let key = (chance.below(3) > 0).then(|| (format!("k{}", chance.below(20)), u8::from(chance.below(6) == 0)));
                    (tenants[usize::from(chance.below(2) == 0)], key)
                })
                .collect();
            let (ids, told) = list(&nodes[usize::from(chance.below(2) == 0)], &holders, &wanted).await;
            let expected: Vec<_> = wanted.iter().zip(&ids).map(|(asked, id)| model.expects(asked, tenants[1], *id)).collect();
            assert_eq!(told, expected, "{wanted:?}");
        }
        assert_eq!(place.ask("SELECT count(*) FROM emails").await, model.emails.to_string());
        assert_eq!(place.ask("SELECT count(*) FROM idempotency_keys").await, model.accepted.len().to_string());
        assert_eq!(used(&place, tenants[1]).await, model.counted.to_string());
    }
}
