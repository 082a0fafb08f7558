//! A tenant: whose mail, keys and settings are kept apart from everybody else's.

use time::OffsetDateTime;

use crate::{Name, TenantId};

/// A tenant.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// The name that people gave it.
    pub name: Name,
    /// When it was made.
    pub created_at: OffsetDateTime,
}
