//! A permit to read logs does not send.

use selfmx_auth::{Permit, Principal, needs};

fn send(_permit: &Permit<needs::Send>) {}

fn handle(principal: &Principal) {
    let Ok(permit) = principal.permit::<needs::LogsRead>() else { return };
    send(&permit);
}

fn main() {
    let _ = handle;
}
