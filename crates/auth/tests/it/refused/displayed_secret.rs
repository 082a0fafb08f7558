//! A secret cannot be written into a text by accident.

use selfmx_auth::Secret;

fn log(secret: &Secret) -> String {
    format!("{secret}")
}

fn main() {
    let _ = log;
}
