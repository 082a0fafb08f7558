//! An amendment stays what was checked.

use selfmx_auth::{Amendment, Authority};

fn widen(amendment: &mut Amendment) {
    amendment.authority = Authority::everything();
}

fn main() {
    let _ = widen;
}
