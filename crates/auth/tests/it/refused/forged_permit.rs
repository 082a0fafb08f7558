//! A permit has no public parts to make one from, not even those of another permit.

use std::marker::PhantomData;

use selfmx_auth::{Permit, needs};

fn forge(permit: Permit<needs::LogsRead>) -> Permit<needs::Send> {
    Permit { holder: permit.holder, scope: PhantomData }
}

fn main() {
    let _ = forge;
}
