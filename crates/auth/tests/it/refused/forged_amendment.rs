//! An amendment is made by its check alone.

use selfmx_auth::{Amendment, Authority};
use selfmx_domain::Name;

fn forge(name: Name) -> Amendment {
    Amendment { name, authority: Authority::everything(), enabled: true }
}

fn main() {
    let _ = forge;
}
