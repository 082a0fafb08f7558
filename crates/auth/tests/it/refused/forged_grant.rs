//! A grant is made by its check alone: to say what a key may do gives nobody that key.

use selfmx_auth::{Authority, Grant};
use selfmx_domain::Name;

fn forge(name: Name) -> Grant {
    Grant { name, authority: Authority::everything() }
}

fn main() {
    let _ = forge;
}
