//! Whose turn it is: from tenant to tenant, and from webhook to webhook of each.

use std::collections::{HashMap, VecDeque};

use selfmx_domain::TenantId;
use selfmx_storage::WebhookDue;

/// Turns without end, until everybody is done.
pub(super) struct Turns<'a> {
    tenants: VecDeque<VecDeque<&'a WebhookDue>>,
    /// Whose turn it is now.
    at: Option<VecDeque<&'a WebhookDue>>,
}

impl<'a> Turns<'a> {
    /// Turns of these, of which another tenant's is the first with another `turn`, and so with its webhooks.
    pub(super) fn of(due: &'a [WebhookDue], turn: usize) -> Self {
        let (mut tenants, mut places) = (VecDeque::<VecDeque<_>>::new(), HashMap::<TenantId, usize>::new());
        for due in due {
            let place = *places.entry(due.tenant).or_insert(tenants.len());
            if place == tenants.len() {
                tenants.push_back(VecDeque::new());
            }
            if let Some(own) = tenants.get_mut(place) {
                own.push_back(due);
            }
        }
        for own in &mut tenants {
            own.rotate_left(turn % own.len().max(1));
        }
        let first = turn % tenants.len().max(1);
        tenants.rotate_left(first);
        Self { tenants, at: None }
    }

    /// Whose turn is next.
    pub(super) fn next(&mut self) -> Option<&'a WebhookDue> {
        self.tenants.extend(self.at.take());
        let mut own = self.tenants.pop_front()?;
        let due = own.pop_front()?;
        own.push_back(due);
        self.at = Some(own);
        Some(due)
    }

    /// Whoever has its turn wants no further one.
    pub(super) fn done(&mut self) {
        if let Some(mut own) = self.at.take() {
            own.pop_back();
            if !own.is_empty() {
                self.tenants.push_back(own);
            }
        }
    }
}
