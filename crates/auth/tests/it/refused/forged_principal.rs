//! A principal is made by recognising a secret, not from a key.

use std::sync::Arc;

use selfmx_auth::{Principal, StoredKey};

fn forge(stored: Arc<StoredKey>) -> Principal {
    Principal { holder: stored }
}

fn main() {
    let _ = forge;
}
