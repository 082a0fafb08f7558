//! A permit is not copied for later.

use selfmx_auth::{Permit, needs};

fn keep(permit: &Permit<needs::Send>) -> Permit<needs::Send> {
    permit.clone()
}

fn main() {
    let _ = keep;
}
