//! A principal is made by recognising a secret, in no other way.

#![expect(unreachable_code, reason = "it never gets so far")]

use selfmx_auth::Principal;

fn forge() -> Principal {
    Principal { holder: unreachable!() }
}

fn main() {
    let _ = forge;
}
