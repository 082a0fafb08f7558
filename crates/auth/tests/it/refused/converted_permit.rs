//! A platform permit is not made of a tenant's.

use std::marker::PhantomData;

use selfmx_auth::{Permit, PlatformPermit, needs};

fn forge(permit: Permit<needs::All>) -> PlatformPermit<needs::All> {
    PlatformPermit { holder: permit.holder, scope: PhantomData }
}

fn main() {
    let _ = forge;
}
