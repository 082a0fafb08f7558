//! A certificate for a server on this machine, made for one test.

#![expect(clippy::unwrap_used, reason = "a test without its certificate has failed")]

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A self-signed certificate and its key, for `localhost` and `127.0.0.1`. Whoever is to trust it is given the certificate itself.
#[derive(Clone, Debug)]
pub struct Certificate {
    certificate: String,
    key: String,
}

impl Certificate {
    /// A certificate for `localhost` and `127.0.0.1`.
    #[must_use]
    pub fn for_loopback() -> Self {
        Self::for_names(&["localhost", "127.0.0.1"])
    }

    /// A certificate for other names.
    #[must_use]
    pub fn for_names(names: &[&str]) -> Self {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        Self { certificate: made.cert.pem(), key: made.signing_key.serialize_pem() }
    }

    /// The certificate, as PEM.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.certificate
    }

    /// The private key, as PEM.
    #[must_use]
    pub fn key_pem(&self) -> &str {
        &self.key
    }

    /// What a server needs to show the certificate.
    #[must_use]
    pub fn server_config(&self) -> Arc<ServerConfig> {
        let chain = vec![CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap();
        let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        Arc::new(builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth().with_single_cert(chain, key).unwrap())
    }
}
