//! A permit has no public parts to make one from.

use std::marker::PhantomData;
use std::sync::Arc;

use selfmx_auth::{ApiKey, Permit, needs};

fn forge(key: Arc<ApiKey>) -> Permit<needs::Send> {
    Permit { key, scope: PhantomData }
}

fn main() {
    let _ = forge;
}
