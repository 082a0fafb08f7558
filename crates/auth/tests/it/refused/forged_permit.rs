//! A permit has no public parts to make one from.

#![expect(unreachable_code, reason = "it never gets so far")]

use std::marker::PhantomData;

use selfmx_auth::{Permit, needs};

fn forge() -> Permit<needs::Send> {
    Permit { holder: unreachable!(), scope: PhantomData }
}

fn main() {
    let _ = forge;
}
