//! TLS towards an endpoint: 1.2 or later, always verified.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use crate::PostError;

/// Loads the certificate authorities of the operating system, and `extra` ones in PEM: once for all posts, since it takes about 2 ms.
///
/// Without any authority nothing is trusted: events then go to `http` URLs alone.
pub(crate) fn connector(extra: &[String]) -> Result<TlsConnector, PostError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    for pem in extra {
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            roots.add(certificate.or(Err(PostError::BadRoot))?).or(Err(PostError::BadRoot))?;
        }
    }
    if roots.is_empty() {
        tracing::warn!("no certificate authorities are installed: no webhook with an https URL can be reached");
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(PostError::TlsSetup)?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}
