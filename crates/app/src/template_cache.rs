//! Compiled templates that are kept, so that a template is read once and not for each email.
//!
//! What is kept is never out of date: it is kept under its version, which never changes, and which version is the present one is asked of the database each
//! time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use selfmx_domain::{TemplateId, TenantId};
use selfmx_template::Compiled;

/// How much memory all that is kept may take, about.
const MOST_OCTETS: usize = 64 * 1024 * 1024;

/// A version of a tenant's template.
type Key = (TenantId, TemplateId, u32);

/// A version of a template, ready to be rendered.
#[derive(Clone)]
pub(crate) struct Kept {
    pub(crate) compiled: Arc<Compiled>,
    /// Whether it wants no variable to be missing.
    pub(crate) strict: bool,
}

/// What is kept, bounded by its weight.
pub(crate) struct TemplateCache {
    state: Mutex<State>,
    most: usize,
}

#[derive(Default)]
struct State {
    kept: HashMap<Key, (Kept, u64)>,
    octets: usize,
    /// Counts uses, so that it can be told what was used last.
    uses: u64,
}

impl Default for TemplateCache {
    fn default() -> Self {
        Self { state: Mutex::default(), most: MOST_OCTETS }
    }
}

impl TemplateCache {
    /// What is kept under this key.
    pub(crate) fn find(&self, key: &Key) -> Option<Kept> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.uses += 1;
        let uses = state.uses;
        let (kept, used) = state.kept.get_mut(key)?;
        *used = uses;
        Some(kept.clone())
    }

    /// Keeps this. Where it is too much then, half of it goes, what was used longest ago first.
    pub(crate) fn insert(&self, key: Key, kept: Kept) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.uses += 1;
        let (weight, uses) = (kept.compiled.weight(), state.uses);
        if weight > self.most {
            return;
        }
        if let Some((old, _)) = state.kept.insert(key, (kept, uses)) {
            state.octets -= old.compiled.weight();
        }
        state.octets += weight;
        if state.octets > self.most {
            state.shrink(self.most / 2);
        }
    }
}

impl State {
    fn shrink(&mut self, most: usize) {
        let mut by_use: Vec<(u64, Key)> = self.kept.iter().map(|(key, (_, used))| (*used, *key)).collect();
        by_use.sort_unstable_by_key(|(used, _)| *used);
        for (_, key) in by_use {
            if self.octets <= most {
                return;
            }
            if let Some((gone, _)) = self.kept.remove(&key) {
                self.octets -= gone.compiled.weight();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use selfmx_template::Source;
    use uuid::Uuid;

    use super::*;

    fn kept(name: &str) -> Kept {
        let source = Source { name, subject: "s", html: None, text: None, from: None, reply_to: &[] };
        Kept { compiled: Arc::new(Compiled::new(&source).unwrap()), strict: false }
    }

    fn key(tenant: u128, template: u128, version: u32) -> Key {
        (TenantId::from_uuid(Uuid::from_u128(tenant)), TemplateId::from_uuid(Uuid::from_u128(template)), version)
    }

    #[test]
    fn a_template_is_found_by_tenant_id_and_version_together() {
        let cache = TemplateCache::default();
        cache.insert(key(1, 1, 1), kept("a"));
        assert_eq!(cache.find(&key(1, 1, 1)).unwrap().compiled.name(), "a");
        for other in [key(2, 1, 1), key(1, 2, 1), key(1, 1, 2)] {
            assert!(cache.find(&other).is_none());
        }
    }

    #[test]
    fn what_was_used_longest_ago_goes_first_and_the_weight_stays_bounded() {
        let weight = kept("a").compiled.weight();
        let cache = TemplateCache { state: Mutex::default(), most: 4 * weight };
        for template in 0..4 {
            cache.insert(key(1, template, 1), kept("a"));
        }
        cache.find(&key(1, 0, 1)).unwrap();
        cache.insert(key(1, 4, 1), kept("a"));
        let left: Vec<_> = (0..5).filter(|template| cache.find(&key(1, *template, 1)).is_some()).collect();
        assert_eq!(left, [0, 4]);
        for template in 0..1_000 {
            cache.insert(key(1, template, 2), kept("a"));
            assert!(cache.state.lock().unwrap().octets <= 4 * weight);
        }
        cache.insert(key(1, 0, 3), kept("a"));
        cache.insert(key(1, 0, 3), kept("a"));
        let state = cache.state.lock().unwrap();
        assert_eq!(state.octets, state.kept.len() * weight);
    }
}
