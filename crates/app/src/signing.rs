//! Signing: with whose DKIM key an email is signed, and the tenants' keys that were opened.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use selfmx_auth::{Permit, needs};
use selfmx_domain::{Dkim, Domain, TenantId};
use selfmx_mail::Signer;
use selfmx_storage::Error as StoreError;

use crate::{App, Error};

/// How many tenants' keys are kept opened.
const MOST: usize = 1_000;

/// The server's key, and the tenants' that were opened.
pub(crate) struct Signers {
    server: Option<Arc<Signer>>,
    /// Held for no longer than a look takes, never across an `await`.
    opened: Mutex<Opened>,
}

#[derive(Default)]
struct Opened {
    signers: HashMap<TenantId, (Arc<Signer>, u64)>,
    /// Moves with each look: the signer that was looked for longest ago has the least.
    turn: u64,
}

impl Signers {
    pub(crate) fn new(server: Option<Signer>) -> Self {
        Self { server: server.map(Arc::new), opened: Mutex::default() }
    }

    /// The tenant's signer where it was opened and is still under this name, with this key.
    fn recall(&self, tenant: TenantId, dkim: &Dkim) -> Option<Arc<Signer>> {
        let mut opened = self.opened();
        opened.turn += 1;
        let turn = opened.turn;
        let (signer, used) = opened.signers.get_mut(&tenant).filter(|(signer, _)| signer.dkim() == dkim)?;
        *used = turn;
        Some(Arc::clone(signer))
    }

    /// Keeps a signer in place of the tenant's former one; where there are too many, the one that was not used for longest goes.
    fn keep(&self, tenant: TenantId, signer: &Arc<Signer>) {
        let mut opened = self.opened();
        let turn = opened.turn;
        opened.signers.insert(tenant, (Arc::clone(signer), turn));
        if opened.signers.len() > MOST {
            let oldest = opened.signers.iter().min_by_key(|(_, (_, used))| *used).map(|(tenant, _)| *tenant);
            oldest.and_then(|oldest| opened.signers.remove(&oldest));
        }
    }

    /// Forgets the tenant's key.
    pub(crate) fn forget(&self, tenant: TenantId) {
        self.opened().signers.remove(&tenant);
    }

    fn opened(&self) -> MutexGuard<'_, Opened> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl App {
    /// What signs an email from `sender`: the tenant's own key where it answers for that domain, else the server's. `None`: nobody's.
    ///
    /// # Errors
    ///
    /// [`Error::Unsigned`] where the tenant's key would have to sign and cannot be opened: such mail does not go out with no signature, or with another.
    pub(crate) async fn signer(&self, permit: &Permit<needs::Send>, sender: &Domain) -> Result<Option<Arc<Signer>>, Error> {
        let known = permit.tenant_then().profile.dkim.as_ref();
        let Some(dkim) = known.filter(|dkim| dkim.is_aligned_with(sender)) else { return Ok(self.signers.server.clone()) };
        let tenant = permit.tenant();
        if let Some(signer) = self.signers.recall(tenant, dkim) {
            return Ok(Some(signer));
        }
        let opened = match self.store.tenant_dkim(permit).await {
            Ok(opened) => opened.filter(|opened| opened.dkim.is_aligned_with(sender)),
            Err(StoreError::Vault(source)) => {
                tracing::error!(tenant_id = %tenant, error = %source, "a tenant's DKIM key cannot be opened: its mail is refused");
                return Err(Error::Unsigned { source: Box::new(source) });
            }
            Err(error) => return Err(error.into()),
        };
        // It is another than it was when the key was recognised, or there is none any more.
        let Some(opened) = opened else { return Ok(self.signers.server.clone()) };
        let signer = Signer::new(opened.dkim, &opened.key).map_err(|problem| Error::Unsigned { source: Box::new(problem) })?;
        let signer = Arc::new(signer);
        self.signers.keep(tenant, &signer);
        Ok(Some(signer))
    }
}

#[cfg(test)]
mod tests {
    use selfmx_domain::{Clock, DkimKey, Entropy};
    use selfmx_mail::read_dkim_key;
    use selfmx_testing::{OsEntropy, SystemClock, openssl};

    use super::*;

    fn signer(selector: &str, key: &DkimKey) -> Arc<Signer> {
        let dkim = Dkim { domain: "x.example".parse().unwrap(), selector: selector.parse().unwrap(), public_key: key.public().clone() };
        Arc::new(Signer::new(dkim, key).unwrap())
    }

    #[test]
    fn an_opened_key_counts_until_it_is_changed_or_forgotten_and_the_least_used_goes_first() {
        let [key, other] = [(); 2].map(|()| read_dkim_key(&openssl("genpkey -algorithm ed25519")).unwrap());
        let (clock, entropy): (&dyn Clock, &dyn Entropy) = (&SystemClock, &OsEntropy);
        let tenants: Vec<TenantId> = (0..=MOST).map(|_| TenantId::generate(clock, entropy)).collect();
        let (signers, one) = (Signers::new(None), signer("a", &key));
        for tenant in &tenants[..MOST] {
            signers.keep(*tenant, &one);
        }
        let known = |tenant: &TenantId, dkim: &Dkim| signers.recall(*tenant, dkim).is_some();
        assert!(tenants[..MOST].iter().all(|tenant| known(tenant, one.dkim())));
        for changed in [signer("b", &key), signer("a", &other)] {
            assert!(!known(&tenants[0], changed.dkim()), "{changed:?}");
        }
        assert!(known(&tenants[0], one.dkim()));
        signers.keep(tenants[MOST], &one);
        assert!(known(&tenants[0], one.dkim()) && known(&tenants[MOST], one.dkim()) && !known(&tenants[1], one.dkim()));
        signers.forget(tenants[0]);
        assert!(!known(&tenants[0], one.dkim()));
    }
}
