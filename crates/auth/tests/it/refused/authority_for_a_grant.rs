//! What stores a key takes a grant, not what the key may do.

use selfmx_auth::{Authority, Grant};

fn store(_grant: &Grant) {}

fn create() {
    store(&Authority::everything());
}

fn main() {
    let _ = create;
}
