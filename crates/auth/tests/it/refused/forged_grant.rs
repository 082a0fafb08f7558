//! A grant is made by its check alone.

use selfmx_auth::{Grant, PermissionSet};
use selfmx_domain::{Mode, Name};

fn forge(name: Name, permissions: PermissionSet) -> Grant {
    Grant { name, permissions, tenant: None, mode: Mode::Live, expires_at: None }
}

fn main() {
    let _ = forge;
}
