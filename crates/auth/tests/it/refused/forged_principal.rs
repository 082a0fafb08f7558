//! A principal has no public parts either.

use std::sync::Arc;

use selfmx_auth::{ApiKey, Principal};

fn forge(key: Arc<ApiKey>) -> Principal {
    Principal { key }
}

fn main() {
    let _ = forge;
}
