//! A worker's time-limited claim on a piece of work.

use uuid::Uuid;

/// A claim on `T`: whoever holds it does the work and settles it, which uses it up. What the database keeps of it is a random token; a settlement
/// without the current token changes nothing.
///
/// Only the store makes one.
///
/// ```
/// fn work_once(store: &selfmx_storage::Store, lease: selfmx_storage::Lease<selfmx_storage::Delivery>) {
///     let _settled = lease.settle(Vec::new());
/// }
/// ```
///
/// Settling twice does not compile:
///
/// ```compile_fail,E0382
/// fn work_twice(store: &selfmx_storage::Store, lease: selfmx_storage::Lease<selfmx_storage::Delivery>) {
///     let _settled = lease.settle(Vec::new());
///     let _again = lease.settle(Vec::new());
/// }
/// ```
#[must_use = "a lease has to be settled or released"]
#[derive(Debug)]
pub struct Lease<T> {
    token: Uuid,
    work: T,
}

impl<T> Lease<T> {
    pub(crate) const fn new(token: Uuid, work: T) -> Self {
        Self { token, work }
    }

    /// The work that is claimed.
    #[must_use]
    pub const fn work(&self) -> &T {
        &self.work
    }

    pub(crate) const fn work_mut(&mut self) -> &mut T {
        &mut self.work
    }

    pub(crate) fn into_parts(self) -> (Uuid, T) {
        (self.token, self.work)
    }

    pub(crate) const fn token(&self) -> Uuid {
        self.token
    }
}
