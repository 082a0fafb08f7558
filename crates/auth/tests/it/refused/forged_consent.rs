//! A draft is consented to by its check alone.

use selfmx_auth::Consented;
use selfmx_domain::{ApiKeyId, Draft, Mode, TenantId};

fn forge(draft: Draft) -> Consented {
    Consented { draft, tenant: TenantId::DEFAULT, key: ApiKeyId::DEFAULT, mode: Mode::Live }
}

fn main() {
    let _ = forge;
}
