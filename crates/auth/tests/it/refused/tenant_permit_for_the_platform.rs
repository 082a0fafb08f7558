//! A tenant's wildcard is no platform permit.

use selfmx_auth::{PlatformPermit, Principal, needs};

fn tenants(_permit: &PlatformPermit<needs::All>) {}

fn handle(principal: &Principal) {
    let Ok(permit) = principal.permit::<needs::All>() else { return };
    tenants(&permit);
}

fn main() {
    let _ = handle;
}
