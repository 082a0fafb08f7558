//! The positive twin of the refused files: with the right permit all of it compiles.

use selfmx_auth::{Permit, PlatformPermit, Principal, needs};

fn send(_permit: &Permit<needs::Send>) {}
fn tenants(_permit: &PlatformPermit<needs::All>) {}

fn handle(principal: &Principal) {
    let Ok(permit) = principal.permit::<needs::Send>() else { return };
    send(&permit);
    let Ok(permit) = principal.platform_permit::<needs::All>() else { return };
    tenants(&permit);
}

fn main() {
    let _ = handle;
}
