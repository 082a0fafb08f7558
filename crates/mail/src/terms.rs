//! On what terms tenants' own relays are used.

use std::sync::Arc;
use std::time::Duration;

use selfmx_domain::{Domain, Reach, RelayHost, RelayPassword, TenantRelay};

use crate::{Credentials, RelayError, RelaySettings, Security, SmtpCounts};

/// What the operator says of all tenants' own relays. Where one is and who we are to it is the tenant's; the rest is here, and a certificate always
/// has to be trusted.
///
/// ```
/// use selfmx_domain::TenantRelay;
/// use selfmx_mail::{RelayTerms, Security};
///
/// let terms = RelayTerms::new("mx.example".parse()?);
/// let relay = TenantRelay { host: "smtp.shop.example".parse()?, port: 465, user: None, tls: true };
/// assert_eq!(terms.settings(&relay, None).security, Security::ImplicitTls);
/// let inside = TenantRelay { host: "169.254.169.254".parse()?, ..relay };
/// assert!(terms.check(&inside.host).is_err());
/// # Ok::<(), selfmx_domain::Problem>(())
/// ```
#[derive(Clone, Debug)]
pub struct RelayTerms {
    /// Which addresses may be connected to, whatever a tenant says.
    pub reach: Reach,
    /// The name that EHLO gives.
    pub helo: Domain,
    /// How long to wait for a connection and for each reply but the last.
    pub timeout: Duration,
    /// How long to wait for the reply after the final dot.
    pub final_timeout: Duration,
    /// How many connections there may be to one tenant's relay at once.
    pub pool_size: u16,
    /// Certificate authorities to trust besides those of the operating system, each as PEM or DER.
    pub extra_roots: Vec<Vec<u8>>,
    /// What is counted, of all of them together.
    pub counts: Arc<SmtpCounts>,
}

impl RelayTerms {
    /// Public addresses only, four connections to each relay, and otherwise what is usual for a relay.
    #[must_use]
    pub fn new(helo: Domain) -> Self {
        let usual = RelaySettings::new("", TenantRelay::USUAL_PORT, helo);
        Self {
            reach: Reach::PublicOnly,
            helo: usual.helo,
            timeout: usual.timeout,
            final_timeout: usual.final_timeout,
            pool_size: 4,
            extra_roots: Vec::new(),
            counts: Arc::default(),
        }
    }

    /// Refuses an address that may not be connected to. Of a name that shows only when it is looked up.
    ///
    /// # Errors
    ///
    /// [`RelayError::NoPublicAddress`].
    pub fn check(&self, host: &RelayHost) -> Result<(), RelayError> {
        match host.address() {
            Some(address) if !self.reach.admits(address) => Err(RelayError::NoPublicAddress),
            _ => Ok(()),
        }
    }

    /// The settings for this relay and its password.
    #[must_use]
    pub fn settings(&self, relay: &TenantRelay, password: Option<&RelayPassword>) -> RelaySettings {
        let credentials = relay.user.as_ref().zip(password);
        RelaySettings {
            reach: self.reach,
            security: if relay.tls { Security::of_port(relay.port) } else { Security::Plain },
            credentials: credentials.map(|(user, password)| Credentials::new(user.as_str(), password.reveal())),
            timeout: self.timeout,
            final_timeout: self.final_timeout,
            pool_size: usize::from(self.pool_size),
            extra_roots: self.extra_roots.clone(),
            counts: Arc::clone(&self.counts),
            ..RelaySettings::new(relay.host.as_str(), relay.port, self.helo.clone())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Verification;

    fn relay(host: &str) -> TenantRelay {
        TenantRelay { host: host.parse().unwrap(), port: 587, user: None, tls: true }
    }

    #[test]
    fn a_literal_that_may_not_be_dialled_is_refused_at_once() {
        let terms = RelayTerms::new(Domain::localhost());
        for host in ["127.0.0.1", "10.0.0.1", "::1", "::ffff:9.9.9.9", "169.254.169.254"] {
            assert!(matches!(terms.check(&relay(host).host), Err(RelayError::NoPublicAddress)), "{host}");
            assert!(RelayTerms { reach: Reach::Anywhere, ..terms.clone() }.check(&relay(host).host).is_ok());
        }
        for host in ["9.9.9.9", "2620:fe::fe", "localhost", "smtp.example"] {
            assert!(terms.check(&relay(host).host).is_ok(), "{host}");
        }
    }

    #[test]
    fn a_tenant_says_where_and_who_and_the_operator_the_rest() {
        let terms = RelayTerms { timeout: Duration::from_secs(7), ..RelayTerms::new("mx.example".parse().unwrap()) };
        let password = "canary".parse().unwrap();
        let with_user = TenantRelay { user: Some("u".parse().unwrap()), ..relay("smtp.example") };
        let settings = terms.settings(&with_user, Some(&password));
        assert_eq!((settings.host.as_str(), settings.port, settings.helo.as_str()), ("smtp.example", 587, "mx.example"));
        assert_eq!(
            (settings.reach, settings.security, settings.verification),
            (Reach::PublicOnly, Security::StartTls, Verification::Verify)
        );
        assert_eq!((settings.timeout.as_secs(), settings.pool_size, settings.credentials.is_some()), (7, 4, true));
        assert!(!format!("{settings:?}").contains("canary"));
        assert!(terms.settings(&relay("smtp.example"), None).credentials.is_none());
        let clear = TenantRelay { tls: false, ..relay("smtp.example") };
        assert_eq!(terms.settings(&clear, None).security, Security::Plain);
    }
}
