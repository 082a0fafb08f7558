//! A store of keys in memory, as small as can be: what the walks go through. It does what any store does with this crate, and keeps a ledger of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use selfmx_auth::{ApiKey, Authority, KeyChange, KeyDigests, Permit, Principal, Reach, Rotation, Secret, StoredKey, Wanted, needs};
use selfmx_domain::{ApiKeyId, Name};
use time::{Duration, OffsetDateTime};

use crate::any::{self, NOW, USUAL};
use crate::facts::{self, Facts, facts};

/// A secret that was given out, and until when it counts as far as rotations say.
#[derive(Clone, Debug)]
pub(crate) struct Issued {
    pub(crate) text: String,
    pub(crate) key: ApiKeyId,
    until: Option<OffsetDateTime>,
}

/// What an act changed: the key, and its new secret where it got one.
pub(crate) type Done = Option<(ApiKeyId, Option<String>)>;

/// How a wanted key becomes one.
pub(crate) type Grants = fn(&Permit<needs::ApiKeysWrite>, Wanted, OffsetDateTime) -> Option<(Name, Authority)>;

#[derive(Clone, Debug)]
pub(crate) struct Store {
    pub(crate) now: OffsetDateTime,
    pub(crate) keys: BTreeMap<ApiKeyId, StoredKey>,
    pub(crate) issued: Vec<Issued>,
    /// All that a key ever could do, and the keys that made or changed it.
    ever: BTreeMap<ApiKeyId, (Facts, BTreeSet<ApiKeyId>)>,
    /// How the permit is asked: the negative control does not.
    pub(crate) grants: Grants,
}

impl Store {
    /// A store with these keys, which nobody made, and a secret of each.
    pub(crate) fn with(roots: &[Authority]) -> Self {
        let grants = |permit: &Permit<needs::ApiKeysWrite>, wanted, now| {
            permit.grant(wanted, now).ok().map(|grant| (grant.name().clone(), grant.authority().clone()))
        };
        let mut store = Self { now: NOW, keys: BTreeMap::new(), issued: Vec::new(), ever: BTreeMap::new(), grants };
        for root in roots {
            store.insert("Root".parse().unwrap(), root.clone(), None);
        }
        store
    }

    /// What the key can do at present.
    pub(crate) fn facts(&self, key: ApiKeyId) -> Facts {
        facts(&self.keys[&key].key.authority, USUAL)
    }

    /// All that the keys that made or changed this one ever could do, and those that made or changed them; `None` where nobody ever touched it.
    pub(crate) fn join_of_ancestors(&self, key: ApiKeyId) -> Option<Facts> {
        let (mut open, mut seen, mut join) = (vec![key], BTreeSet::new(), Facts::new());
        while let Some(next) = open.pop() {
            open.extend(self.ever[&next].1.iter().copied().filter(|parent| seen.insert(*parent)));
        }
        let alone = seen.is_empty();
        seen.iter().for_each(|parent| join.extend(self.ever[parent].0.iter().copied()));
        (!alone).then_some(join)
    }

    /// Whether the secret counts by the ledger, which knows nothing of digests.
    pub(crate) fn counts(&self, issued: &Issued) -> bool {
        let key = &self.keys[&issued.key].key;
        let alive = key.enabled && key.revoked_at.is_none() && facts::lives_at(&key.authority, self.now);
        alive
            && issued.until.is_none_or(|until| self.now < until)
            && facts::addresses().iter().any(|from| facts::may_come_from(&key.authority, *from))
    }

    /// Whoever presents this secret, from wherever that is allowed.
    pub(crate) fn recognised(&self, text: &str) -> Option<Principal> {
        let secret = Secret::presented(text)?;
        let digest = *secret.digest().as_bytes();
        let has = |digests: &KeyDigests| {
            *digests.current.as_bytes() == digest || digests.previous.is_some_and(|(former, _)| *former.as_bytes() == digest)
        };
        let stored = self.keys.values().find(|stored| has(&stored.digests))?;
        let address = facts::addresses().iter().copied().find(|address| facts::may_come_from(&stored.key.authority, *address))?;
        Principal::recognise(&secret, &Arc::new(stored.clone()), &any::moment(address, self.now)).ok()
    }

