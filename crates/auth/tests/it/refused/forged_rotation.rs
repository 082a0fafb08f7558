//! A rotation is made by its check alone.

use std::time::Duration;

use selfmx_auth::Rotation;

fn forge() -> Rotation {
    Rotation { grace: Duration::MAX }
}

fn main() {
    let _ = forge;
}
