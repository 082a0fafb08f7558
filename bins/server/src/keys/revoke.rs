//! `selfmx keys revoke`: one key, whosever it is.

use selfmx_domain::ApiKeyId;

use super::{Desk, WORK, within};
use crate::failure::Failure;
use crate::output;

/// Revokes the key; running servers refuse it from then on.
pub(super) async fn revoke(desk: &Desk, id: ApiKeyId) -> Result<(), Failure> {
    if !within(WORK, desk.store.key_revoke_by_system(&desk.system, id)).await? {
        return Err(Failure::NoSuchKey(id));
    }
    output::tell(&format!("{id} is revoked"))
}