    pub(crate) fn create(&mut self, permit: &Permit<needs::ApiKeysWrite>, wanted: Wanted) -> Done {
        let permit = self.renewed(permit)?;
        let (name, authority) = (self.grants)(&permit, wanted, self.now)?;
        let (key, text) = self.insert(name, authority, Some(permit.key_id()));
        Some((key, Some(text)))
    }

    pub(crate) fn amend(&mut self, permit: &Permit<needs::ApiKeysWrite>, target: ApiKeyId, change: KeyChange) -> Done {
        let (permit, stored) = (self.renewed(permit)?, self.seen(permit, target)?);
        let amendment = permit.amend(&stored.key, change, self.now).ok()?;
        let key = &mut self.keys.get_mut(&target)?.key;
        (key.name, key.authority, key.enabled) = (amendment.name().clone(), amendment.authority().clone(), amendment.enabled());
        self.note(target, Some(permit.key_id()));
        Some((target, None))
    }

    pub(crate) fn rotate(&mut self, permit: &Permit<needs::ApiKeysWrite>, target: ApiKeyId, grace: std::time::Duration) -> Done {
        let (permit, stored) = (self.renewed(permit)?, self.seen(permit, target)?);
        let until = self.now + permit.rotation(&stored.key, grace).map(Rotation::grace).ok()?;
        let text = self.issue(target);
        let current = Secret::chosen(&text).unwrap().digest();
        self.keys.get_mut(&target)?.digests = KeyDigests { current, previous: Some((stored.digests.current, until)) };
        let mut former = self.issued.iter_mut().rev().filter(|issued| issued.key == target && issued.text != text);
        if let Some(last) = former.next() {
            last.until = Some(until);
        }
        // Of two former secrets only the last one is kept.
        former.for_each(|older| older.until = Some(NOW - Duration::DAY));
        self.note(target, Some(permit.key_id()));
        Some((target, Some(text)))
    }

    pub(crate) fn revoke(&mut self, permit: &Permit<needs::ApiKeysWrite>, target: ApiKeyId) -> Done {
        let (_, _) = (self.renewed(permit)?, self.seen(permit, target)?);
        self.keys.get_mut(&target)?.key.revoked_at = Some(self.now);
        Some((target, None))
    }

    /// The permit by what its key is now, as a store does it under a lock.
    fn renewed(&self, permit: &Permit<needs::ApiKeysWrite>) -> Option<Permit<needs::ApiKeysWrite>> {
        permit.renewed(self.keys.get(&permit.key_id()).map(|stored| &stored.key), self.now).ok()
    }

    fn seen(&self, permit: &Permit<needs::ApiKeysWrite>, target: ApiKeyId) -> Option<StoredKey> {
        let stored = self.keys.get(&target)?;
        let is_seen = match permit.reach() {
            Reach::Tenant(tenant) => stored.key.authority.tenant == Some(tenant),
            Reach::Platform => stored.key.authority.tenant.is_none(),
            Reach::Everything => true,
        };
        is_seen.then(|| stored.clone())
    }

    fn insert(&mut self, name: Name, authority: Authority, maker: Option<ApiKeyId>) -> (ApiKeyId, String) {
        let id: ApiKeyId = format!("key_01h455vb4pex5vsknk084s{:04}", self.keys.len()).parse().unwrap();
        let text = self.issue(id);
        let digests = KeyDigests::only(Secret::chosen(&text).unwrap().digest());
        let tenant = Arc::new(any::tenant(authority.tenant));
        let key = ApiKey { id, name, authority, created_by: maker, ..ApiKey::environment(self.now) };
        self.keys.insert(id, StoredKey { digests, key, tenant });
        self.note(id, maker);
        (id, text)
    }

    fn issue(&mut self, key: ApiKeyId) -> String {
        let text = format!("secret-number-{:04}", self.issued.len());
        self.issued.push(Issued { text: text.clone(), key, until: None });
        text
    }

    fn note(&mut self, key: ApiKeyId, by: Option<ApiKeyId>) {
        let can = self.facts(key);
        let (ever, parents) = self.ever.entry(key).or_default();
        ever.extend(can);
        parents.extend(by);
    }
}
