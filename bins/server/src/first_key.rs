//! The first key of a server that has none.

use selfmx_auth::{Grant, Secret, System};
use selfmx_domain::{Entropy, Mode, Name};
use selfmx_storage::{Error, Store};

/// Makes a platform key that holds `*`, unless there is or ever was a key.
pub(crate) async fn make(store: &Store, system: &System, entropy: &dyn Entropy) -> Result<Option<Secret>, Error> {
    let secret = Secret::generate(Mode::Live, entropy);
    let grant = Grant::first(system, Name::default_key());
    let made = store.key_create_first(system, &grant, &secret).await?;
    Ok(made.map(|_| secret))
}

/// Shows the key on standard output, once; the log, on standard error, never has it.
pub(crate) fn show(secret: &Secret) {
    println!("The first API key, shown only now (it holds `*`; keep it safe):\n\n    {}\n", secret.reveal());
}
