//! `selfmx keys create`: a key by the server's own authority.

use std::io;

use selfmx_auth::{ApiKey, Grant, GrantError, Secret, Wanted};
use selfmx_storage::Error;
use selfmx_wire::KeyCreated;

use super::table::{permissions, tenant, written};
use super::{Desk, WORK, within};
use crate::arguments::{Form, Misuse, NewKey};
use crate::chance::OsEntropy;
use crate::failure::Failure;
use crate::output;

/// Makes the key and shows its secret, once. A secret that cannot be shown leaves no key behind.
pub(super) async fn create(desk: &Desk, key: &NewKey) -> Result<(), Failure> {
    let grant = Grant::by_system(&desk.system, wanted(key), desk.now).map_err(|error| misuse(&error))?;
    let secret = Secret::generate(grant.authority().mode, &OsEntropy);
    let made = match within(WORK, desk.store.key_create_by_system(&desk.system, &grant, &secret)).await {
        Err(Failure::Store(Error::NoSuchTenant)) => return Err(Misuse::of("--tenant", &"there is no tenant with this id").into()),
        made => made?,
    };
    let Err(source) = show(&made, &secret, key.form) else { return Ok(()) };
    within(WORK, desk.store.key_revoke_by_system(&desk.system, made.id)).await?;
    Err(Failure::Unshown { id: made.id, source })
}

fn wanted(key: &NewKey) -> Wanted {
    let wanted = Wanted::new(key.name.clone(), key.permissions);
    Wanted { tenant: key.tenant, mode: key.mode, expires_at: key.expires_at, ..wanted }
}

fn misuse(error: &GrantError) -> Misuse {
    match error {
        GrantError::Invalid { field, problem } => Misuse::of(&format!("--{}", field.replace('_', "-")), problem),
        other => Misuse::of("keys create", other),
    }
}

/// The secret on standard output, and beside it, for people, what the key is.
fn show(key: &ApiKey, secret: &Secret, form: Form) -> io::Result<()> {
    if form == Form::Json {
        return output::json(&KeyCreated::new(key, secret));
    }
    output::line(secret.reveal())?;
    output::note(&told(key));
    Ok(())
}

fn told(key: &ApiKey) -> String {
    let lines = [
        ("Key", key.id.to_string()),
        ("Name", key.name.to_string()),
        ("Tenant", tenant(key)),
        ("Permissions", permissions(key)),
        ("Mode", key.authority.mode.as_str().to_owned()),
        ("Expires", written(key.authority.expires_at)),
    ];
    let lines: String = lines.iter().map(|(name, value)| format!("{name:13}{value}\n")).collect();
    format!("{lines}Its secret, on standard output, is shown only now.")
}
