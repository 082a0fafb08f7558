//! A number of places, of which no tenant has more than half.

use std::collections::HashMap;

use selfmx_domain::TenantId;

/// Places that are shared.
#[derive(Clone)]
pub(super) struct Pool {
    places: usize,
    taken: usize,
    by_tenant: HashMap<TenantId, usize>,
}

impl Pool {
    pub(super) fn of(places: usize) -> Self {
        Self { places, taken: 0, by_tenant: HashMap::new() }
    }

    /// Whether this tenant may have one more.
    pub(super) fn has_room(&self, tenant: TenantId) -> bool {
        let own = self.by_tenant.get(&tenant).copied().unwrap_or_default();
        self.taken < self.places && own < self.places.div_ceil(2)
    }

    pub(super) fn take(&mut self, tenant: TenantId) {
        self.taken += 1;
        *self.by_tenant.entry(tenant).or_default() += 1;
    }

    pub(super) fn give_back(&mut self, tenant: TenantId) {
        self.taken -= 1;
        if let Some(own) = self.by_tenant.get_mut(&tenant) {
            *own -= 1;
            if *own == 0 {
                self.by_tenant.remove(&tenant);
            }
        }
    }
}
